# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time that something of several parts may take."""

from __future__ import annotations

import time
import typing as t

from ..model.errors import UnavailableError, deadline_passed

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class TimeLimit:
    """A bound on all from now on; used with ``with``, it tells time-outs that it caused as its own."""

    def __init__(self, seconds: float | None, *, subject: str) -> None:
        """Start; None is no end. ``subject`` is what errors name."""
        self._until = None if seconds is None else time.monotonic() + seconds
        self._subject = subject

    def __enter__(self) -> TimeLimit:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise deadline-passed in the place of a time-out that came when no time was left."""
        if isinstance(error, UnavailableError) and error.code in ("engine-timeout", "program-timeout"):
            self.left(0.0)

    def left(self, at_most: float) -> float:
        """Return the seconds that the next part may take.

        Raises:
            UnavailableError: deadline-passed: none are left.
        """
        left = at_most if self._until is None else self._until - time.monotonic()
        if self._until is not None and left <= 0:
            raise deadline_passed(self._subject)
        return min(left, at_most)

    def guard(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield ``chunks`` for as long as there is time.

        Raises:
            UnavailableError: deadline-passed.
        """
        for chunk in chunks:
            self.left(0.0)
            yield chunk
