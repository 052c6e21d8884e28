# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options become an engine: the right one, spoken to by nobody yet, and no other is compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ImagesError,
    InputError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.task import engines as module
from ansible_collections.fleet.images.plugins.module_utils.task.engine_builder import engine_builder
from ansible_collections.fleet.images.plugins.module_utils.task.session import Session
from ansible_collections.fleet.images.tests.support.module import COLLECTIONS
from ansible_collections.fleet.images.tests.unit.task import params

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.plugins.module_utils.task.engines import Opened

ENGINES = ("containerd", "docker", "layout", "podman")
PROGRAM = """
import json, sys
from ansible_collections.fleet.images.plugins.module_utils.task.engines import open_engine
opened = open_engine(json.loads(sys.argv[1]), credentials=lambda reference: None, warn=lambda text: None)
print(opened.engine.name, *sys.modules)
"""


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("DOCKER_", "CONTAINER"))]:
        monkeypatch.delenv(name)


def opened(warnings: list[str] | None = None, **given: t.Any) -> Opened:
    told = warnings if warnings is not None else []
    return module.open_engine(params.common(**given), credentials=lambda reference: None, warn=told.append)


@pytest.mark.parametrize("engine", ENGINES)
def test_only_the_engine_that_is_taken_is_compiled(engine: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(params.common(engine=engine))],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(COLLECTIONS), "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    name, *loaded = answer.stdout.split()
    found = {path.rpartition(".")[2] for path in loaded if ".module_utils.engines." in path} & set(ENGINES)
    assert (name, found) == (engine, {engine})


def test_the_embedded_engine_keeps_its_images_in_its_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    found = opened(engine="layout", store=str(store))
    assert (found.engine.place, found.daemon, found.keeps_index) == (str(store), None, False)
    assert not store.exists()
    assert found.content().names() == []
    assert os.path.dirname(found.scratch()) == str(store)


def test_docker_moves_its_images_itself(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/docker.sock"
    found = opened(engine="docker", docker_host=address)
    assert (found.engine.place, id(found.daemon)) == (address, id(found.engine))
    with pytest.raises(TypeError):
        found.content()
    found.close()
    found.close()


def test_a_docker_that_is_down_is_told_with_how_to_start_it(tmp_path: Path) -> None:
    found = opened(engine="docker", docker_host=f"unix://{tmp_path}/docker.sock")
    with pytest.raises(ImagesError) as caught:
        found.engine.observe()
    assert caught.value.code == "engine-unreachable"
    assert "systemctl start docker" in caught.value.fix and "engine" in caught.value.fix
    found.close()


def test_a_containerd_that_is_down_is_told_with_how_to_start_it(tmp_path: Path) -> None:
    found = opened(engine="containerd", containerd_address=f"{tmp_path}/c.sock", store=str(tmp_path / "store"))
    with pytest.raises(ImagesError) as caught:
        found.engine.observe()
    assert caught.value.code in ("engine-unreachable", "program-missing")
    found.close()


def test_containerd_is_told_apart_by_its_namespace_and_stages_below_the_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    found = opened(engine="containerd", containerd_address="/run/c.sock", namespace="k8s.io", store=str(store))
    assert "/run/c.sock" in found.engine.place and "k8s.io" in found.engine.place
    assert (found.daemon, found.keeps_index, store.exists()) == (None, True, False)
    assert found.content() is found.content()
    assert [path.name for path in store.iterdir()] == ["staging"]
    assert found.scratch().startswith(str(store / "staging"))


def test_podman_moves_its_images_itself(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/podman.sock"
    found = opened(engine="podman", docker_host=address)
    assert (found.engine.name, found.engine.place) == ("podman", address)
    assert id(found.daemon) == id(found.engine)
    found.close()
    found.close()


def test_the_address_in_the_task_chooses_the_engine_and_the_one_of_the_environment_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    assert opened(docker_host=f"unix://{tmp_path}/d.sock").engine.name == "docker"
    assert opened(docker_host=f"unix://{tmp_path}/podman/podman.sock").engine.name == "podman"
    monkeypatch.setenv("DOCKER_HOST", "unix:///d.sock")
    monkeypatch.setenv("CONTAINERD_ADDRESS", "/run/c.sock")
    assert opened(store=str(tmp_path)).engine.name == "layout"


@pytest.mark.parametrize(
    ("address", "error", "code"),
    [
        ("ssh://host", UnsupportedError, "engine-address-unsupported"),
        ("nonsense", InputError, "bad-engine-address"),
        ("tcp://", InputError, "bad-engine-address"),
    ],
)
@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_an_address_that_cannot_be_used_is_told(
    engine: str, address: str, error: type[ImagesError], code: str
) -> None:
    with pytest.raises(error) as caught:
        opened(engine=engine, docker_host=address)
    assert caught.value.code == code


@pytest.mark.parametrize("engine", ENGINES)
def test_tls_of_a_connection_without_network_is_told(engine: str) -> None:
    told: list[str] = []
    opened(told, engine=engine, validate_certs=True)
    (text,) = [text for text in told if text]
    assert text.startswith("validate_certs is about")


def test_tls_over_a_network_is_not_told() -> None:
    told: list[str] = []
    opened(told, engine="docker", docker_host="tcp://192.0.2.1:2376", validate_certs=True)
    assert not any(told)


@pytest.mark.parametrize("engine", ["docker", "podman", "containerd", "layout"])
def test_engines_with_a_daemon_build_themselves(engine: str, tmp_path: Path) -> None:
    session = Session(params.common(engine=engine))
    assert (engine_builder(session) is None) == (session.daemon is None) == (engine in ("containerd", "layout"))
    session.close()


def test_the_store_lies_where_the_user_can_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert module.default_store() == "/var/lib/fleet-images"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert module.default_store() == "/home/me/.local/share/fleet-images"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert module.default_store() == "/data/fleet-images"


def test_a_user_without_a_home_must_name_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    with pytest.raises(InputError) as caught:
        module.default_store()
    assert (caught.value.code, caught.value.subject) == ("no-home", "store")
