# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that containers use, on every engine that runs containers: predicted exactly, and containers stay."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.contract.test_life_of_an_image import put, sleeper
from ansible_collections.fleet.images.tests.support.lifecycle import Repository, kinds

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, EngineHost


with_containers = pytest.mark.parametrize("engine_host", ["docker", "podman", "containerd"], indirect=True)


@pytest.fixture(params=["running", "stopped"])
def used(request: pytest.FixtureRequest, engine_host: EngineHost, repository: Repository) -> t.Iterator[str]:
    """Yield the name of an image that the container ``web`` uses."""
    name = f"{repository}:used"
    repository.push("used", sleeper())
    engine_host.do("image_pull", name=name)
    engine_host.use(name, "web", is_running=request.param == "running")
    containers = engine_host.containers()
    yield name
    assert engine_host.containers() == containers, "a container was touched"
    engine_host.drop("web")


@with_containers
def test_the_last_name_of_an_image_in_use_is_not_removed(engine_host: EngineHost, used: str) -> None:
    error = engine_host.refuse("image_rmi", name=used)
    assert error["code"] == "image-in-use"
    assert "web" in error["why"]


@with_containers
def test_one_of_several_names_goes_although_the_image_is_in_use(engine_host: EngineHost, used: str) -> None:
    engine_host.do("image_tag", name=used, repository=["local/too:1"])
    done = engine_host.settle("image_rmi", name="local/too:1")
    assert done["deleted"] == []
    assert set(engine_host.images()) == {used}


@with_containers
def test_what_is_in_use_can_be_left_alone(engine_host: EngineHost, used: str, repository: Repository) -> None:
    put(repository, "free")
    engine_host.do("image_pull", name=f"{repository}:free")
    done = engine_host.settle("image_rmi", name=[used, f"{repository}:free"], in_use="skip")
    assert kinds(done) == ["untag"]
    skipped = next(row for row in done["images"] if row["name"] == used)
    assert (skipped["changed"], skipped["action"]) == (False, "none")
    assert "web" in skipped["cause"]
    assert set(engine_host.images()) == {used}


@with_containers
@pytest.mark.parametrize("way", [{"in_use": "untag"}, {"force": True}])
def test_a_name_can_go_while_the_container_stays(
    engine_host: EngineHost, used: str, way: dict[str, t.Any]
) -> None:
    done = engine_host.settle("image_rmi", name=used, **way)
    assert done["untagged"] == [used]
    assert engine_host.images() == {}


@with_containers
def test_a_list_skips_what_is_in_use_or_fails_as_asked(
    engine_host: EngineHost, used: str, repository: Repository
) -> None:
    put(repository, "listed")
    put(repository, "free")
    engine_host.do("image_pull", name=f"{repository}:free")
    items = [{"image": f"{repository}:listed"}]
    options: dict[str, t.Any] = {"images": items, "unlisted": "remove"}
    error = engine_host.refuse("image_state", **options, in_use="fail")
    assert error["code"] == "image-in-use"
    done = engine_host.settle("image_state", **options)
    assert sorted(kinds(done)) == ["pull", "untag"]
    assert set(engine_host.images()) == {used, f"{repository}:listed"}
    engine_host.settle("image_state", **options, in_use="untag")
    assert set(engine_host.images()) == {f"{repository}:listed"}


@with_containers
def test_the_containers_of_an_image_are_told(engine_host: EngineHost, used: str) -> None:
    (row,) = engine_host.do("image_info", name=[used], detail=True)["images"]
    assert row["used_by"] == ["web"]


@with_containers
def test_a_moved_tag_leaves_the_container_on_its_image(
    engine_host: EngineHost, used: str, repository: Repository
) -> None:
    moved = sleeper("2")
    repository.push("used", moved)
    engine_host.settle("image_pull", name=used, pull="newer")
    assert engine_host.images() == {used: moved.config.digest}


@pytest.mark.parametrize("engine_host", ["docker"], indirect=True)
@pytest.mark.parametrize("prune", [True, False])
def test_nameless_images_that_only_the_removed_one_was_built_on_go_as_asked(
    engine_host: DockerHost, prune: bool
) -> None:
    dockerfile = b"FROM scratch\nLABEL step=1\nLABEL step=2\nLABEL step=3\n"
    engine_host.daemon.cli("build", "--tag", "local/built:1", "-", input_bytes=dockerfile)
    before = set(engine_host.all_ids())
    assert len(before) == 3
    done = engine_host.settle("image_rmi", name="local/built:1", prune=prune)
    assert len(done["deleted"]) == (3 if prune else 1)
    assert set(done["deleted"]) == before - set(engine_host.all_ids())
