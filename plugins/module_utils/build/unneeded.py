# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages that the target does not need: some builders carry them out nonetheless, on files that were not sent."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .stages import StagePlan


def without_unneeded(text: str, plan: StagePlan) -> str:
    """Return the Dockerfile ``text``, of which ``plan`` was made, with nothing in the stages that are not needed.

    Stages keep their numbers and names, and every other line its place.
    """
    rows = text.split("\n")
    starts = [stage.opening.line.number - 1 for stage in plan.stages]
    for stage, start, end in zip(plan.stages, starts, [*starts[1:], len(rows)]):
        if stage.number not in plan.needed:
            named = f" AS {stage.name}" if stage.name else ""
            rows[start:end] = [f"FROM scratch{named}", *[""] * (end - start - 1)]
    return "\n".join(rows)
