# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a failed exchange is worth another try, and how long to wait before it."""

from __future__ import annotations

import re
import typing as t

LONGEST_BACKOFF = 30.0
"""Seconds: the doubling of our own pauses ends here."""

LONGEST_ASKED = 120.0
"""Seconds: who is told to wait longer gives up, because nobody wants a task that sleeps for hours."""

_NOT_IMPLEMENTED = 501
_SECONDS = re.compile(r"[0-9]{1,9}")


class RetryPolicy(t.NamedTuple):
    """How often and how patiently something is tried again.

    ``retries``: further attempts after the first. ``delay``: seconds before the second attempt, doubled for each one
    after it, up to LONGEST_BACKOFF. ``deadline``: seconds for all attempts and pauses together; None is no end.
    """

    retries: int = 3
    delay: float = 1.0
    deadline: float | None = None

    def pause(self, failures: int, *, elapsed: float, asked: float | None = None, chance: float = 1.0) -> float | None:
        """Return the seconds to wait after ``failures`` failed attempts (>= 1), or None to give up.

        ``elapsed``: seconds since the first attempt began. ``asked``: the peer's Retry-After in seconds. ``chance``: a
        random number from 0 to 1 that spreads a fleet: of our own pause between half and all is taken, to an asked one
        up to ``delay`` is added, because earlier than asked would fail again.
        """
        if failures > self.retries:
            return None
        if asked is None:
            # the exponent is bounded, or a patient policy (retries: 2000) overflows a float
            seconds = min(self.delay * 2.0 ** min(failures - 1, 30), LONGEST_BACKOFF) * (0.5 + chance / 2)
        elif asked > LONGEST_ASKED:
            return None
        else:
            seconds = asked + self.delay * chance
        if self.deadline is not None and elapsed + seconds >= self.deadline:
            return None
        return seconds


def is_retryable(status: int) -> bool:
    """Tell whether an answer of ``status`` may be another one next time: 408, 429, and 5xx but 501."""
    return status in (408, 429) or (500 <= status <= 599 and status != _NOT_IMPLEMENTED)


def parse_retry_after(text: str | None, *, now: float) -> float | None:
    """Return the seconds to wait that a Retry-After header asks for, 0 or more; None if it asks for nothing readable.

    ``now`` is the time of day in seconds since 1970, for the form that is a date.
    Source: RFC 9110, section 10.2.3.
    """
    if text is None:
        return None
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):  # Python 3.9 raises TypeError, later ones ValueError
        return None
    if moment.tzinfo is None:
        from datetime import timezone

        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, moment.timestamp() - now)
