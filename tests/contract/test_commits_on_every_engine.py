# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images from containers, on Docker and Podman: announced, made, and made again only when the container is another."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.contract.test_life_of_an_image import sleeper
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, PodmanHost
from ansible_collections.fleet.images.tests.support.lifecycle import Repository, kinds

Host = t.Union[DockerHost, PodmanHost]
NAME = "local/kept:1"
KEY = "images.fleet.commit.key"


def cli(host: Host, *words: str) -> str:
    """Run the engine's own client."""
    engine = host.daemon if isinstance(host, DockerHost) else host.podman
    return engine.cli(*words).decode().strip()


def again(host: Host, **params: t.Any) -> dict[str, t.Any]:
    """Announce, commit, and commit again; fails unless it was announced, changed, and lasted."""
    announced = host.announce("image_commit", **params)
    done = host.do("image_commit", **params)
    assert kinds(announced) == kinds(done) == ["build"]
    assert announced["changed"] is done["changed"] is True
    assert announced["images"][0]["digest"] == ""
    host.rest("image_commit", **params)
    return done


@pytest.mark.parametrize("engine_host", ["docker", "podman"], indirect=True)
def test_an_image_is_made_again_when_the_container_or_the_task_says_something_else(
    engine_host: Host, repository: Repository
) -> None:
    base = f"{repository}:base"
    repository.push("base", sleeper())
    engine_host.do("image_pull", name=base)
    engine_host.use(base, "setup", is_running=True)
    containers = engine_host.containers()
    options: dict[str, t.Any] = {"container": "setup", "name": NAME}
    done = again(engine_host, **options)
    assert done["actions"][0]["builder"] == engine_host.engine
    first = engine_host.images()[f"docker.io/{NAME}"]
    assert done["images"][0]["id"].endswith(first.removeprefix("sha256:"))

    cli(engine_host, "exec", "setup", "/bin/busybox", "touch", "/made")
    assert "its inputs changed" in again(engine_host, **options)["actions"][0]["cause"]
    cli(engine_host, "exec", "setup", "/bin/busybox", "sh", "-c", "echo once > /made")
    again(engine_host, **options)

    changes = ['CMD ["/bin/busybox", "cat", "/made"]', "ENV MODE=production"]
    options.update(change=changes, author="Ann", commit_message="by hand")
    again(engine_host, **options)
    assert engine_host.containers() == containers
    assert cli(engine_host, "run", "--rm", "--network", "none", NAME).endswith("once")
    settings = cli(engine_host, "image", "inspect", "--format", "{{.Config.Env}} {{.Author}} {{.Comment}}", NAME)
    assert "MODE=production" in settings
    assert settings.endswith("Ann by hand")
    (row,) = engine_host.do("image_info", name=[NAME])["images"]
    assert len(row["labels"][KEY]) == 64
    engine_host.drop("setup")
    error = engine_host.refuse("image_commit", **options)
    assert (error["class"], error["code"]) == ("NotFoundError", "container-not-found")


@pytest.mark.parametrize("engine_host", ["layout", "containerd"], indirect=True)
def test_without_containers_to_commit_the_engine_is_told(engine_host: t.Any) -> None:
    error = engine_host.refuse("image_commit", container="setup", name=NAME)
    assert error["code"] == "commit-unsupported"


@pytest.mark.parametrize("engine_host", ["layout"], indirect=True)
def test_all_mistakes_are_told_at_once(engine_host: t.Any) -> None:
    error = engine_host.refuse(
        "image_commit",
        container="../../images/json?all=1",
        name=f"a@sha256:{'0' * 64}",
        change=["RUN true", "ENV A=1", "CMD a\nUSER b", "EXPOSE web", "USER", "SHELL [\"sh\"]"],
    )
    wrong = ["name", "container", "change[0]", "change[2]", "change[3]", "change[4]", "change[5]"]
    assert [problem["path"] for problem in error["problems"]] == wrong
