# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locking, from options to result: read the lock that is there, ask registries, plan, and, unless dry, write."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ..model.errors import ConflictError
from ..plan.locking import Found, plan_lock
from .lock_file import read_lock_file, write_lock_file
from .lock_options import read_lock

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.lock import Lock
    from ..plan.locking import Declared, LockPlan
    from .lock_options import LockOrder

    Params = Mapping[str, t.Any]


def lock_images(params: Params, *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Return result and warnings of locking what ``params`` declare; with ``is_dry`` what they would be.

    Raises:
        InputError: the options, or the lock that is there, are wrong; image-too-young; lock-unwritable.
        ConflictError: lock-frozen, the lock would change and must not.
        ImagesError: an image cannot be resolved, or is not signed as it must be. Nothing was changed then.
    """
    order = read_lock(params)
    file = read_lock_file(params["path"])
    found, warnings = _found(order, file.lock, params=params)
    plan = plan_lock(file.lock, found)
    text = plan.lock.to_text()
    is_changed = text != file.text
    if is_changed and params["frozen"]:
        raise _frozen(params["path"], plan)
    if is_changed and not is_dry:
        write_lock_file(file, text)
    result = {
        "changed": is_changed,
        "path": params["path"],
        "images": [row.to_json() for row in plan.rows],
        "diff": plan.diff(params["path"]) if is_changed else {"before": "", "after": ""},
    }
    return result, warnings


def _found(order: LockOrder, old: Lock, *, params: Params) -> tuple[list[Found], list[str]]:
    """Return what the images of ``order`` mean, and what registries want people to read."""
    kept: list[Found] = []
    asked = []
    for each in order.declared:
        name = next((name for name in each.candidates if str(name) in old.images), None)
        is_asked = order.update is None or any(each.is_matched_by(pattern) for pattern in order.update)
        if name is None or is_asked:
            asked.append(each)
        else:
            kept.append(Found(name, old.images[str(name)], cause="not to be updated"))
    if not asked:
        return kept, []
    found, warnings = _asked(asked, order, old=old, params=params)
    return [*kept, *found], warnings


def _asked(asked: Sequence[Declared], order: LockOrder, *, old: Lock, params: Params) -> tuple[list[Found], list[str]]:
    """Return what the registries have for the images that are looked up."""
    from .lock_resolve import LockResolver, LockRules
    from .registries import check_served, credentials_of, open_registries

    verifier = None
    if params["verify"] or params["policy_file"]:
        from .signatures import verifier_of

        verifier = verifier_of(params)
    rules = LockRules(datetime.now(timezone.utc), order.least_age, order.platforms, verifier)
    wanted = {name.registry for each in asked for name in each.candidates}
    if params["username"]:
        check_served(wanted)
    with open_registries(params, credentials=credentials_of(params, served=wanted)) as registries:
        found = LockResolver(old, rules=rules, registry=registries.store).find(asked, parallel=params["parallel"])
        return found, registries.warnings


def _frozen(path: str, plan: LockPlan) -> ConflictError:
    changes = [f"{row.reference.familiar} ({row.action}: {row.cause})" for row in plan.changes]
    return ConflictError(
        f"The lock {path} would change, and it is frozen",
        code="lock-frozen",
        why="; ".join(changes) or "it is not written as image_lock writes it",
        fix="run image_lock without frozen where the lock is maintained, and commit the file",
        subject=path,
    )
