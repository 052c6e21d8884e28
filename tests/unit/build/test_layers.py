# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers: any tar reader reads them, and the same entries give the same bytes."""

from __future__ import annotations

import io
import os
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.layers import changed_entries, write_layer
from ansible_collections.fleet.images.plugins.module_utils.build.steps import Inline
from ansible_collections.fleet.images.plugins.module_utils.build.tree import FOLDER, Entry, Tree
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, UnavailableError
from hypothesis import given, settings
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from pathlib import Path

names = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..") and not name.startswith(".wh.")
)
paths = st.lists(names, min_size=1, max_size=4).map(tuple)
rows = st.dictionaries(
    paths,
    st.tuples(
        st.binary(max_size=1500), st.integers(0, 0o7777), st.integers(0, 2**40), st.integers(0, 2**33), st.booleans()
    ),
    max_size=8,
)


def file(content: bytes, **fields: t.Any) -> Entry:
    return Entry(**{"kind": "file", "mode": 0o644, "size": len(content), "content": Inline(content), **fields})


def tar_bytes(entries: t.Iterable[tuple[tuple[str, ...], Entry]], epoch: int = 0) -> bytes:
    layer = write_layer(entries, epoch=epoch, folder=None)
    with layer.spool.file as raw:
        raw.seek(0)
        content = raw.read()
    assert layer.descriptor.size == len(content)
    assert layer.descriptor.digest == Digest.of(content)
    return content


@settings(max_examples=60, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_changes_does_not_change_the_bytes_and_tarfile_reads_them(
    files: dict[tuple[str, ...], tuple[bytes, int, int, int, bool]], random: t.Any
) -> None:
    prefixes = {path[:length] for path in files for length in range(1, len(path))}
    wanted = {path: row for path, row in files.items() if path not in prefixes}
    results = []
    for _ in range(2):
        order = list(wanted)
        random.shuffle(order)
        tree = Tree()
        for path in order:
            content, mode, uid, gid, is_link = wanted[path]
            entry = Entry("symlink", 0o777, uid, gid, link_target="/".join(path)) if is_link else None
            tree.put(path, entry or file(content, mode=mode, uid=uid, gid=gid))
        results.append(tar_bytes(changed_entries(tree, order)))
    assert results[0] == results[1]
    found = {}
    with tarfile.open(fileobj=io.BytesIO(results[0]), encoding="utf-8") as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isreg() else None
            body = stream.read() if stream is not None else b""
            found[tuple(info.name.split("/"))] = (body, info.mode, info.uid, info.gid, info.issym())
            assert not info.issym() or info.linkname == info.name
    for path, (content, mode, uid, gid, is_link) in wanted.items():
        assert found[path] == ((b"", 0o777, uid, gid, True) if is_link else (content, mode, uid, gid, False))
    assert set(found) == set(wanted) | {path[:length] for path in wanted for length in range(1, len(path))}


def test_every_kind_is_written_as_tar_knows_it() -> None:
    kinds: list[tuple[tuple[str, ...], Entry]] = [
        (("b",), Entry("block", 0o600, device=(8, 1))),
        (("c",), Entry("char", 0o666, device=(1, 3))),
        (("d",), FOLDER._replace(mode=0o1777)),
        (("f",), Entry("fifo", 0o600)),
        (("x",), file(b"", xattrs={"user.a": "1\n=\udcff"})),
    ]
    with tarfile.open(fileobj=io.BytesIO(tar_bytes(kinds))) as tar:
        b, c, d, f, x = tar.getmembers()
    assert (b.isblk(), b.devmajor, b.devminor) == (True, 8, 1)
    assert (c.ischr(), c.devmajor, c.devminor) == (True, 1, 3)
    assert (d.isdir(), d.mode) == (True, 0o1777)
    assert f.isfifo()
    assert x.pax_headers["SCHILY.xattr.user.a"] == "1\n=\udcff"


def test_a_name_that_is_no_text_survives() -> None:
    name = os.fsdecode(b"\xff\xfe" * 60)
    with tarfile.open(fileobj=io.BytesIO(tar_bytes([((name,), file(b"x"))]))) as tar:
        assert tar.getnames() == [name]


def test_the_second_name_of_an_entry_is_a_hard_link_only_if_it_was_one() -> None:
    plain, linked = file(b"p"), file(b"l", is_linked=True)
    entries = [(("a",), plain), (("b",), plain), (("c",), linked), (("d",), linked)]
    with tarfile.open(fileobj=io.BytesIO(tar_bytes(entries))) as tar:
        assert [(info.name, info.linkname) for info in tar] == [("a", ""), ("b", ""), ("c", ""), ("d", "c")]


@pytest.mark.parametrize("size", [1, 5])
def test_a_file_of_another_size_than_it_had_is_a_conflict(size: int) -> None:
    with pytest.raises(ConflictError) as caught:
        write_layer([(("a",), file(b"xyz", size=size))], epoch=0, folder=None)
    assert caught.value.code == "context-changed"


def test_a_folder_for_temporary_files_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        write_layer([], epoch=0, folder=str(tmp_path / "none"))
    assert caught.value.code == "build-disk"


def test_parents_come_with_the_attributes_they_have() -> None:
    tree = Tree()
    tree.put(("tmp",), FOLDER._replace(mode=0o1777))
    tree.put(("tmp", "x"), file(b""))
    tree.put(("other",), file(b""))
    assert [(parts, entry.mode) for parts, entry in changed_entries(tree, {("tmp", "x"), ("gone",)})] == [
        (("tmp",), 0o1777),
        (("tmp", "x"), 0o644),
    ]
