# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engines that cannot be used: stopped, forbidden, too old, or another one. Each is told by its code, with what to do.

Every failure is the same in check mode, for modules that read and modules that change. What fails later is in the
files beside this one: engines that die, disks that fill up, registries that fail.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.forked_module import run_forked
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Repository
from ansible_collections.fleet.images.tests.support.module import run_module
from ansible_collections.fleet.images.tests.support.programs import require, run
from ansible_collections.fleet.images.tests.support.socket_proxy import socket_proxy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.containerd import Containerd
    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.podman import Podman
    from ansible_collections.fleet.images.tests.support.registry import Registry

ENGINES = ["docker", "podman", "containerd"]
START = {
    "docker": "systemctl start docker",
    "podman": "systemctl start podman.socket",
    "containerd": "systemctl start containerd",
}
_STRANGER = 65534

#: One task of every module, by which to see that all of them say the same.
TASKS: dict[str, dict[str, t.Any]] = {
    "image_pull": {"name": "registry.example/a:1"},
    "image_state": {"images": [{"image": "registry.example/a:1"}], "unlisted": "remove"},
    "image_rmi": {"name": "registry.example/a:1"},
    "image_tag": {"name": "registry.example/a:1", "repository": ["local/a:1"]},
    "image_push": {"name": "registry.example/a:1"},
    "image_info": {"name": ["registry.example/a:1"]},
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="engine-") as made:
        yield Path(made)


def at(engine: str, path: Path | str, folder: Path) -> dict[str, t.Any]:
    """Return the options that lead a module to an engine's socket."""
    if engine == "containerd":
        return {"engine": engine, "containerd_address": str(path), "store": str(folder / "store")}
    return {"engine": engine, "docker_host": f"unix://{path}"}


def refusal(options: dict[str, t.Any], *, module: str = "image_pull", **environment: str) -> dict[str, t.Any]:
    """Return the ``error`` and ``msg`` of a module, which must fail in the same way in check mode."""
    params = {**options, "retry": 0, **TASKS[module]}
    told = [run_forked(module, params, check=check, environment=environment).result for check in (True, False)]
    assert told[0].get("failed"), told[0]
    assert told[0] == told[1]
    return {**told[0]["error"], "msg": told[0]["msg"]}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("is_stale", [True, False], ids=["a stale socket", "no socket"])
def test_an_engine_that_is_stopped_is_told_with_how_to_start_it(engine: str, is_stale: bool, folder: Path) -> None:
    path = folder / "s"
    if is_stale:
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(str(path))
    for module in TASKS if is_stale else ("image_pull", "image_info"):
        error = refusal(at(engine, path, folder), module=module)
        assert error["code"] == "engine-unreachable"
        assert START[engine] in error["fix"]
        assert str(path) in error["msg"]
    assert not (folder / "store").exists()


