# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context as engines take it: a tar archive, made while it is sent, with the Dockerfile in it.

Ignore rules were applied before. An engine that reads an ignore file again must hide the Dockerfile that is added here,
and nothing that the rules in force leave.
"""

from __future__ import annotations

import io
import os
import typing as t

from .archives import BLOCK
from .layers import tar_content, tar_headers
from .tree import Entry, Tree, join

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.streams import ReadStream
    from .tree import Content, Parts


class Sent(t.NamedTuple):
    """What goes along with the context: the Dockerfile, the name of the ignore file in force, and the time of all.

    ``hidden_by`` is the name of the ignore file that the reader heeds, "" for none. ``is_ignored``: the one in force
    hides the Dockerfile already.
    """

    name: str
    dockerfile: str
    ignore_name: str
    mtime: int
    hidden_by: str
    is_ignored: bool


class _Text(t.NamedTuple):
    """A file that is made here, behind the bytes of another one where there is one."""

    added: bytes
    before: Content | None = None
    before_size: int = 0

    def open(self) -> ReadStream:
        """Return its bytes; the caller closes."""
        return io.BytesIO(self.added) if self.before is None else _Joined(self.before.open(), self.added)


class _Joined:
    """A stream with bytes behind it."""

    def __init__(self, stream: ReadStream, added: bytes) -> None:
        self._stream = stream
        self._added = added

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        chunk = self._stream.read(size)
        if not chunk:
            chunk, self._added = self._added[:size], self._added[size:]
        return chunk

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


def pack_context(tree: Tree, paths: frozenset[Parts] | None, *, sent: Sent) -> Iterator[bytes]:
    """Yield the tar archive of ``paths`` (None: all) in ``tree``, sorted, owned by root.

    Folders come before what is in them; so does every symbolic link that a path may lead through.

    Raises:
        InputError, ConflictError: as the files' ``open``, and context-changed when one changes its size.
    """
    for parts, entry in _entries(tree, paths, sent=sent):
        name = os.fsencode(join(parts)) + (b"/" if entry.kind == "dir" else b"")
        yield tar_headers(name, entry, mtime=sent.mtime)
        yield from tar_content(entry, name=join(parts))
    yield bytes(2 * BLOCK)


def _entries(tree: Tree, paths: frozenset[Parts] | None, *, sent: Sent) -> list[tuple[Parts, Entry]]:
    found = dict(tree.root.walk())
    if paths is not None:
        links = {parts for parts, entry in found.items() if entry.kind == "symlink"}
        wanted = {parts[:length] for parts in paths | links for length in range(1, len(parts) + 1)}
        found = {parts: entry for parts, entry in found.items() if parts in wanted}
    rules = f"{sent.name}\n".encode()
    found[sent.name,] = _file(_Text(sent.dockerfile.encode()))
    if sent.hidden_by:
        theirs = found.get((sent.hidden_by,))
        if theirs is None:
            text = _Text(f"{sent.hidden_by}\n".encode() + rules)
        elif sent.ignore_name == sent.hidden_by and theirs.content is not None:
            text = _Text(b"" if sent.is_ignored else b"\n" + rules, theirs.content, theirs.size)
        else:
            text = _Text(rules)
        found[sent.hidden_by,] = _file(text)
    return sorted(found.items())


def _file(text: _Text) -> Entry:
    return Entry("file", 0o644, size=text.before_size + len(text.added), content=text)
