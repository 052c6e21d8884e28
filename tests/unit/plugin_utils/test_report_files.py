# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports replace each other whole, whatever hosts said."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.plugin_utils.report_files import write_file

if t.TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_and_everybody_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "report.md"
    for text in ("one", "zwölf"):
        write_file(str(path), text)
        assert path.read_text(encoding="utf-8") == text
        assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_half_a_character_of_a_host_stops_no_report(tmp_path: Path) -> None:
    write_file(str(tmp_path / "report.md"), "web1: \ud83d")
    assert (tmp_path / "report.md").read_text() == "web1: ?"


def test_a_place_that_cannot_be_written_is_told_and_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "report.md").mkdir()
    with pytest.raises(InputError) as caught:
        write_file(str(tmp_path / "report.md"), "text")
    assert (caught.value.code, caught.value.subject) == ("report-unwritable", "dest")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
