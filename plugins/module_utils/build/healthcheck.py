# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HEALTHCHECK: its durations and what an image config says of it.

Source: Go time.ParseDuration; moby image spec, "Healthcheck" (durations in nanoseconds).
"""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}  # noqa: RUF001
_PART = re.compile(r"(\d+)(?:\.(\d*))?(ns|us|µs|ms|s|m|h)")  # noqa: RUF001 (Go writes the micro sign)
_DURATIONS = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}


def parse_duration(text: str) -> int | None:
    """Return the nanoseconds that ``text`` (``1m30s``, ``500ms``) spells, or None."""
    total, at = 0, 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            return None
        whole, fraction, unit = match[1], match[2] or "", _UNITS[match[3]]
        total += int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = match.end()
    return total if text else None


def healthcheck_mistakes(flags: Mapping[str, str], words: Sequence[str]) -> list[str]:
    """Return what is wrong with a HEALTHCHECK whose words are its kind and its command."""
    mistakes: list[str] = []
    kind, *command = words
    if kind not in ("NONE", "CMD"):
        mistakes.append(f"HEALTHCHECK takes CMD or NONE, not {kind}")
    elif kind == "NONE" and command:
        mistakes.append("HEALTHCHECK NONE takes no arguments")
    elif kind == "CMD" and not command:
        mistakes.append("HEALTHCHECK CMD needs a command")
    for flag in _DURATIONS:
        nanoseconds = parse_duration(flags[flag]) if flag in flags else None
        if flag in flags and (nanoseconds is None or 0 < nanoseconds < 10**6):
            mistakes.append(f"--{flag}={flags[flag]} is no duration of 1ms or more like 30s or 1m30s")
    if "retries" in flags and not flags["retries"].isdecimal():
        mistakes.append(f"--retries={flags['retries']} is no whole number")
    return mistakes


def healthcheck_json(flags: Mapping[str, str], words: Sequence[str], *, is_json: bool) -> dict[str, t.Any]:
    """Return the ``Healthcheck`` object of an image config; the input has no mistakes."""
    if words[0] == "NONE":
        return {"Test": ["NONE"]}
    result: dict[str, t.Any] = {"Test": ["CMD" if is_json else "CMD-SHELL", *words[1:]]}
    for flag, key in _DURATIONS.items():
        nanoseconds = parse_duration(flags.get(flag, "")) or 0
        if nanoseconds:
            result[key] = nanoseconds
    if int(flags.get("retries", "0")):
        result["Retries"] = int(flags["retries"])
    return result
