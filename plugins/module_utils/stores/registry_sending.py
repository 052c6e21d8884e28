# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of one blob on their way out, in parts that may repeat, verified before the last of them leaves."""

from __future__ import annotations

import contextlib
import typing as t

from ..wire.streams import CHUNK
from .verify import Verifier, size_mismatch

if t.TYPE_CHECKING:
    from ..model.descriptor import Descriptor
    from ..wire.streams import OpenAt, ReadStream


class Sender:
    """Opens parts of one blob and hashes each byte once, whichever parts are sent again. Not thread-safe."""

    def __init__(self, descriptor: Descriptor, open_at: OpenAt) -> None:
        """Send the blob ``descriptor`` from ``open_at``.

        Raises:
            UnsupportedError: unknown-digest-algorithm.
        """
        self._descriptor = descriptor
        self._open_at = open_at
        self._verifier = Verifier(descriptor)

    def check_nothing(self) -> None:
        """Confirm that there are no bytes, for a blob of size 0: what has no body cannot be held back on its way.

        Raises:
            IntegrityError: size-mismatch or digest-mismatch.
        """
        with contextlib.closing(self.part(0, 0)) as part:
            part.finish()

    def part(self, start: int, length: int) -> Part:
        """Return the bytes from ``start``; the caller closes. Parts follow each other or go back, but leave no gap."""
        return Part(
            self._open_at(start), descriptor=self._descriptor, verifier=self._verifier, start=start, length=length
        )


class Part:
    """Implements ReadStream: exactly ``length`` bytes, or an error before the last of them."""

    def __init__(
        self, stream: ReadStream, *, descriptor: Descriptor, verifier: Verifier, start: int, length: int
    ) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._verifier = verifier
        self._at = start
        self._end = start + length

    def read(self, size: int, /) -> bytes:
        """See ReadStream.

        Raises:
            IntegrityError: size-mismatch or digest-mismatch, before the last bytes of the blob are given out.
        """
        if self._at >= self._end:
            return b""
        piece = self._stream.read(min(size, self._end - self._at, CHUNK))
        if not piece:
            raise size_mismatch(self._descriptor, str(self._at))
        unseen = self._verifier.count - self._at
        self._at += len(piece)
        if unseen < len(piece):
            self._verifier.update(memoryview(piece)[max(unseen, 0) :])
        if self._at == self._descriptor.size:
            self.finish()
        return piece

    def close(self) -> None:
        """See ReadStream."""
        self._stream.close()

    def finish(self) -> None:
        """Confirm that all bytes of the blob were seen and are right.

        Raises:
            IntegrityError: size-mismatch or digest-mismatch.
        """
        surplus = self._stream.read(1)
        if surplus:
            raise size_mismatch(self._descriptor, f"at least {self._at + 1}")
        self._verifier.finish()
