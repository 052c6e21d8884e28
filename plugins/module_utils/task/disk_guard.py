# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Between plan and apply, in check mode too: is there room for what is to be fetched?"""

from __future__ import annotations

import typing as t

from ..model.errors import ConflictError
from ..plan.plan import size_text

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.host import Space
    from ..plan.plan import Plan


def check_room(plan: Plan, *, margin: int, space: Callable[[], Space | None]) -> None:
    """Do nothing if what ``plan`` fetches leaves ``margin`` bytes free. ``space`` is asked only if it fetches at all.

    Of a place that cannot be seen nothing is said. The bytes are those that travel: unpacked they are more.

    Raises:
        ConflictError: not-enough-space.
    """
    needed = sum(action.size for action in plan.actions if action.kind == "pull")
    there = space() if needed else None
    if there is None or there.free >= needed + margin:
        return
    raise ConflictError(
        f"There is not enough room at {there.path} for the images to pull",
        code="not-enough-space",
        why=f"{size_text(needed)} to fetch and {size_text(margin)} to leave free (disk_margin), "
        f"{size_text(there.free)} are free",
        fix="free space there, remove images in a task before this one, or set a smaller disk_margin",
        subject=there.path,
    )
