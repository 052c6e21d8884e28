# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The storage of one build: where overlay does not work, and what was left mounted in it."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.buildah_storage import BuildahStorage
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.wire.time_limit import TimeLimit
from ansible_collections.fleet.images.tests.support.programs import require, run

if t.TYPE_CHECKING:
    from pathlib import Path

ENDLESS = TimeLimit(None, subject="a build")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


@needs_root
def test_what_is_left_mounted_in_it_goes_with_it(tmp_path: Path) -> None:
    with BuildahStorage(str(tmp_path), limit=ENDLESS) as storage:
        place = storage.path("tmp")
        run(["mount", "-t", "tmpfs", "none", place])
        assert os.path.ismount(place)
    with open("/proc/self/mounts", encoding="utf-8") as stream:
        assert [row for row in stream if str(tmp_path) in row] == []
    assert list(tmp_path.iterdir()) == []


def test_where_overlay_cannot_be_used_files_are_copied(tmp_path: Path) -> None:
    require("buildah")
    with BuildahStorage(str(tmp_path), limit=ENDLESS) as storage:
        os.mkdir(storage.path("root"))
        with open(storage.path("root", "overlay"), "w", encoding="ascii"):
            pass  # where the driver wants its folder
        told = storage.run("info", "--format", "{{.store.GraphDriverName}}")
    assert (told.status, told.stdout.decode().strip()) == (0, "vfs")


def test_an_image_that_is_not_there_cannot_be_exported(tmp_path: Path) -> None:
    require("buildah")
    with BuildahStorage(str(tmp_path), limit=ENDLESS) as storage, pytest.raises(PeerError) as caught:
        storage.export("0" * 64)
    assert (caught.value.code, list(tmp_path.iterdir())) == ("engine-build-failed", [])


def test_nobody_else_may_enter_it_and_credentials_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/root/secrets.json")
    with BuildahStorage(str(tmp_path), limit=ENDLESS) as storage:
        (folder,) = tmp_path.iterdir()
        assert (folder.stat().st_mode & 0o777, storage.path("a")) == (0o700, str(folder / "a"))
        assert (folder / "config.json").read_text(encoding="utf-8") == "{}"
