# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes of one blob as a registry sends them, from an offset."""

from __future__ import annotations

import re
import typing as t

from ..model.descriptor import UNKNOWN_SIZE
from ..model.errors import PeerError, UnavailableError
from ..wire.redact import redact_url
from ..wire.streams import CHUNK

if t.TYPE_CHECKING:
    from ..model.descriptor import Descriptor
    from ..wire.answers import Answer

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")


def range_header(descriptor: Descriptor, offset: int) -> dict[str, str]:
    """Return the header that asks for the bytes from ``offset``; none where the answer would be all or nothing.

    Asked from the end, docker-registry 2.8.2 announces more bytes than it sends and the connection hangs.
    """
    if offset <= 0 or offset >= descriptor.size:
        return {}
    return {"Range": f"bytes={offset}-"}


class BlobStream:
    """Implements ReadStream over an answer. Not verified; knows when the bytes end too early."""

    def __init__(self, answer: Answer, descriptor: Descriptor, *, offset: int) -> None:
        """Take over ``answer``, to a request for all bytes or for those from ``offset``.

        Raises:
            PeerError: bad-range, when the answer has other bytes than were asked for; it is closed then.
        """
        self.answer = answer
        self._left = descriptor.size - offset if descriptor.size != UNKNOWN_SIZE else None
        # Who asked for a part and gets the whole starts over: what comes before the part is thrown away.
        self._ahead = offset
        if answer.status == 206:
            self._ahead = 0
        if answer.status == 416 or (answer.status == 206 and not _is_exactly(answer, descriptor, offset=offset)):
            answer.close()
            raise _bad_range(answer, offset)

    def read(self, size: int, /) -> bytes:
        """See ReadStream.

        Raises:
            UnavailableError: connection-broken, timed-out, too-slow: open again from where this stream ended.
        """
        while self._ahead:
            skipped = self.answer.read(min(self._ahead, CHUNK))
            if not skipped:
                raise _ended_early(self.answer, self._ahead)
            self._ahead -= len(skipped)
        piece = self.answer.read(size)
        if self._left is not None:
            self._left -= len(piece)
            if not piece and self._left > 0:
                raise _ended_early(self.answer, self._left)
        return piece

    def close(self) -> None:
        """See ReadStream."""
        self.answer.close()


def _is_exactly(answer: Answer, descriptor: Descriptor, *, offset: int) -> bool:
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None or not offset:
        return False
    first, last, total = (int(number) for number in found.groups())
    return first == offset and total == descriptor.size and last == total - 1


def _bad_range(answer: Answer, offset: int) -> PeerError:
    subject = redact_url(answer.url)
    given = answer.headers.get("Content-Range", "none")[:80]
    return PeerError(
        f"{subject} does not give the part that was asked for",
        code="bad-range",
        why=f"asked from byte {offset}, answered with {answer.status} and Content-Range {given!r}",
        fix="remove the partial download, or go round the proxy or cache between this host and the registry",
        subject=subject,
    )


def _ended_early(answer: Answer, missing: int) -> UnavailableError:
    subject = redact_url(answer.url)
    return UnavailableError(
        f"The connection to {subject} broke",
        code="connection-broken",
        why=f"the content ended {missing} bytes early",
        fix="try again; if it happens again, look for a proxy or load balancer that cuts long transfers",
        subject=subject,
    )
