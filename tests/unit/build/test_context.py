# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context: what is walked, what is left out, and modes that no umask changes."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.context import normal_mode, walk_context
from ansible_collections.fleet.images.plugins.module_utils.build.ignore import parse_ignore
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, InputError

if t.TYPE_CHECKING:
    from pathlib import Path


def paths(folder: Path, ignored: str = "") -> list[str]:
    context = walk_context(str(folder), parse_ignore(ignored, name="i")[0])
    return ["/".join(parts) for parts, _ in context.tree.root.walk()]


def test_links_are_kept_and_not_followed_and_sockets_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("f")
    (tmp_path / "l").symlink_to("/etc")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(tmp_path)  # a socket's path may be no longer than 108 bytes
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
        assert paths(tmp_path) == ["d", "d/f", "fifo", "l"]


def test_folders_without_end_are_told_unless_they_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "d" / "/".join(["d"] * 510)).mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        paths(tmp_path)
    assert caught.value.code == "context-unreadable"
    assert paths(tmp_path, "d/d") == ["d"]


def test_a_hidden_folder_shows_only_when_something_in_it_was_brought_back(tmp_path: Path) -> None:
    for name in ("a/keep", "a/drop", "b/drop", "c/keep/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert paths(tmp_path, "a\nb\n!**/keep\n") == ["a", "a/keep", "c", "c/keep", "c/keep/x"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (stat.S_IFREG | 0o600, 0o644),
        (stat.S_IFREG | 0o664, 0o644),
        (stat.S_IFREG | 0o700, 0o755),
        (stat.S_IFREG | 0o775, 0o755),
        (stat.S_IFREG | 0o400, 0o444),
        (stat.S_IFREG | 0o4711, 0o4755),
        (stat.S_IFDIR | 0o2775, 0o755),
        (stat.S_IFDIR | 0o1777, 0o1755),
        (stat.S_IFDIR | 0o700, 0o755),
    ],
)
def test_a_mode_is_what_the_owner_may_spread_to_all(mode: int, expected: int) -> None:
    assert normal_mode(mode) == expected


def test_rows_are_sorted_and_hold_the_digest_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("b")
    (tmp_path / "a").symlink_to("b")
    context = walk_context(str(tmp_path), parse_ignore("", name="i")[0])
    rows = context.rows([("b",), ("a",), ("b",)])
    assert [tuple(row) for row in rows] == [
        ("a", "symlink", 0o777, "b", ""),
        ("b", "file", 0o644, "", hashlib.sha256(b"b").hexdigest()),
    ]


@pytest.mark.parametrize("change", ["touched", "replaced", "longer", "gone"])
def test_a_file_that_is_another_when_it_is_read_is_told(tmp_path: Path, change: str) -> None:
    path = tmp_path / "f"
    path.write_text("one")
    context = walk_context(str(tmp_path), parse_ignore("", name="i")[0])
    if change == "touched":
        os.utime(path, (1, 1))
    elif change == "longer":
        path.write_text("longer")
    else:
        path.rename(tmp_path / "old")
    if change == "replaced":
        path.write_text("two")
    with pytest.raises(InputError if change == "gone" else ConflictError) as caught:
        context.rows([("f",)])
    assert caught.value.code == ("context-unreadable" if change == "gone" else "context-changed")
    assert caught.value.subject == str(path)
