# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar archives, compressed or not: listed by streaming once, unpacked to a spool only when a file in them is copied."""

from __future__ import annotations

import contextlib
import io
import math
import typing as t

from ..model.errors import IntegrityError, UnsupportedError
from ..wire.streams import CHUNK, pieces
from .spools import Spool, spooling

if t.TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator

    from ..model.descriptor import Descriptor
    from ..model.errors import ImagesError
    from ..wire.streams import OpenAt, ReadStream

_MAGICS = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\x00", "zstd": b"\x28\xb5\x2f\xfd"}
_PEEK = 512
BLOCK = 512
"""Bytes of a tar header."""
_ID_LIMIT = 2**32 - 1  # of user and group IDs in Linux; the last one means none
_DEVICE_LIMIT = 8**7  # what a plain header holds; Linux has less
_ENDS = 8  # empty reads that tarfile may need to see that an archive is over


class Archive:
    """One archive. ``open_at`` opens its stored bytes; ``damaged`` makes the error for what is no tar archive.

    With ``verify`` every pass over the stored bytes ends in a check against that descriptor, and files are read from
    bytes that passed it. Spools are made in ``folder`` and are closed by ``close``.
    """

    def __init__(
        self,
        open_at: OpenAt,
        *,
        folder: str | None,
        damaged: Callable[[str], ImagesError],
        verify: Descriptor | None = None,
    ) -> None:
        self._open_at = open_at
        self._folder = folder
        self._damaged = damaged
        self._verify = verify
        self._spool: t.IO[bytes] | None = None

    def close(self) -> None:
        """Give back the spool. Idempotent."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def members(self) -> Iterator[tarfile.TarInfo]:
        """Yield every member in order; its ``offset_data`` counts in the uncompressed archive.

        Raises:
            ImagesError: what ``damaged`` makes; IntegrityError digest-mismatch; UnsupportedError for zstd without
                the library.
        """
        import tarfile

        stored = _Verified(self._open_at(0), self._verify)
        try:
            plain = t.cast("t.IO[bytes]", _Ending(self._plain(stored)))
            with tarfile.open(fileobj=plain, mode="r|", errorlevel=1) as tar:
                for info in tar:
                    _refuse_impossible(info)
                    yield info
            stored.finish()
        except _damages() as error:
            # A wrong digest explains a damaged archive better than the damage does.
            stored.finish()
            raise self._damaged(str(error)) from error
        finally:
            stored.close()

    def content(self, info: tarfile.TarInfo) -> ArchiveFile:
        """Return the bytes of a member that ``members`` yielded."""
        return ArchiveFile(self, info.offset_data, info.size, info.name, info.sparse is not None)

    def open_member(self, member: ArchiveFile) -> ReadStream:
        """Return a member's bytes; the caller closes.

        Raises:
            UnsupportedError: sparse-file; otherwise as ``members``.
        """
        if member.is_sparse:
            raise UnsupportedError(
                f"The sparse file {member.name} of an archive cannot be copied",
                code="sparse-file",
                fix="pack it without the sparse option",
                subject=member.name,
            )
        return Spool(self.unpacked(), member.offset, member.size).open()

    def unpacked(self) -> t.IO[bytes]:
        """Return the spool with the uncompressed archive; it stays the archive's. Raises as ``members``."""
        if self._spool is None:
            stored = _Verified(self._open_at(0), self._verify)
            with contextlib.closing(stored), spooling(self._folder) as spool:
                try:
                    plain = self._plain(stored)
                    for chunk in pieces(plain):
                        spool.write(chunk)
                except _damages() as error:
                    stored.finish()
                    raise self._damaged(str(error)) from error
                stored.finish()
            self._spool = spool.file
        return self._spool

    def _plain(self, stored: _Verified) -> t.IO[bytes]:
        buffered = io.BufferedReader(stored, CHUNK)
        return _decompressed(buffered, compression_of(buffered.peek(_PEEK)))


class ArchiveFile(t.NamedTuple):
    """The bytes of one file in an archive."""

    archive: Archive
    offset: int
    size: int
    name: str
    is_sparse: bool

    def open(self) -> ReadStream:
        """Return them from their start; the caller closes."""
        return self.archive.open_member(self)


def compression_of(start: bytes) -> str:
    """Return the name of the compression that bytes starting like ``start`` have; empty for none."""
    return next((name for name, magic in _MAGICS.items() if start.startswith(magic)), "")


