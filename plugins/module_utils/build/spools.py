# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are read by position, and temporary ones that are written once before that."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

from ..model.digest import Digest
from ..model.errors import UnavailableError
from ..wire.streams import pieces

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.streams import ReadStream


class Spool(t.NamedTuple):
    """Part of a file, read by position: any number of readers at once."""

    file: t.IO[bytes]
    offset: int
    size: int

    @classmethod
    def of(cls, file: t.IO[bytes]) -> Spool:
        """Return the whole of a file."""
        return cls(file, 0, os.fstat(file.fileno()).st_size)

    def peek(self, size: int) -> bytes:
        """Return the first bytes, ``size`` at most."""
        with contextlib.closing(self.open()) as stream:
            return stream.read(size)

    def digest(self, algorithm: str) -> Digest:
        """Return the digest of these bytes."""
        hasher = Digest(algorithm, "").hasher()
        with contextlib.closing(self.open()) as stream:
            for chunk in pieces(stream):
                hasher.update(chunk)
        return Digest(algorithm, hasher.hexdigest())

    def open(self) -> ReadStream:
        """Return these bytes from their start; the caller closes."""
        return self.open_at(0)

    def open_at(self, offset: int) -> ReadStream:
        """Return these bytes from ``offset``; the caller closes."""
        return _Slice(self.file.fileno(), offset=self.offset + offset, size=self.size - offset)


class SpoolWriter:
    """A new temporary file in ``folder`` that is written once."""

    def __init__(self, folder: str | None) -> None:
        try:
            self.file: t.IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (``spooling`` or its user closes)
        except OSError as error:
            raise _spool_error(error, folder) from error
        self._folder = folder

    def write(self, chunk: bytes) -> None:
        """Add ``chunk``.

        Raises:
            UnavailableError: build-disk.
        """
        try:
            self.file.write(chunk)
        except OSError as error:
            raise _spool_error(error, self._folder) from error

    def finish(self) -> None:
        """Make all that was written readable by position.

        Raises:
            UnavailableError: build-disk.
        """
        try:
            self.file.flush()
        except OSError as error:
            raise _spool_error(error, self._folder) from error


@contextlib.contextmanager
def spooling(folder: str | None) -> Iterator[SpoolWriter]:
    """Yield a new temporary file; after the block it stays open and can be read, after a failure it is gone.

    Raises:
        UnavailableError: build-disk, when the folder cannot take it.
    """
    with contextlib.ExitStack() as stack:
        writer = SpoolWriter(folder)
        stack.callback(writer.file.close)
        yield writer
        writer.finish()
        stack.pop_all()


def _spool_error(error: OSError, folder: str | None) -> UnavailableError:
    return UnavailableError(
        "A temporary file cannot be used",
        code="build-disk",
        why=f"{error.strerror or error}, in {folder or tempfile.gettempdir()}",
        fix="free some space there; layers and archives are unpacked there for a while",
        subject=folder or tempfile.gettempdir(),
    )


class _Slice:
    """A range of a file, read by position so that the file's own position does not matter."""

    def __init__(self, descriptor: int, *, offset: int, size: int) -> None:
        self._descriptor = descriptor
        self._at = offset
        self._end = offset + size

    def read(self, size: int, /) -> bytes:
        """Return the next bytes.

        Raises:
            UnavailableError: build-disk.
        """
        try:
            chunk = os.pread(self._descriptor, max(0, min(size, self._end - self._at)), self._at)
        except OSError as error:
            raise _spool_error(error, None) from error
        self._at += len(chunk)
        return chunk

    def close(self) -> None:
        """Nothing to free: the file belongs to who made it."""
