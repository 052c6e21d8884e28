# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives are opened only where they are files, and replaced beside tasks that do the same."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError
from ansible_collections.fleet.images.plugins.module_utils.task.archive_files import opened, replace

if t.TYPE_CHECKING:
    from pathlib import Path

LEFT = ".images.tar.a1b2c3d4.partial"


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "images.tar")
    with pytest.raises(ConflictError, match="no regular file"), opened(str(tmp_path / "images.tar")):
        pass


def test_what_a_killed_task_left_goes_and_what_another_writes_stays(tmp_path: Path) -> None:
    young = tmp_path / LEFT.replace("a1", "z9")
    for path in (tmp_path / LEFT, young, tmp_path / "mine.partial"):
        path.write_bytes(b"x")
    for path in (tmp_path / LEFT, tmp_path / "mine.partial"):
        os.utime(path, (0, 0))
    replace(str(tmp_path / "images.tar"), [b"one", b"two"])
    assert (tmp_path / "images.tar").read_bytes() == b"onetwo"
    assert {path.name for path in tmp_path.iterdir()} == {"images.tar", young.name, "mine.partial"}


def test_what_another_task_removed_meanwhile_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda _folder: [LEFT])
    replace(str(tmp_path / "images.tar"), [b"one"])
    assert (tmp_path / "images.tar").read_bytes() == b"one"
