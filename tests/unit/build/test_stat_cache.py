# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stat cache: spares reading, is never wrong, and is not missed when it is gone."""

from __future__ import annotations

import os
import time
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build import context as context_module
from ansible_collections.fleet.images.plugins.module_utils.build.changes import FileChanges
from ansible_collections.fleet.images.plugins.module_utils.build.context import walk_context
from ansible_collections.fleet.images.plugins.module_utils.build.ignore import IgnoreRules
from ansible_collections.fleet.images.plugins.module_utils.build.inputs import rows_digest
from ansible_collections.fleet.images.plugins.module_utils.build.stat_cache import StatCache
from ansible_collections.fleet.images.tests.unit.build.conftest import Workshop

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "FROM scratch\nCOPY . /\n"


def later() -> int:
    """Return a time at which what was written by now is old."""
    return time.time_ns() + 10**10


class Kept:
    """A context folder with a cache beside it, opened anew each time as by another run."""

    def __init__(self, folder: Path) -> None:
        self.hashed: list[str] = []
        self.read: list[str] = []
        self.folder = folder / "context"
        self.folder.mkdir()
        self.file = folder / "cache" / "x.context"
        (self.folder / "a").write_text("a")
        (self.folder / "b").write_text("b")
        (self.folder / "l").symlink_to("a")

    def cache(self, clock: Callable[[], int] = later) -> StatCache:
        return StatCache(str(self.file), clock=clock)

    def digest(self, clock: Callable[[], int] = later) -> str:
        """Return what the cache says, after checking it against the files."""
        context = walk_context(str(self.folder), IgnoreRules())
        paths = [parts for parts, _entry in context.tree.root.walk()]
        fresh = walk_context(str(self.folder), IgnoreRules())
        digest = self.cache(clock).digest(context, paths)
        assert digest == rows_digest(fresh.rows(paths))
        self.read = sorted(path for path in self.hashed[: -len(fresh.digests) or None])
        self.hashed.clear()
        return digest


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    real = context_module._hash
    kept = Kept(tmp_path)

    def hash_and_tell(entry: t.Any) -> str:
        kept.hashed.append(os.path.basename(entry.content.path))
        return real(entry)

    monkeypatch.setattr(context_module, "_hash", hash_and_tell)
    return kept


