# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task returns: the same for a plan that was only made and one that was carried out."""

from __future__ import annotations

import typing as t

from ..model.host import Identity
from ..plan.world import Pending

if t.TYPE_CHECKING:
    from ..apply.outcome import Outcome
    from ..engines.base import Engine
    from ..plan.actions import Action
    from ..plan.plan import Plan, Row


def report(plan: Plan, *, outcome: Outcome, engine: Engine) -> dict[str, t.Any]:
    """Return the result of a task. Of a plan with nothing Pending it is the same before and after it is carried out."""
    result: dict[str, t.Any] = {
        "changed": not plan.is_empty,
        "engine": engine.name,
        "images": [_row(row, outcome) for row in plan.rows],
        "actions": [_action(action, outcome) for action in plan.actions],
        "diff": plan.diff(),
    }
    if plan.untagged:
        result["untagged"] = [str(name) for name in plan.untagged]
        result["deleted"] = list(plan.deleted)
    return result


def _row(row: Row, outcome: Outcome) -> dict[str, t.Any]:
    told = row.to_json()
    built = outcome.built.get(row.pending)
    if built is not None:
        told.update(id=str(built.config_digest or ""), digest=str(built.digest or ""))
    return told


def _action(action: Action, outcome: Outcome) -> dict[str, t.Any]:
    told = action.to_json()
    if action.id in outcome.builders:
        told["builder"] = outcome.builders[action.id]
    source = getattr(action, "source", None)
    made_by = source.made_by if isinstance(source, Pending) else action.id
    built: Identity | None = outcome.built.get(made_by)
    digest = outcome.pushed.get(action.id) or (built.digest if built is not None else None)
    return {**told, "digest": str(digest)} if digest is not None else told
