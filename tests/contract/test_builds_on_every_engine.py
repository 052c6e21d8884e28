# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds on every engine: announced, done so, at rest; and built again for exactly those changes that matter."""

from __future__ import annotations

import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.contract.build_changes import (
    CHANGES,
    HEREDOC,
    STEP,
    Case,
    write_case,
)
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost
from ansible_collections.fleet.images.tests.support.lifecycle import kinds
from ansible_collections.fleet.images.tests.support.socket_proxy import socket_proxy

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

NAME = "docker.io/team/app:1"
WITH_BUILDER = ["docker", "podman", "rootless-podman"]
WITHOUT_BUILDER = ["layout", "containerd"]
REBUILT = ("an argument that is used", "content of the same size with the same times", "the base's tag moved")


@pytest.fixture
def case(engine_host: EngineHost, repository: Repository, tmp_path: Path) -> Case:
    """Return a build of a stage on a base image, for the engine of the host."""
    return write_case(tmp_path / "context", engine=engine_host.engine, repository=repository)


def build(host: EngineHost, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Announce, build, and run again; fails unless what was announced was done. Digests are known afterwards only."""
    announced = host.announce("image_build", **params)
    done = host.do("image_build", **params)
    unknown = {"digest": "", "id": ""}
    for part in ("images", "actions"):
        first, second = ([{**row, **unknown} for row in result[part]] for result in (announced, done))
        assert first == second
    assert announced["diff"] == done["diff"]
    assert kinds(done) == ["build"]
    host.rest("image_build", **params)
    return done


def test_an_image_is_built_once_and_stays_until_it_is_removed(engine_host: EngineHost, case: Case) -> None:
    done = build(engine_host, case.params)
    assert engine_host.images()[NAME] == done["images"][0]["id"]
    assert done["actions"][0]["builder"] == {"docker": "classic builder", "podman": "podman"}.get(case.engine, "native")
    engine_host.settle("image_rmi", name="team/app:1")
    assert NAME not in engine_host.images()


def test_exactly_those_changes_build_again_that_matter(engine_host: EngineHost, case: Case, tmp_path: Path) -> None:
    build(engine_host, case.params)
    pristine = case.copy(tmp_path / "another-checkout")
    engine_host.rest("image_build", **pristine.params)
    wrong: dict[str, str] = {}
    for change in (change for change in CHANGES if case.engine in change.engines):
        change.apply(case)
        told = engine_host.run("image_build", check=True, **case.params).result
        change.undo(case)
        case.restore(pristine)
        cause = told["images"][0]["cause"] if "images" in told else told["msg"]
        is_right = told.get("changed") == bool(change.cause) and change.cause in cause
        if not is_right:
            wrong[change.name] = cause
    assert wrong == {}


def test_a_change_that_was_announced_is_built_and_then_at_rest(engine_host: EngineHost, case: Case) -> None:
    build(engine_host, case.params)
    for change in (change for change in CHANGES if change.name in REBUILT):
        before = engine_host.images()[NAME]
        change.apply(case)
        done = build(engine_host, case.params)
        assert change.cause in done["actions"][0]["cause"]
        assert engine_host.images()[NAME] != before


def test_a_list_builds_what_later_entries_start_from_and_keeps_their_bases(
    engine_host: EngineHost, case: Case, tmp_path: Path
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "Dockerfile").write_text("FROM team/app:1\nCOPY top.txt /\n", encoding="utf-8")
    (top / "top.txt").write_text("top", encoding="utf-8")
    options = {key: value for key, value in case.params.items() if key != "name"}
    images = [{"image": "team/app:1", "build": options}, {"image": "team/top:1", "build": {"path": str(top)}}]
    done = engine_host.do("image_state", images=images)
    assert kinds(done) == ["build", "build"]
    engine_host.rest("image_state", images=images, unlisted="remove")
    (top / "top.txt").write_text("other", encoding="utf-8")
    done = engine_host.do("image_state", images=images)
    assert [row["image"] for row in done["actions"]] == ["docker.io/team/top:1"]


@pytest.mark.parametrize("engine_host", WITHOUT_BUILDER, indirect=True)
def test_a_step_that_runs_is_built_by_buildah_where_no_engine_builds(
    engine_host: EngineHost, case: Case, needs: t.Callable[..., None]
) -> None:
    needs("buildah")
    case.replace(HEREDOC, STEP)
    params = {**case.params, "secrets": [{"id": "one", "value": "a value of some length"}]}
    done = build(engine_host, params)
    assert done["actions"][0]["builder"] == "buildah"
    again = build(engine_host, {**params, "secrets": [{"id": "two", "value": "a value of some length"}]})
    assert again["actions"][0]["cause"] == "its inputs changed: secrets"


@pytest.mark.parametrize("engine_host", WITHOUT_BUILDER, indirect=True)
def test_an_option_that_nothing_here_heeds_is_refused_before_anything_is_changed(
    engine_host: EngineHost, case: Case
) -> None:
    error = engine_host.refuse("image_build", **{**case.params, "network": "none", "squash": True})
    assert error["code"] == "build-option-unsupported"
    assert "network, squash" in error["msg"]


@pytest.mark.parametrize("engine_host", WITH_BUILDER, indirect=True)
def test_a_secret_that_is_not_there_is_told_by_check_mode_too(engine_host: EngineHost, case: Case) -> None:
    secrets = [{"id": "one", "env": "NOBODY_SET_THIS"}, {"id": "two", "src": "/nowhere/at/all"}]
    error = engine_host.refuse("image_build", **{**case.params, "secrets": secrets})
    assert error["code"] in ("apply-failed", "secret-missing", "build-option-unsupported")


@pytest.mark.parametrize("engine_host", ["docker"], indirect=True)
def test_what_is_built_already_asks_nothing_of_dockers_builder(
    engine_host: EngineHost, case: Case
) -> None:
    if not isinstance(engine_host, DockerHost):
        raise TypeError("the requests of Docker alone are seen")
    build(engine_host, case.params)
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        with socket_proxy(Path(folder) / "s", target=engine_host.daemon.socket) as proxy:
            params = {**case.params, "docker_host": proxy.address}
            assert engine_host.do("image_build", **params)["changed"] is False
        paths = [request.partition("/")[2].partition("?")[0] for request in proxy.requests]
    assert paths
    assert [path for path in paths if "build" in path or "pull" in path or "create" in path] == []
