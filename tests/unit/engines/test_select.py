# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine of a host is the one that is installed."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.select import select_engine

if t.TYPE_CHECKING:
    from pathlib import Path

ALL = {"dockerd", "podman", "containerd"}


def selected(installed: set[str], wanted: str = "auto", *, address: str = "") -> str:
    """Return the engine of a host on which these programs are installed."""
    return select_engine(wanted, address=address, which=lambda name: f"/usr/bin/{name}" if name in installed else None)


def test_an_engine_that_is_named_is_not_looked_for() -> None:
    for engine in ("docker", "podman", "containerd", "layout"):
        assert select_engine(engine, which=lambda program: pytest.fail(f"looked for {program}")) == engine


def test_an_engine_that_is_named_is_taken_whatever_address_is_given() -> None:
    assert selected(ALL, "docker", address="unix:///run/podman/podman.sock") == "docker"


def test_without_an_engine_images_go_into_the_embedded_store() -> None:
    assert selected(set()) == "layout"


@pytest.mark.parametrize(
    ("installed", "engine"),
    [
        (ALL, "docker"),
        ({"dockerd", "containerd"}, "docker"),
        ({"podman", "containerd"}, "podman"),
        ({"podman"}, "podman"),
        ({"containerd"}, "containerd"),
    ],
)
def test_an_installed_engine_is_never_passed_over(installed: set[str], engine: str) -> None:
    assert selected(installed) == engine


@pytest.mark.parametrize("installed", [ALL, {"dockerd"}, {"containerd"}, set(), {"dockerd", "podman"}])
def test_an_address_in_the_task_means_docker(installed: set[str]) -> None:
    assert selected(installed, address="tcp://192.0.2.1:2375") == "docker"


def test_an_address_means_podman_where_podman_stands_in_for_docker() -> None:
    assert selected({"podman"}, address="unix:///var/run/docker.sock") == "podman"
    assert selected({"podman", "containerd"}, address="tcp://192.0.2.1:2375") == "podman"


@pytest.mark.parametrize("address", ["unix:///run/user/1000/podman/podman.sock", "/run/podman/podman.sock"])
@pytest.mark.parametrize("installed", [ALL, set()])
def test_the_socket_of_podman_means_podman(installed: set[str], address: str) -> None:
    assert selected(installed, address=address) == "podman"


def test_engines_are_found_where_services_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name, path=None: str(program) if path and name == "podman" else None)
    assert select_engine("auto") == "podman"
