# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Seeing how far pulls are while they run. Nothing of this is done unless somebody watches."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..plan.actions import Pull
    from .transfer import Stream


class Watch(t.Protocol):
    """Sees how far pulls are. Several threads tell it, often: it is quick, and never raises."""

    def begin(self, pulls: Sequence[Pull]) -> None:
        """Learn what will be fetched."""

    def hear(self, part: str, count: int | None, /) -> None:
        """Learn that ``count`` bytes of a blob are there, or with None that it was there before.

        ``part`` are the hex digits of its digest, or the first 12 of them, by which daemons call a layer.
        """

    def end(self, pull: Pull) -> None:
        """Learn that an image is complete."""


class WatchedStream:
    """Implements Stream; tells how far it is read."""

    def __init__(self, stream: Stream, watch: Watch, *, part: str, offset: int) -> None:
        self._stream = stream
        self._watch = watch
        self._part = part
        self._at = offset

    def read(self, size: int, /) -> bytes:
        """See Stream."""
        piece = self._stream.read(size)
        self._at += len(piece)
        self._watch.hear(self._part, self._at)
        return piece

    def close(self) -> None:
        """See Stream."""
        self._stream.close()
