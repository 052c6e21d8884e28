# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line a host: how far it is, how fast, and how long it will take."""

from __future__ import annotations

import typing as t
from collections import deque

from ..module_utils.plan.plan import size_text

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .progress_feed import Progress

_RATE_SECONDS = 10.0  # how long ago the rate is taken from
_GAUGE = 20
_LEAST_NAME = 8
_MOST_NAME = 48


class Track:
    """What one host told so far."""

    def __init__(self, first: Progress) -> None:
        self.last = first
        self._recent: deque[Progress] = deque([first])

    def follow(self, progress: Progress) -> None:
        """Take what the host says now; a clock that stands still or goes back is no news."""
        if progress.at <= self.last.at:
            return
        if progress.fetched < self.last.fetched:  # another task, or another item of its loop
            self._recent.clear()
        self.last = progress
        self._recent.append(progress)
        while len(self._recent) > 2 and self._recent[1].at <= progress.at - _RATE_SECONDS:
            self._recent.popleft()

    @property
    def rate(self) -> float:
        """The bytes per second of late; 0 while that is not known."""
        first, elapsed = self._recent[0], self.last.at - self._recent[0].at
        return max(self.last.fetched - first.fetched, 0) / elapsed if elapsed > 0 else 0.0

    @property
    def left(self) -> float | None:
        """The seconds that the rest takes at this rate; None while that is not known."""
        rate = self.rate
        return max(self.last.total - self.last.fetched, 0) / rate if rate > 0 else None


def lines(tracks: Iterable[Track], *, columns: int, rows: int) -> list[str]:
    """Return at most ``rows`` lines of at most ``columns`` characters; hosts for which there is no room share the last.

    Those that lack most have a line, in the order of their names.
    """
    ordered = sorted(tracks, key=_urgency)
    places = rows if len(ordered) <= rows else max(rows - 1, 0)
    shown, others = sorted(ordered[:places], key=lambda track: track.last.host), ordered[places:]
    hosts = max((len(track.last.host) for track in shown), default=0)
    names = min(max((len(_name(track)) for track in shown), default=0), _MOST_NAME)
    told = [_line(track, host=hosts, name=names, columns=columns) for track in shown]
    if others and rows > 0:
        told.append(_rest(others)[:columns])
    return told


def _urgency(track: Track) -> tuple[float, str]:
    return (-(track.last.total - track.last.fetched), track.last.host)


def _line(track: Track, *, host: int, name: int, columns: int) -> str:
    last = track.last
    figures = f"{size_text(last.fetched):>10} of {size_text(last.total):<10}  {_speed(track)}"
    head, known = f"{last.host:<{host}}", _name(track)
    room = columns - len(head) - len(figures) - 4
    gauge = f"  {_gauge(last)}" if room >= name + _GAUGE + 4 else ""
    width = min(room - len(gauge), name)
    middle = f"  {_shortened(known, width):<{width}}" if width >= min(name, _LEAST_NAME) else ""
    return f"{head}{middle}{gauge}  {figures}"[:columns].rstrip()


def _name(track: Track) -> str:
    last = track.last
    return f"{last.image} ({last.ready + 1} of {last.images})" if last.images > 1 else last.image


def _gauge(last: Progress) -> str:
    filled = min(int(_GAUGE * last.fetched / last.total), _GAUGE) if last.total else 0
    return f"[{'#' * filled}{'.' * (_GAUGE - filled)}]"


def _speed(track: Track) -> str:
    if track.left is None:
        return " " * 26
    return f"{size_text(int(track.rate)):>10}/s  {_time(track.left):>7} left"


def _time(seconds: float) -> str:
    minutes, rest = divmod(min(round(seconds), 359_999), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _shortened(name: str, room: int) -> str:
    """Return ``name`` with its middle left out: registries look alike, and so do long paths; ends tell them apart."""
    if len(name) <= room:
        return name
    tail = (room - 1) * 2 // 3
    return f"{name[: room - 1 - tail]}…{name[-tail:]}"


def _rest(tracks: Sequence[Track]) -> str:
    fetched, total = (sum(getattr(track.last, key) for track in tracks) for key in ("fetched", "total"))
    rate = sum(track.rate for track in tracks)
    return f"and {len(tracks)} more  {size_text(fetched)} of {size_text(total)}  {size_text(int(rate))}/s"
