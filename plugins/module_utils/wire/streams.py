# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Streams: bytes that are read once, front to back, in pieces that do not grow with what they are of."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1024 * 1024
"""Bytes per read: smaller ones cost more system calls and waits for the interpreter lock than they save memory."""


class ReadStream(t.Protocol):
    """Bytes that can be read once, front to back. Whoever opened it closes it."""

    def read(self, size: int, /) -> bytes:
        """Return 1 to ``size`` bytes, ``b""`` at the end. May raise any ImagesError, and nothing else."""

    def close(self) -> None:
        """Free what the stream holds. Idempotent."""


if t.TYPE_CHECKING:
    OpenAt = Callable[[int], ReadStream]
    """Opens the bytes of one blob from an offset in bytes, >= 0. The writer chooses the offset (resume) and closes.

    May be called more than once: a writer that finds its kept part damaged starts again at 0.
    """


def pieces(stream: ReadStream) -> Iterator[bytes]:
    """Yield all that ``stream`` gives, at most CHUNK bytes at a time; does not close it."""
    while piece := stream.read(CHUNK):
        yield piece
