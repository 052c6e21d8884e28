# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Dockerfile whose images are named by digest: what an engine builds is what the key of the inputs was made with."""

from __future__ import annotations

import re
import typing as t

from .base import Base
from .mounts import ORIGIN
from .stages import copied_from

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .parser import Instruction
    from .stages import Stage, StagePlan

_OPENING = re.compile(r"\S+\s+(?:--\S+\s+)*(\S+)")
_FLAG = re.compile(r"\s+--([^\s=]+)(?:=(\S*))?")


class _Edit(t.NamedTuple):
    """Characters ``start`` to ``end`` of an instruction's text become ``text``."""

    step: Instruction
    start: int
    end: int
    text: str


def pinned_text(text: str, plan: StagePlan, *, names: Mapping[Base, str]) -> str:
    """Return the Dockerfile ``text``, of which ``plan`` was made, with each of ``names`` in the place of its base.

    The needed stages of ``text`` stand where those of ``plan`` do.
    Everything else stays byte for byte. What an ONBUILD holds stays, too: it is part of the image.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    rows = text.removeprefix(mark).split("\n")
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row) + 1)
    pinned = text.removeprefix(mark)
    edits = [edit for number in plan.needed for edit in _edits(plan, plan.stages[number], names=names)]
    for edit in reversed(edits):
        spots = [starts[place.row] + place.column + at for place in edit.step.line.places for at in range(place.length)]
        pinned = pinned[: spots[edit.start]] + edit.text + pinned[spots[edit.end - 1] + 1 :]
    return mark + pinned


def _edits(plan: StagePlan, stage: Stage, *, names: Mapping[Base, str]) -> Iterator[_Edit]:
    """Yield what is replaced in one stage, front to back."""
    opening = _OPENING.match(stage.opening.text)
    if opening is not None and stage.base is not None and stage.base in names:
        yield _Edit(stage.opening, opening.start(1), opening.end(1), names[stage.base])
    for step in stage.steps:
        for start, end in _origins(step):
            means = copied_from(plan, stage, source=step.text[start:end].strip("\"'"))
            if isinstance(means, Base) and means in names:
                yield _Edit(step, start, end, names[means])


def _origins(step: Instruction) -> Iterator[tuple[int, int]]:
    """Yield where the text of a COPY or RUN names a stage or image."""
    if step.name not in ("COPY", "RUN"):
        return
    at = len(step.text.split(None, 1)[0])
    while (flag := _FLAG.match(step.text, at)) is not None:
        at = flag.end()
        if step.name == "COPY" and flag[1] == "from" and flag[2]:
            yield flag.span(2)
        elif step.name == "RUN" and flag[1] == "mount" and flag[2]:
            origin = ORIGIN.search(flag[2])
            if origin is not None and origin[1]:
                yield flag.start(2) + origin.start(1), flag.start(2) + origin.end(1)