def looks_like_tar(open_at: OpenAt) -> bool:
    """Tell whether the bytes are a tar archive with a member in it, compressed or not.

    Raises:
        UnsupportedError: zstd-missing, when they are zstd and the library for it is not there.
    """
    import tarfile

    stored = _Verified(open_at(0), None)
    try:
        buffered = io.BufferedReader(stored, CHUNK)
        plain = _decompressed(buffered, compression_of(buffered.peek(_PEEK)))
        header = plain.read(BLOCK)
        tarfile.TarInfo.frombuf(header, tarfile.ENCODING, "surrogateescape")
    except _damages():
        return False
    finally:
        stored.close()
    return True


def _decompressed(stream: t.Any, compression: str) -> t.IO[bytes]:
    if compression == "gzip":
        import gzip

        return t.cast("t.IO[bytes]", gzip.GzipFile(fileobj=stream, mode="rb"))
    if compression == "bzip2":
        import bz2

        return bz2.BZ2File(stream, "rb")
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(stream, "rb")
    plain: t.IO[bytes] = stream
    return _zstd(plain) if compression == "zstd" else plain


def _zstd(stream: t.IO[bytes]) -> t.IO[bytes]:
    try:
        import zstandard
    except ImportError as error:
        raise UnsupportedError(
            "An archive compressed with zstd cannot be read",
            code="zstd-missing",
            why="the Python library zstandard is not installed",
            fix="install zstandard for the Python that runs the module, or use gzip",
        ) from error
    reader: t.IO[bytes] = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    return reader


class _Ending:
    """A stream for ``tarfile``, which would skip what a header promises by reading for hours beyond the end."""

    def __init__(self, stream: t.IO[bytes]) -> None:
        self._stream = stream
        self._ends = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes; EOFError when somebody goes on after the end."""
        chunk = self._stream.read(size)
        self._ends = 0 if chunk else self._ends + 1
        if self._ends > _ENDS:
            raise EOFError("it ends before its members do")
        return chunk


def _refuse_impossible(info: tarfile.TarInfo) -> None:
    """Do nothing if each number and name of ``info`` can be one of a file.

    Raises:
        ValueError: one cannot; it says which.
    """
    limits = {
        "uid": (info.uid, _ID_LIMIT),
        "gid": (info.gid, _ID_LIMIT),
        "device": (max(info.devmajor, info.devminor), _DEVICE_LIMIT),
        "size": (info.size, 2**63),
    }
    for what, (number, limit) in limits.items():
        if not 0 <= number < limit:
            raise ValueError(f"{info.name!r} has the {what} {number}")
    if not abs(info.mtime) < math.inf:  # this way round for what is no number
        raise ValueError(f"{info.name!r} has the time {info.mtime}")
    if "\0" in info.name + info.linkname:
        raise ValueError(f"{info.name!r} has a zero byte in a name")


def _damages() -> tuple[type[Exception], ...]:
    """What reading bytes that are no such archive raises. Opening errors are the opener's and pass through."""
    import gzip
    import lzma
    import tarfile
    import zlib

    # RecursionError: tarfile reads each header before a member by a call of its own, however many there are.
    known = (
        *(tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile),
        *(EOFError, OSError, ValueError, RecursionError),
    )
    try:
        import zstandard
    except ImportError:
        return known
    return (*known, zstandard.ZstdError)


class _Verified(io.RawIOBase):
    """A stream as a Python file that hashes what passes, for readers that want one."""

    def __init__(self, stream: ReadStream, expected: Descriptor | None) -> None:
        super().__init__()
        self._stream = stream
        self._expected = expected
        self._hasher = expected.digest.hasher() if expected is not None else None

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: t.Any, /) -> int:
        """Fill ``buffer`` with the next bytes."""
        chunk = self._stream.read(len(buffer))
        if self._hasher is not None:
            self._hasher.update(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def finish(self) -> None:
        """Read what is left, and check the digest of it all.

        Raises:
            IntegrityError: digest-mismatch.
        """
        if self._hasher is None or self._expected is None:
            return
        for chunk in pieces(self._stream):
            self._hasher.update(chunk)
        if self._hasher.hexdigest() != self._expected.digest.encoded:
            raise IntegrityError(
                "A layer of a base image is not what its digest promised",
                code="digest-mismatch",
                why=f"expected {self._expected.digest}, got {self._hasher.hexdigest()}",
                fix="pull the base image again",
                subject=str(self._expected.digest),
            )

    def close(self) -> None:
        """Close the stream beneath."""
        if not self.closed:
            self._stream.close()
        super().close()
