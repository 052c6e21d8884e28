# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bytes are believed when their size and digest are what was promised, and not before."""

from __future__ import annotations

import itertools
import sys
import typing as t
from collections import deque

from ..model.descriptor import UNKNOWN_SIZE
from ..model.errors import IntegrityError, PeerError
from ..wire.streams import CHUNK, pieces
from .base import DOCUMENT_LIMIT

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from ..model.descriptor import Descriptor
    from ..wire.streams import ReadStream

# Disks take some pieces late, and hashing goes on: eight instead of one save 7 % of a layer of 1 GiB (measured).
_PIECES_BEHIND = 8


class Verifier:
    """Counts and hashes bytes as they pass, then says whether they are what ``descriptor`` promised."""

    def __init__(self, descriptor: Descriptor) -> None:
        """Start with no bytes seen.

        Raises:
            UnsupportedError: unknown-digest-algorithm.
        """
        self._descriptor = descriptor
        self._hasher = descriptor.digest.hasher()
        self.count = 0

    @property
    def expected(self) -> int:
        """Most bytes that may still come."""
        wanted = self._descriptor.size
        return (sys.maxsize - 1 if wanted == UNKNOWN_SIZE else wanted) - self.count

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises:
            IntegrityError: size-mismatch, as soon as there are more bytes than promised.
        """
        self.count += len(piece)
        if self.count > self._descriptor.size != UNKNOWN_SIZE:
            raise size_mismatch(self._descriptor, f"at least {self.count}")
        self._hasher.update(piece)

    def finish(self) -> None:
        """Confirm that the bytes seen are all of the content.

        Raises:
            IntegrityError: size-mismatch or digest-mismatch.
        """
        wanted = self._descriptor
        if self.count != wanted.size != UNKNOWN_SIZE:
            raise size_mismatch(wanted, str(self.count))
        actual = self._hasher.hexdigest()
        if actual != wanted.digest.encoded:
            raise IntegrityError(
                f"The content received for {wanted.digest} is other content",
                code="digest-mismatch",
                why=f"its {self.count} bytes have the digest {wanted.digest.algorithm}:{actual}",
                fix="try again; if it happens again, a proxy, cache or disk on the way damages data: "
                "push the image again or purge the cache",
                subject=str(wanted.digest),
            )


def check_bytes(content: bytes, descriptor: Descriptor) -> None:
    """Confirm that ``content`` is what ``descriptor`` promised.

    Raises:
        IntegrityError: size-mismatch or digest-mismatch.
    """
    verifier = Verifier(descriptor)
    verifier.update(content)
    verifier.finish()


def read_verified(stream: ReadStream, descriptor: Descriptor) -> bytes:
    """Return a document from ``stream``, whole and verified; does not close the stream.

    Raises:
        PeerError: too-large, above DOCUMENT_LIMIT bytes (promised or sent).
        IntegrityError: size-mismatch or digest-mismatch.
    """
    if descriptor.size > DOCUMENT_LIMIT:
        raise _too_large(descriptor, descriptor.size)
    verifier, parts = Verifier(descriptor), []
    for piece in pieces(stream):
        verifier.update(piece)
        if verifier.count > DOCUMENT_LIMIT:
            raise _too_large(descriptor, verifier.count)
        parts.append(piece)
    verifier.finish()
    return b"".join(parts)


def copy_hashing(
    stream: ReadStream, verifier: Verifier, *, write: Callable[[memoryview], None], hash_beside: bool = False
) -> None:
    """Move all bytes of ``stream`` through ``verifier`` into ``write``; closes nothing, does not finish the verifier.

    With ``hash_beside`` a second thread hashes, and may lag a few pieces behind those that are read and written.

    Raises:
        IntegrityError: size-mismatch, when there are more bytes than promised.
    """
    if not hash_beside:
        for piece in _buffered(stream, verifier, buffers=1):
            verifier.update(piece)
            write(piece)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=1) as thread:
        behind: deque[Future[None]] = deque()
        for piece in _buffered(stream, verifier, buffers=_PIECES_BEHIND + 1):
            if len(behind) == _PIECES_BEHIND:
                behind.popleft().result()
            behind.append(thread.submit(verifier.update, piece))
            write(piece)
        for hashed in behind:
            hashed.result()


def size_mismatch(wanted: Descriptor, actual: str) -> IntegrityError:
    """Return the error for content of another size than promised; ``actual`` is a number in words."""
    return IntegrityError(
        f"The content received for {wanted.digest} has the wrong size",
        code="size-mismatch",
        why=f"{actual} bytes instead of {wanted.size}",
        fix="try again; if it happens again, the manifest or the stored content is damaged: push the image again",
        subject=str(wanted.digest),
    )


def _buffered(stream: ReadStream, verifier: Verifier, *, buffers: int) -> Iterator[memoryview]:
    """Yield what ``stream`` gives, from that many buffers in turn; no buffer is larger than what is still expected."""
    read_into: Callable[[memoryview], int] | None = getattr(stream, "readinto", None)
    if read_into is None:
        for piece in pieces(stream):
            yield memoryview(piece)
        return
    # One byte more than expected, so that content that is too long shows.
    length = min(CHUNK, verifier.expected + 1)
    for buffer in itertools.cycle([memoryview(bytearray(length)) for _number in range(buffers)]):
        count = read_into(buffer)
        if not count:
            return
        yield buffer[:count]


def _too_large(descriptor: Descriptor, size: int) -> PeerError:
    return PeerError(
        f"The document {descriptor.digest} is too large",
        code="too-large",
        why=f"{size} bytes, the limit is {DOCUMENT_LIMIT}",
        fix="check that the digest is of a manifest or a config and not of a layer",
        subject=str(descriptor.digest),
    )
