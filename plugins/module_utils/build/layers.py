# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers: the same entries give the same bytes, whoever builds them, wherever and with whatever Python.

Layers are plain tar, media type ``application/vnd.oci.image.layer.v1.tar``. Compressed bytes differ between versions of
zlib (and zlib-ng, which newer systems ship under the same name), so a compressed layer would have another digest on
another machine; and not compressing is the fastest. Every engine and registry takes plain layers. The headers are
written here and not by ``tarfile``, whose bytes for the same file changed between Python versions.

Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header"; OCI image-spec v1.1 layer.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t

from ..model.descriptor import Descriptor
from ..model.digest import Digest
from ..model.errors import ConflictError, UnsupportedError
from ..model.media_types import OCI_LAYER
from ..wire.streams import pieces
from .archives import BLOCK
from .spools import Spool, spooling
from .tree import join
from .unpacking import WHITEOUT

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .spools import SpoolWriter
    from .tree import Entry, Parts, Tree

_TYPES = {"file": b"0", "symlink": b"2", "char": b"3", "block": b"4", "dir": b"5", "fifo": b"6"}
_HARD_LINK = b"1"
_PAX = b"x"
_PAX_NAME = b"././@PaxHeader"


class Layer(t.NamedTuple):
    """A layer in a temporary file that the caller closes; its descriptor's digest is its diff ID too."""

    descriptor: Descriptor
    spool: Spool


def changed_entries(tree: Tree, changed: Iterable[Parts]) -> list[tuple[Parts, Entry]]:
    """Return what a layer must hold so that ``changed`` is as in ``tree``: with all parents, in the order of the tar.

    Parents come with the attributes they have: engines that unpack a layer by itself would make them up otherwise.
    """
    wanted = {parts[:length] for parts in changed for length in range(1, len(parts) + 1)}
    found = ((parts, tree.find(parts)) for parts in sorted(wanted))
    return [(parts, node.entry) for parts, node in found if node is not None]


def write_layer(entries: Iterable[tuple[Parts, Entry]], *, epoch: int, folder: str | None) -> Layer:
    """Return the layer that holds ``entries``, parents before what is in them, times no later than ``epoch``.

    Each file is read once; memory does not grow with sizes. The temporary file lies in ``folder``.

    Raises:
        ConflictError: context-changed, when a file ends early.
        UnsupportedError: whiteout-name, for a name that layers reserve.
        ImagesError: as the contents' ``open``.
    """
    with spooling(folder) as writer:
        tar = _Tar(writer)
        for parts, entry in entries:
            tar.add(parts, entry, mtime=min(entry.mtime, epoch))
        tar.emit(bytes(2 * BLOCK))
    digest = Digest("sha256", tar.hasher.hexdigest())
    return Layer(Descriptor(OCI_LAYER, digest, tar.size), Spool(writer.file, 0, tar.size))


class _Tar:
    """A tar archive in the making; its end is the caller's."""

    def __init__(self, writer: SpoolWriter) -> None:
        self._writer = writer
        self._names: dict[int, bytes] = {}
        self.hasher = hashlib.sha256()
        self.size = 0

    def emit(self, chunk: bytes) -> None:
        """Write ``chunk``, counted and hashed."""
        self.hasher.update(chunk)
        self._writer.write(chunk)
        self.size += len(chunk)

    def add(self, parts: Parts, entry: Entry, *, mtime: int) -> None:
        """Write one entry; a second name of the same entry becomes a hard link to the first."""
        if parts[-1].startswith(WHITEOUT):
            raise UnsupportedError(
                f"/{join(parts)} cannot be in an image",
                code="whiteout-name",
                why=f"in layers, names that start with {WHITEOUT} mean the removal of a file",
                fix="rename it or list it in the ignore file",
                subject=join(parts),
            )
        name = os.fsencode(join(parts)) + (b"/" if entry.kind == "dir" else b"")
        twin = self._names.setdefault(id(entry), name) if entry.is_linked else name
        self.emit(tar_headers(name, entry, mtime=mtime, twin_of=twin if twin != name else b""))
        if twin == name:
            for chunk in tar_content(entry, name=join(parts)):
                self.emit(chunk)


def tar_content(entry: Entry, *, name: str) -> Iterator[bytes]:
    """Yield the bytes of a file as they stand in a tar archive, filled up to whole blocks; of anything else nothing.

    Raises:
        ConflictError: context-changed, when there are fewer or more than ``entry`` says; as its content's ``open``.
    """
    if entry.content is None:
        return
    left = entry.size
    with contextlib.closing(entry.content.open()) as stream:
        for chunk in pieces(stream):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    if left:
        raise ConflictError(
            f"A file changed its size during the build: {name}",
            code="context-changed",
            fix="run again when nothing writes into the context",
            subject=name,
        )
    yield bytes(-entry.size % BLOCK)


def tar_headers(name: bytes, entry: Entry, *, mtime: int, twin_of: bytes = b"") -> bytes:
    """Return the header blocks of one entry, a second name of ``twin_of`` where that is given.

    What a plain header cannot say goes into an extended one before it.
    """
    link = twin_of or os.fsencode(entry.link_target)
    size = 0 if twin_of or entry.kind != "file" else entry.size
    extended: dict[str, bytes] = {}
    for key, text in (("path", name), ("linkpath", link)):
        if len(text) > 100 or not text.isascii():
            extended[key] = text
    for key, number, limit in (("uid", entry.uid, 8**7), ("gid", entry.gid, 8**7), ("size", size, 8**11)):
        if number >= limit:
            extended[key] = str(number).encode()
    for attribute, value in entry.xattrs.items():
        extended[f"SCHILY.xattr.{attribute}"] = value.encode("utf-8", "surrogateescape")
    kind = _HARD_LINK if twin_of else _TYPES[entry.kind]
    header = _block(
        name,
        numbers=(entry.mode, entry.uid % 8**7, entry.gid % 8**7, size % 8**11, max(0, mtime)),
        kind=kind,
        link=link,
        device=entry.device,
    )
    return _extended_header(extended) + header if extended else header


def _extended_header(values: dict[str, bytes]) -> bytes:
    body = b"".join(_record(key.encode(), values[key]) for key in sorted(values))
    header = _block(_PAX_NAME, numbers=(0o644, 0, 0, len(body), 0), kind=_PAX, link=b"", device=(0, 0))
    return header + body + bytes(-len(body) % BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    """Return ``length key=value`` where the length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(rest) + len(str(length)) != length:
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _block(
    name: bytes, *, numbers: tuple[int, int, int, int, int], kind: bytes, link: bytes, device: tuple[int, int]
) -> bytes:
    """Return one header block; ``numbers`` are mode, uid, gid, size and mtime."""
    start = name[:100].ljust(100, b"\0") + b"%07o\0%07o\0%07o\0%011o\0%011o\0" % numbers
    middle = b"".join((kind, link[:100].ljust(100, b"\0"), b"ustar\x0000", bytes(64), b"%07o\0%07o\0" % device))
    checksum = sum(start) + sum(middle) + 8 * ord(" ")
    return (start + b"%06o\0 " % checksum + middle).ljust(BLOCK, b"\0")