def test_an_installed_engine_that_is_stopped_is_not_passed_over(folder: Path) -> None:
    require("dockerd")
    error = refusal({"engine": "auto"}, DOCKER_HOST=f"unix://{folder}/none")
    assert error["code"] == "engine-unreachable"
    assert START["docker"] in error["fix"]
    assert "engine" in error["fix"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_socket_of_others_is_told_with_who_may_use_it(
    engine: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    require("setpriv")
    if os.geteuid() != 0:
        pytest.skip("root gives the socket to somebody else")
    # A root that may not pass over file modes: as any other user, but it can read this Python and the checkout.
    stranger = folder / "python"
    caps = "--bounding-set=-dac_override,-dac_read_search"
    stranger.write_text(f'#!/bin/sh\nexec setpriv {caps} -- {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
    stranger.chmod(0o755)
    with socket_proxy(folder / "s", target=_socket_of(engine, request)):
        os.chown(folder / "s", _STRANGER, _STRANGER)
        (folder / "s").chmod(0o660)
        params = {**at(engine, folder / "s", folder), "name": ["registry.example/a:1"]}
        for check in (True, False):
            refused = run_module("image_info", params, check=check, python=str(stranger)).result
            assert refused["failed"]
            assert refused["error"]["code"] == "engine-permission"
            assert "become" in refused["error"]["fix"]
        assert run_forked("image_info", params).succeed()["missing"] == ["registry.example/a:1"]


def _socket_of(engine: str, request: pytest.FixtureRequest) -> Path:
    if engine == "docker":
        daemon: Dockerd = request.getfixturevalue("dockerd")
        return daemon.socket
    if engine == "containerd":
        containerd: Containerd = request.getfixturevalue("containerd")
        return Path(containerd.address)
    podman: Podman = request.getfixturevalue("podman")
    service = podman.service()
    opened = service.__enter__()
    request.addfinalizer(lambda: service.__exit__(None, None, None))
    return Path(opened.address.removeprefix("unix://"))


def test_another_engine_than_the_one_that_is_meant_is_told(
    dockerd: Dockerd, podman: Podman, containerd: Containerd, registry: Registry, folder: Path
) -> None:
    with podman.service() as service:
        error = refusal({"engine": "docker", "docker_host": service.address})
        assert (error["code"], error["fix"]) == ("engine-mismatch", "set engine: podman")
    error = refusal({"engine": "podman", "docker_host": dockerd.address})
    assert error["code"] == "engine-mismatch"
    for engine in ("docker", "podman"):
        error = refusal({"engine": engine, "docker_host": f"tcp://{registry.host}"})
        assert error["code"] == "engine-mismatch"
        assert "docker_host" in error["fix"]
        error = refusal(at(engine, containerd.address, folder))
        assert error["code"] in ("engine-connection-lost", "engine-not-http")


@pytest.mark.parametrize("engine", ["podman", "containerd"])
def test_a_client_that_is_not_installed_or_does_not_run_is_told(
    engine: str, containerd: Containerd, podman: Podman, folder: Path
) -> None:
    options: dict[str, t.Any] = {"engine": engine}
    if engine == "containerd":
        options = at(engine, containerd.address, folder)
    error = refusal({**options, "executable": str(folder / "none")}, **podman.environment)
    assert error["code"] == "program-missing"
    assert str(folder / "none") in error["msg"]
    error = refusal({**options, "executable": shutil.which("false")}, **podman.environment)
    assert error["code"] == ("engine-failed" if engine == "containerd" else "podman-service-failed")
    (folder / "text").write_text("no program\n", encoding="utf-8")
    error = refusal({**options, "executable": str(folder / "text")}, **podman.environment)
    assert error["code"] == "program-not-runnable"


@pytest.mark.parametrize("engine_host", ["docker"], indirect=True)
def test_a_docker_that_is_too_old_for_an_option_is_told_and_serves_all_else(
    engine_host: EngineHost, repository: Repository
) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    repository.push("1", make_index([foreign, ours]))
    name = f"{repository}:1"
    error = engine_host.refuse("image_pull", name=name, platform=FOREIGN, api_version="1.30")
    assert error["code"] == "engine-too-old"
    assert FOREIGN in error["msg"]
    assert "platform" in error["fix"]
    engine_host.settle("image_pull", name=name, api_version="1.30")
    engine_host.rest("image_pull", name=name, platform=HOST, api_version="1.30")
    engine_host.settle("image_tag", name=name, repository=["local/a:1"], api_version="1.30")
    engine_host.settle("image_rmi", name=[name, "local/a:1"], api_version="1.30")
    assert engine_host.images() == {}
    for version, words in (("1.99", "1.41"), ("1.10", "1.24")):
        error = engine_host.refuse("image_pull", name=name, api_version=version)
        assert error["code"] == "engine-too-old"
        assert words in error["msg"]
    assert engine_host.refuse("image_pull", name=name, api_version="new")["code"] == "bad-input"


def test_the_socket_of_a_stranger_is_tested_by_somebody_without_its_rights() -> None:
    """Root may open every file; the test above is worth nothing where dropping that right does not work."""
    require("setpriv")
    if os.geteuid() != 0:
        pytest.skip("root gives the file to somebody else")
    with tempfile.NamedTemporaryFile() as secret:
        os.chown(secret.name, _STRANGER, _STRANGER)
        run(["cat", secret.name])
        with pytest.raises(AssertionError, match="Permission denied"):
            run(["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--", "cat", secret.name])
