# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tar archives of our own making, put back into files where a program wants a folder."""

from __future__ import annotations

import io
import os
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def unpack(archive: Iterable[bytes], folder: str) -> None:
    """Make ``folder`` and unpack a tar ``archive`` into it as it comes. Only for archives that were made here.

    Raises:
        OSError: a file cannot be written.
        ImagesError: what ``archive`` raises.
    """
    import tarfile

    os.mkdir(folder)
    reader = io.BufferedReader(_Pieces(iter(archive)), 1 << 20)
    with tarfile.open(fileobj=reader, mode="r|") as tar:
        # Ours, so there is nothing to filter; the usual filter changes modes and refuses absolute links.
        tar.extraction_filter = lambda member, _path: member
        tar.extractall(folder)  # noqa: S202


class _Pieces(io.RawIOBase):
    """A file whose content comes in pieces."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        while not self._rest:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
