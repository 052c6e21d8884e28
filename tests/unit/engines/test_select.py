# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine of a host is the one that is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.select import select_engine
from ansible_collections.fleet.images.plugins.module_utils.model.errors import UnsupportedError


def test_an_engine_that_is_named_is_not_looked_for() -> None:
    assert select_engine("layout", which=lambda program: pytest.fail(f"looked for {program}")) == "layout"


def test_without_an_engine_images_go_into_the_embedded_store() -> None:
    assert select_engine("auto", which=lambda program: None) == "layout"


@pytest.mark.parametrize(
    ("installed", "engine"),
    [
        ({"dockerd", "podman", "containerd"}, "docker"),
        ({"podman", "containerd"}, "podman"),
        ({"containerd"}, "containerd"),
    ],
)
def test_an_installed_engine_is_never_passed_over(installed: set[str], engine: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        select_engine("auto", which=lambda program: f"/usr/bin/{program}" if program in installed else None)
    assert (caught.value.code, caught.value.subject) == ("engine-unsupported", "engine")
    assert caught.value.what.startswith(f"This host has {engine},")


def test_engines_are_found_where_services_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda name, path=None: str(program) if path and name == "podman" else None)
    with pytest.raises(UnsupportedError) as caught:
        select_engine("auto")
    assert caught.value.why == f"{program} is installed"
