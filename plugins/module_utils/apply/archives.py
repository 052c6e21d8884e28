# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out what was planned with archives: images that come in, and their names."""

from __future__ import annotations

import typing as t

from ..model.errors import ApplyError, ImagesError
from ..model.host import Identity
from ..plan.actions import Tag
from ..plan.archives import Load

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..engines.base import Engine
    from ..plan.actions import Action
    from ..plan.plan import Plan


def apply_plan(
    plan: Plan, *, engine: Engine, bring: Callable[[Sequence[Load]], None], is_together: bool
) -> tuple[str, ...]:
    """Carry out the loads of ``plan``, then its tags; return what the user should know.

    ``bring`` brings images into the host, which have no name by that; all at once where they come ``is_together``.
    After a failure nothing new is started, and what succeeded stays. Running again is always safe.

    Raises:
        ApplyError: actions failed; it tells which are done, which failed why, and which were not started.
    """
    loads = [action for action in plan.actions if isinstance(action, Load)]
    failed: dict[int, ImagesError] = {}
    done: set[int] = set()
    for batch in [loads] if is_together and loads else [[load] for load in loads]:
        if not failed:
            _attempt(batch, lambda batch=batch: bring(batch), failed=failed)  # type: ignore[misc]
        for load in batch:
            _name(load, engine, done=done, failed=failed)
    for action in plan.actions:
        if isinstance(action, Tag) and not isinstance(action, Load):
            _name(action, engine, done=done, failed=failed)
    if failed:
        labels = {action.id: f"{action.kind} {action.reference}" for action in plan.actions}
        raise ApplyError(
            done=[labels[action] for action in sorted(done)],
            failed={labels[action]: error for action, error in failed.items()},
            not_started=[label for action, label in labels.items() if action not in done and action not in failed],
        )
    return _clear(engine) if any(action.before for action in plan.actions) else ()


def _name(action: Tag, engine: Engine, *, done: set[int], failed: dict[int, ImagesError]) -> None:
    source = action.source
    if failed or not isinstance(source, Identity):
        return
    _attempt([action], lambda: engine.tag(action.reference, identity=source, platform=None), failed=failed)
    if not failed:
        done.add(action.id)


def _attempt(actions: Sequence[Action], step: Callable[[], None], *, failed: dict[int, ImagesError]) -> None:
    try:
        step()
    except ImagesError as error:
        failed.update((action.id, error) for action in actions)


def _clear(engine: Engine) -> tuple[str, ...]:
    """Free what names that moved left behind: what cannot go yet is no failure, and goes with a later run."""
    try:
        engine.reclaim()
    except ImagesError as error:
        return (f"The space of what was replaced is not free yet: {error}",)
    return ()
