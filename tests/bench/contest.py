# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a row of the benchmark is made of, and how its sides take turns.

Everything that is measured is better when it is smaller: seconds, requests, bytes. A ratio is peer / ours.
"""

from __future__ import annotations

import statistics
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .place import Place

Measures = t.Mapping[str, float]


class Line(t.NamedTuple):
    """One line of the table: measure ``ours`` beside measure ``peer``; ``goal`` is the least ratio aimed at."""

    number: int
    name: str
    peer_name: str
    goal: float
    ours: str = "ours"
    peer: str = "peer"
    unit: str = "s"


class Contest(t.NamedTuple):
    """Work that is ready to be done by each side.

    Each of ``sides`` does its work once, checks that it was done, and returns its measures. ``start`` brings all of
    them back to where they begin, before each run, not timed. ``repeats`` says which sides run several times a round,
    of which the medians count. ``warm`` is the round that is not counted; without it one round of all is. A remark is
    asked for at the end, and printed below the lines.
    """

    sides: Sequence[Callable[[], Measures]]
    start: Callable[[], object] = lambda: None
    repeats: Mapping[Callable[[], Measures], int] = {}
    warm: Callable[[], object] | None = None
    remark: Callable[[], str] = str


class Row(t.NamedTuple):
    """Lines that come from one contest. ``rounds`` is given where a peer is too slow for five."""

    lines: Sequence[Line]
    prepare: Callable[[Place], Contest]
    rounds: int = 5


class WorkUndoneError(Exception):
    """A side did not do what its figure is for."""


def expect(what: str, *, holds: bool) -> None:
    """Raise ``WorkUndoneError`` unless ``holds``: a figure may not come from work left undone."""
    if not holds:
        raise WorkUndoneError(f"the work was not done: {what}")


def compete(contest: Contest, *, rounds: int) -> dict[str, list[float]]:
    """Let all sides take turns for so many rounds; return each measure's figures, one a round.

    Every other round goes backwards, for a disk still works at what the side before has left it.
    """
    (contest.warm or (lambda: _round(contest)))()
    backwards = contest._replace(sides=contest.sides[::-1])
    counted = [_round(backwards if turn % 2 else contest) for turn in range(rounds)]
    return {name: [figures[name] for figures in counted] for name in counted[0]}


def compare(line: Line, figures: Mapping[str, Sequence[float]]) -> dict[str, t.Any]:
    """Return a line's entry: medians, the median of the ratios within rounds, and from what to what both went."""
    ours, theirs = figures[line.ours], figures[line.peer]
    return {
        "name": f"{line.number}: {line.name}",
        "ours": significant(statistics.median(ours)),
        "peer": significant(statistics.median(theirs)),
        "peer_name": line.peer_name,
        "ratio": significant(statistics.median(peer / own for own, peer in zip(ours, theirs, strict=True))),
        "unit": line.unit,
        "runs": len(ours),
        "goal": line.goal,
        "spread": [significant(min(ours)), significant(max(ours))],
        "peer_spread": [significant(min(theirs)), significant(max(theirs))],
    }


def significant(value: float) -> float:
    """Return a figure with three digits that mean something, whole above a hundred."""
    return float(f"{value:.3g}") if value < 100 else float(round(value))


def _round(contest: Contest) -> dict[str, float]:
    found: dict[str, float] = {}
    for side in contest.sides:
        runs = []
        for _turn in range(contest.repeats.get(side, 1)):
            contest.start()
            runs.append(side())
        found |= {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    return found
