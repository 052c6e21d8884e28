# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that the engines' own clients made, without a digest, a name or a registry: read, named, pushed, removed."""

from __future__ import annotations

import io
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, EngineHost, PodmanHost
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import HOST

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository
    from ansible_collections.fleet.images.tests.support.podman import Podman


def context(dockerfile: str) -> bytes:
    """Return the archive of a build's context with this Dockerfile alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile)
        archive.addfile(member, io.BytesIO(dockerfile.encode()))
    return buffer.getvalue()


@pytest.fixture(params=["docker", "podman"])
def host(request: pytest.FixtureRequest, repository: Repository, tmp_path: Path) -> EngineHost:
    """Return a host with localhost/made:1, which its own client built, the nameless one before it, and its base."""
    repository.push("base", make_image({"v": b"base"}, platform=HOST))
    first, second = (f"FROM {repository}:base\nLABEL number={number}\n" for number in (1, 2))
    if request.param == "docker":
        daemon: Dockerd = request.getfixturevalue("dockerd")
        docker = DockerHost(daemon)
        for text in (first, second):
            daemon.cli("build", "-q", "-t", "localhost/made:1", "-", input_bytes=context(text))
        return docker
    storage: Podman = request.getfixturevalue("podman")
    host = PodmanHost(storage)
    storage.pull(repository.registry, f"{repository.path}:base")
    for text in (first, second):
        (tmp_path / "Dockerfile").write_text(text, encoding="utf-8")
        storage.cli("build", "-q", "-t", "localhost/made:1", str(tmp_path))
    return host


def test_nameless_and_built_images_are_told_in_detail(host: EngineHost) -> None:
    rows = host.do("image_info", detail=True)["images"]
    assert [] in [row["names"] for row in rows]
    for row in rows:
        assert row["platform"] == HOST
        assert row["layers"]
        (found,) = host.do("image_info", name=row["id"][7:21])["images"]
        assert (found["id"], found["names"]) == (row["id"], row["names"])
    numbers = {row["labels"].get("number") for row in rows}
    assert {"1", "2"} <= numbers


def test_a_built_image_is_pushed_once_and_again_when_the_tag_moved(host: EngineHost, repository: Repository) -> None:
    push = {"name": "localhost/made:1", "repository": [f"{repository}:pushed"]}
    assert host.announce("image_push", **push)["changed"] is True
    assert host.do("image_push", **push)["changed"] is True
    pushed = repository.digest("pushed")
    for options in (push, {"name": f"{repository}:pushed"}):
        host.rest("image_push", **options)
    other = make_image({"v": b"other"}, platform=HOST)
    repository.push("pushed", other)
    assert host.do("image_push", name=f"{repository}:pushed")["changed"] is True
    assert repository.digest("pushed") == pushed
    repository.push("pushed", other)
    host.settle("image_pull", name=f"{repository}:pushed")
    assert host.images()[f"{repository}:pushed"] == other.config.digest


def test_a_built_image_rests_is_tagged_and_goes_like_any_other(host: EngineHost, repository: Repository) -> None:
    host.rest("image_pull", name="localhost/made:1", pull="missing")
    host.settle("image_tag", name="localhost/made:1", repository=["local/further:1"])
    host.settle("image_state", images=[{"image": f"{repository}:base"}], unlisted="remove")
    assert set(host.images()) == {f"{repository}:base"}


def test_a_list_of_manifests_that_podman_made_does_not_hide_the_other_images(
    podman: Podman, repository: Repository
) -> None:
    repository.push("1", make_image(platform=HOST))
    host = PodmanHost(podman)
    podman.pull(repository.registry, f"{repository.path}:1")
    podman.cli("manifest", "create", "localhost/list:1")
    run = host.run("image_info", detail=True)
    rows = {name: row for row in run.succeed()["images"] for name in row["names"]}
    assert rows[f"{repository}:1"]["layers"]
    assert "layers" not in rows["localhost/list:1"]
    assert "localhost/list:1 comes without config" in str(run.result["warnings"])
    host.settle("image_rmi", name="localhost/list:1")
