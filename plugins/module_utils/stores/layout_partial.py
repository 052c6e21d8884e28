# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Receiving one blob into a partial file: resumed where the last attempt stopped, verified from its first byte."""

from __future__ import annotations

import contextlib
import io
import os
import typing as t

from ..model.descriptor import UNKNOWN_SIZE
from ..model.errors import IntegrityError
from .layout_files import disk_full, explained, free_bytes, write_all
from .verify import Verifier, copy_hashing

if t.TYPE_CHECKING:
    from pathlib import Path

    from ..model.descriptor import Descriptor
    from ..wire.streams import OpenAt

_WINDOW = 16 * 1024 * 1024  # saves an eighth of the time of a layer of 1 GiB (measured)


class PartialFile(t.NamedTuple):
    """An open, locked file that holds the first bytes of a blob, or none yet."""

    handle: int
    path: Path
    descriptor: Descriptor
    hash_beside: bool

    def receive(self, open_at: OpenAt) -> None:
        """Fetch what is not there yet and verify the whole.

        What an earlier attempt left may be damaged: a loss of power keeps the length and forgets the bytes. So if the
        whole does not verify, it is fetched once more from 0.

        Raises:
            IntegrityError: digest-mismatch or size-mismatch, of bytes that were all fetched now.
            ConflictError: disk-full.
        """
        kept = os.fstat(self.handle).st_size
        if kept:
            with contextlib.suppress(IntegrityError):
                self._complete(open_at, kept)
                return
        self._complete(open_at, 0)

    def _complete(self, open_at: OpenAt, kept: int) -> None:
        verifier = Verifier(self.descriptor)
        with explained(self.path):
            os.ftruncate(self.handle, kept)
            os.lseek(self.handle, 0, os.SEEK_SET)
            if kept:
                copy_hashing(io.FileIO(self.handle, closefd=False), verifier, write=_keep)
        missing = self.descriptor.size - kept
        if missing or self.descriptor.size == UNKNOWN_SIZE:
            with explained(self.path):
                has_room = missing <= free_bytes(self.path)
            if not has_room:
                raise disk_full(self.path, missing)
            with contextlib.closing(open_at(kept)) as stream:
                copy_hashing(stream, verifier, write=self._append, hash_beside=self.hash_beside)
        verifier.finish()

    def _append(self, piece: memoryview) -> None:
        with explained(self.path, needed=len(piece)):
            write_all(self.handle, piece)
        _write_back(self.handle, len(piece))


def _write_back(handle: int, fresh: int) -> None:
    """Let the disk start on a window that the last ``fresh`` bytes made full; else all of it waits for fsync.

    Pages that are being written stay in memory, whatever the advice is called.
    """
    end = os.lseek(handle, 0, os.SEEK_CUR)
    full = end - end % _WINDOW
    if full > end - fresh and hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(handle, full - _WINDOW, _WINDOW, os.POSIX_FADV_DONTNEED)


def _keep(piece: memoryview) -> None:
    """Leave bytes where they are."""
