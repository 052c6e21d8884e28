# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One answer of a registry: status, headers, and a body that is counted while it is read."""

from __future__ import annotations

import re
import time
import typing as t

from ..model.errors import PeerError, UnavailableError, deadline_passed
from ..model.media_types import without_parameters
from .faults import connection_broken, fault
from .redact import redact_url
from .streams import CHUNK, pieces

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DRAIN = 64 * 1024
_ENOUGH = 256 * 1024  # gathered bytes with which a read returns: what four streams lose when killed stays at 1 MiB
_NUMBER = re.compile(r"[0-9]{1,19}")
_PATIENCE = 0.25  # seconds for which pieces are gathered before a read returns with what it has


class Pace(t.NamedTuple):
    """The slowest body that is waited for: ``rate`` bytes per second, averaged over ``window`` seconds of waiting.

    ``window`` is also the longest silence. ``until``: the moment of ``clock`` at which everything is given up.
    """

    rate: float
    window: float
    until: float | None = None
    clock: Callable[[], float] = time.monotonic


class Answer:
    """Status, headers (names in any case) and body. Not thread-safe. A context manager that closes.

    A body that is not read to its end is closed with the connection; one that is gives the connection back.
    """

    def __init__(self, response: t.Any, *, method: str, url: str, pace: Pace, release: Callable[[], None]) -> None:
        """Wrap the HTTP library's ``response``; ``release`` is called once the body is done with."""
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.method = method
        self.url = url
        self.attempts = 1  # how often it was asked for
        self._response = response
        self._raw = response.raw
        self._pace = pace
        self._release = release
        self._waited = 0.0
        self._arrived = 0
        self._is_open = True
        self._left = self.header_number("Content-Length")
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            self._left = None
        if method == "HEAD":
            self._left = 0

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, lower-case; empty if there is none."""
        return without_parameters(self.headers.get("Content-Type", ""))

    def header_number(self, name: str) -> int | None:
        """Return the whole number that a header holds, None if it is missing or anything else."""
        text = self.headers.get(name, "").strip()
        # not isdigit(): a raised 2 is a digit to it and none to int()
        return int(text) if _NUMBER.fullmatch(text) else None

    def header_values(self, name: str) -> list[str]:
        """Return every value of a header that may come several times."""
        values: list[str] = self._raw.headers.getlist(name)
        return values

    def read(self, size: int = CHUNK, /) -> bytes:
        """Return 1 to ``size`` bytes of the body as they were sent, ``b""`` at the end.

        Raises:
            UnavailableError: connection-broken, when the body ends before its Content-Length; timed-out; too-slow.
        """
        if not self._is_open:
            return b""
        parts: list[bytes] = []
        wanted, began = size, self._pace.clock()
        while wanted > 0:
            piece = self._read_some(wanted)
            if not piece:
                break
            parts.append(piece)
            wanted -= len(piece)
            if size - wanted >= _ENOUGH or self._pace.clock() - began > _PATIENCE:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def body(self, limit: int) -> bytes:
        """Return the rest of the body and close.

        Raises:
            PeerError: too-large, above ``limit`` bytes. UnavailableError: as ``read``.
        """
        with self:
            parts, size = [], 0
            for piece in pieces(self):
                size += len(piece)
                if size > limit:
                    raise PeerError(
                        f"The answer of {redact_url(self.url)} is too large",
                        code="too-large",
                        why=f"more than {limit} bytes",
                        fix="check that the address is a container registry",
                        subject=redact_url(self.url),
                    )
                parts.append(piece)
            return b"".join(parts)

    def beginning(self, limit: int) -> bytes:
        """Return up to ``limit`` bytes of the body, as many as can be had without failing, and close."""
        with self:
            parts: list[bytes] = []
            left = limit
            try:
                while left > 0 and (piece := self.read(left)):
                    parts.append(piece)
                    left -= len(piece)
            except UnavailableError:
                pass
            return b"".join(parts)

    def close(self) -> None:
        """Finish with the body: a short rest is read so that the connection can be used again. Idempotent."""
        if not self._is_open:
            return
        if self._left is not None and self._left <= _DRAIN:
            try:
                while self.read(_DRAIN):
                    pass
            except UnavailableError:
                pass
        self._finish()

    def _read_some(self, size: int) -> bytes:
        if not self._is_open:
            return b""
        from http.client import HTTPException

        from urllib3.exceptions import HTTPError

        began = self._pace.clock()
        try:
            # read() waits for all bytes it was asked for, so a trickle holds it for hours; read1() takes what is there
            read1 = getattr(self._raw, "read1", None)
            piece: bytes = read1(size, decode_content=False) if read1 is not None else self._read_below(size)
        except (HTTPError, HTTPException, OSError) as error:
            self._finish()
            raise fault(error, self.url) from error
        self._count(len(piece or b""), self._pace.clock() - began)
        return piece or b""

    def _read_below(self, size: int) -> bytes:
        """Do what read1() does, for a urllib3 before 2.1: its inside is the one of a finished version and stays so."""
        if self._left is not None:
            size = min(size, self._left)  # Python before 3.12 does not count here and would wait for the next answer
        piece: bytes = self._raw._original_response.read1(size) if size else b""
        return piece

    def _count(self, size: int, seconds: float) -> None:
        if self._left is not None:
            self._left -= size
        if not size and self._left:
            self._finish()
            raise connection_broken(
                redact_url(self.url), f"the body ended {self._left} bytes before its Content-Length"
            )
        if not size or self._left == 0:
            self._finish(is_whole=True)
            return
        if self._pace.until is not None and self._pace.clock() > self._pace.until:
            self._finish()
            raise deadline_passed(redact_url(self.url))
        self._arrived += size
        self._waited += seconds
        if self._waited < self._pace.window:
            return
        if self._arrived < self._pace.rate * self._waited:
            arrived, waited = self._arrived, self._waited
            self._finish()
            raise _too_slow(redact_url(self.url), arrived=arrived, waited=waited)
        self._arrived, self._waited = 0, 0.0

    def _finish(self, *, is_whole: bool = False) -> None:
        """Let go of the connection; it is used again when the body ``is_whole``."""
        self._is_open = False
        original = getattr(self._raw, "_original_response", None)
        if is_whole and original is not None:
            original.close()
            self._raw.release_conn()
        self._response.close()
        self._release()


def _too_slow(subject: str, *, arrived: int, waited: float) -> UnavailableError:
    return UnavailableError(
        f"{subject} sends too slowly",
        code="too-slow",
        why=f"{arrived} bytes in {waited:.0f} seconds",
        fix="check the network between this host and the registry, or use a mirror nearby",
        subject=subject,
    )
