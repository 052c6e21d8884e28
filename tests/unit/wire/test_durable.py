# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced in one step."""

from __future__ import annotations

import stat
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.durable import PARTIAL, replacing

if t.TYPE_CHECKING:
    from pathlib import Path


def test_a_file_has_its_new_content_and_mode_after_the_block_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(str(path), mode=0o640) as file:
        file.write(b"new")
        file.flush()
        (draft,) = tmp_path.glob(f".file.*{PARTIAL}")
        assert (path.read_text(), draft.read_text()) == ("old", "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(str(path), mode=0o600) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
