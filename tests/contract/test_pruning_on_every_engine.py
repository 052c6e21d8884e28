# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nobody needs goes, on every engine: announced exactly, done exactly so, and what is in use stays."""

from __future__ import annotations

import subprocess
import typing as t

import pytest
from ansible_collections.fleet.images.tests.contract.test_life_of_an_image import put, sleeper
from ansible_collections.fleet.images.tests.support.lifecycle import Repository, kinds

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, EngineHost, PodmanHost

with_containers = pytest.mark.parametrize("engine_host", ["docker", "podman", "containerd"], indirect=True)
BUILT = b"FROM scratch\nLABEL step=1\nLABEL step=2\n"


def test_unused_images_go_with_all_of_their_names_and_protected_ones_stay(
    engine_host: EngineHost, repository: Repository
) -> None:
    made = {tag: put(repository, tag) for tag in ("a", "b", "c")}
    names = {tag: f"{repository}:{tag}" for tag in made}
    engine_host.do("image_pull", name=list(names.values()))
    engine_host.do("image_tag", name=names["a"], repository=["local/a:too"])
    assert engine_host.rest("image_prune")["space_reclaimed"] == 0
    options: dict[str, t.Any] = {"all": True, "protect": ["*:c"]}
    engine_host.rest("image_prune", **options, filters={"label": "team"})
    done = engine_host.settle("image_prune", **options)
    assert kinds(done) == ["untag"] * 3
    assert set(done["untagged"]) == {names["a"], names["b"], "docker.io/local/a:too"}
    assert len(done["deleted"]) == len(done["images"]) == 2
    assert {row["cause"] for row in done["images"]} == {"unused"}
    assert engine_host.images() == {names["c"]: made["c"].config.digest}


@with_containers
@pytest.mark.parametrize("is_running", [True, False])
def test_what_a_container_uses_stays_until_the_container_is_gone(
    engine_host: EngineHost, repository: Repository, is_running: bool
) -> None:
    name, free = f"{repository}:used", f"{repository}:free"
    repository.push("used", sleeper())
    put(repository, "free")
    engine_host.do("image_pull", name=[name, free])
    engine_host.use(name, "web", is_running=is_running)
    containers = engine_host.containers()
    done = engine_host.settle("image_prune", all=True)
    assert done["untagged"] == [free]
    assert set(engine_host.images()) == {name}
    assert engine_host.containers() == containers
    engine_host.drop("web")
    engine_host.settle("image_prune", all=True)
    assert engine_host.images() == {}


@pytest.mark.parametrize("engine_host", ["docker"], indirect=True)
def test_docker_loses_what_has_no_tag_any_longer_and_what_it_was_built_on(
    engine_host: DockerHost, repository: Repository
) -> None:
    name = f"{repository}:1"
    old = put(repository, "1")
    engine_host.daemon.cli("pull", name)
    new = put(repository, "1", "2")
    engine_host.daemon.cli("pull", name)
    engine_host.daemon.cli("build", "-", input_bytes=BUILT)
    assert len(engine_host.all_ids()) == 4
    engine_host.rest("image_prune", protect=["*@*"], filters={"label": "step=1"})
    done = engine_host.settle("image_prune")
    assert kinds(done) == ["untag", "drop"]
    assert [(row["action"], row["cause"]) for row in done["images"]] == [("untag", "no tag"), ("drop", "no name")]
    assert done["untagged"] == [f"{repository}@{old.digest}"]
    assert len(done["deleted"]) == 3
    assert engine_host.all_ids() == [new.config.digest]


@pytest.mark.parametrize("engine_host", ["docker"], indirect=True)
def test_docker_keeps_what_an_image_in_use_was_built_on(engine_host: DockerHost, repository: Repository) -> None:
    name = f"{repository}:used"
    repository.push("used", sleeper())
    engine_host.do("image_pull", name=name)
    engine_host.daemon.cli("build", "--tag", "local/app:1", "-", input_bytes=f"FROM {name}\nLABEL a=1\n".encode())
    engine_host.use("local/app:1", "web", is_running=False)
    engine_host.rest("image_prune", all=True)
    engine_host.drop("web")
    done = engine_host.settle("image_prune", all=True)
    assert set(done["untagged"]) == {name, "docker.io/local/app:1"}
    assert engine_host.all_ids() == []


@pytest.mark.parametrize("engine_host", ["podman"], indirect=True)
def test_podman_loses_what_has_no_name(engine_host: PodmanHost, repository: Repository) -> None:
    put(repository, "1")
    engine_host.do("image_pull", name=f"{repository}:1")
    kept = engine_host.images()
    engine_host.podman.cli("build", "--layers", "--file", "-", input_bytes=BUILT)
    before = engine_host.state()
    done = engine_host.settle("image_prune")
    assert kinds(done) == ["drop"]
    assert done["images"][0]["names"] == []
    assert engine_host.state() != before
    assert engine_host.images() == kept
    assert done["images"][0]["id"] in done["deleted"]
    assert all(image.removeprefix("sha256:") not in engine_host.state() for image in done["deleted"])


@pytest.mark.parametrize("engine_host", ["layout"], indirect=True)
def test_a_layout_loses_what_other_tools_put_there_without_a_name(
    engine_host: EngineHost, repository: Repository
) -> None:
    put(repository, "1")
    engine_host.do("image_pull", name=f"{repository}:1")
    store = engine_host.options({})["store"]
    nameless = put(repository, "2")
    command = ["skopeo", "copy", "--quiet", "--src-tls-verify=false", f"docker://{repository}:2", f"oci:{store}"]
    subprocess.run(command, check=True, capture_output=True)
    done = engine_host.settle("image_prune")
    assert kinds(done) == ["drop"]
    assert [row["id"] for row in done["images"]] == done["deleted"] == [nameless.config.digest]
    assert set(engine_host.images()) == {f"{repository}:1"}