def write_later(path: Path, content: str) -> None:
    """Write ``content`` when the files' clock has moved on, and keep the time of the content."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_text(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_did_not_change_is_not_read_again(kept: Kept) -> None:
    before = kept.digest()
    assert kept.read == ["a", "b"]
    assert kept.digest() == before
    assert kept.read == []


def test_only_what_changed_is_read(kept: Kept) -> None:
    before = kept.digest()
    write_later(kept.folder / "a", "c")
    after = kept.digest()
    assert kept.read == ["a"]
    assert after != before


@pytest.mark.parametrize("change", ["mode", "link", "renamed", "new", "gone", "swapped"])
def test_every_other_change_is_seen(kept: Kept, change: str) -> None:
    before = kept.digest()
    if change == "mode":
        (kept.folder / "a").chmod(0o755)
    elif change == "link":
        (kept.folder / "l").unlink()
        (kept.folder / "l").symlink_to("b")
    elif change == "renamed":
        (kept.folder / "a").rename(kept.folder / "c")
    elif change == "new":
        (kept.folder / "c").mkdir()
    elif change == "gone":
        (kept.folder / "a").unlink()
    else:
        (kept.folder / "a").rename(kept.folder / "c")
        (kept.folder / "b").rename(kept.folder / "a")
        (kept.folder / "c").rename(kept.folder / "b")
    assert kept.digest() != before


def test_what_was_written_a_moment_ago_is_not_trusted(kept: Kept) -> None:
    first = kept.digest(time.time_ns)
    before = (kept.folder / "a").stat()
    (kept.folder / "a").write_text("c")
    os.utime(kept.folder / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    second = kept.digest(time.time_ns)
    assert second != first
    assert kept.read == ["a", "b"]


def test_times_of_the_future_are_not_trusted(kept: Kept) -> None:
    future = time.time_ns() + 10**12
    os.utime(kept.folder / "a", ns=(future, future))
    kept.digest()
    kept.digest()
    assert kept.read == ["a"]


def test_a_touched_file_is_read_and_gives_the_same(kept: Kept) -> None:
    before = kept.digest()
    os.utime(kept.folder / "a", (1, 1))
    assert kept.digest() == before
    assert kept.read == ["a"]


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_cache_with_any_byte_changed_counts_as_none(kept: Kept, part: str) -> None:
    kept.digest()
    good = kept.file.read_bytes()
    line = good.index(b"\n") + 1
    places = range(0, line, 7) if part == "head" else range(line, len(good), 7)
    for place in places:
        raw = bytearray(good)
        raw[place] ^= 1
        kept.file.write_bytes(raw)
        if part == "body":
            write_later(kept.folder / "b", "b")
        kept.digest()
        assert kept.read == ["a", "b"]
        kept.file.write_bytes(good)


@pytest.mark.parametrize("raw", [b"", b"\n", b"{}", b"x" * 100, b"\xff\xfe\n"])
def test_a_cache_that_is_something_else_counts_as_none(kept: Kept, raw: bytes) -> None:
    kept.file.parent.mkdir()
    kept.file.write_bytes(raw)
    kept.digest()
    assert kept.read == ["a", "b"]
    kept.digest()
    assert kept.read == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_cache_of_another_user_counts_as_none(kept: Kept) -> None:
    kept.digest()
    os.chown(kept.file, 12345, 12345)
    kept.digest()
    assert kept.read == ["a", "b"]


def test_a_cache_that_cannot_be_written_is_no_failure(kept: Kept) -> None:
    kept.file.parent.write_text("no folder")
    kept.digest()
    assert kept.read == ["a", "b"]
    kept.file.parent.unlink()
    kept.file.mkdir(parents=True)
    kept.digest()
    assert [path.name for path in kept.file.parent.iterdir()] == [kept.file.name]


def test_only_the_latest_contexts_are_remembered(kept: Kept) -> None:
    kept.file.parent.mkdir()
    for number in range(70):
        old = kept.file.parent / f"{number:02d}.context"
        old.write_text("")
        os.utime(old, (number, number))
    kept.digest()
    left = sorted(path.name for path in kept.file.parent.iterdir())
    assert left == [*(f"{number:02d}.context" for number in range(7, 70)), kept.file.name]


def test_a_build_names_the_files_that_changed_since_an_image_was_built(workshop: Workshop, tmp_path: Path) -> None:
    workshop.write({"a": "a", "d/b": "b", "other": "o", ".dockerignore": "other"})
    cache = str(tmp_path / "cache")
    labels = workshop.config(workshop.build(TEXT, cache_folder=cache))["config"]["Labels"]
    before = workshop.load(TEXT, cache_folder=cache).inputs_key({}).fields
    assert labels["images.fleet.build.key"] == workshop.load(TEXT).inputs_key({}).key
    (workshop.context / "a").write_text("c")
    (workshop.context / "d/b").rename(workshop.context / "d/c")
    (workshop.context / "other").write_text("p")
    expected = FileChanges(("a",), ("d/c",), ("d/b",))
    for _run in range(2):
        assert workshop.load(TEXT, cache_folder=cache).file_changes(before) == expected
    short = {"context": before["context"][:19]}
    assert workshop.load(TEXT, cache_folder=cache).file_changes(short) == expected
    assert workshop.load(TEXT, cache_folder=cache).file_changes({"context": "sha256:0"}) is None
    assert workshop.load(TEXT).file_changes(before) is None
    assert workshop.load(TEXT, cache_folder=cache).inputs_key({}) == workshop.load(TEXT).inputs_key({})
