# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Points in time as users, engines and image configs write them."""

from __future__ import annotations

import re
import typing as t

from .errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Callable

_DATE = r"(\d{4})-(\d\d)-(\d\d)"
_TIME = r"[Tt ](\d\d):(\d\d)(?::([0-5]\d|60)(\.\d+)?)?"
_MOMENT = re.compile(rf"{_DATE}(?:{_TIME}\s?(?:([Zz])|([+-][01]\d|[+-]2[0-3]):?([0-5]\d))?)?")
_SECONDS = re.compile(r"\d{1,11}(?:\.\d{1,9})?")
_PART = r"(\d{1,7}(?:\.\d{1,6})?)(ms|[smhdw])"
_AGE = re.compile(rf"(?:{_PART})+")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def moment_of(text: str) -> float | None:
    """Return the seconds since 1970 of a date, or a date and a time, in UTC unless it says another zone; else None.

    Source: RFC 3339, of which the seconds, the time or the zone may be left out.
    """
    import calendar
    import datetime

    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        datetime.datetime(year, month, day, hour, minute, min(second, 59))  # is there such a day?
    except ValueError:
        return None
    zone = 0
    if found[9]:
        zone = (int(found[9][0] + "1")) * (abs(int(found[9])) * 3600 + int(found[10]) * 60)
    return calendar.timegm((year, month, day, hour, minute, second)) + float(found[7] or 0) - zone


def parse_until(text: str, clock: Callable[[], float]) -> float:
    """Return the seconds since 1970 that ``text`` means, ``clock`` being now.

    It is an age like ``24h``, ``1h30m``, ``7d`` or ``2w``, a moment, or the seconds themselves.

    Raises:
        InputError: bad-until.
    """
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if _AGE.fullmatch(text):
        return clock() - sum(float(amount) * _UNITS[unit] for amount, unit in re.findall(_PART, text))
    found = moment_of(text)
    if found is None:
        raise InputError(
            f"{text!r} is neither an age nor a date",
            code="bad-until",
            fix="write it like 24h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z",
            subject="until",
        )
    return found
