# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a plan: does the host really hold what each action promised?"""

from __future__ import annotations

import typing as t

from ..model.errors import PeerError
from ..model.host import Identity
from ..plan.actions import Build, Pull, Tag, Untag

if t.TYPE_CHECKING:
    from ..model.host import Observed
    from ..model.reference import Reference
    from ..plan.plan import Plan
    from .outcome import Outcome


def verify(plan: Plan, *, outcome: Outcome, observed: Observed) -> None:
    """Confirm that every name on the host is what the last action on it promised.

    Raises:
        PeerError: promise-broken; ``why`` tells the first name that is not.
    """
    promises: dict[Reference, Identity | None] = {}
    for action in plan.actions:
        if isinstance(action, Pull):
            promises[action.reference] = action.resolved.identity
        elif isinstance(action, Build):
            promises[action.reference] = outcome.built[action.id]
        elif isinstance(action, Tag):
            source = action.source
            promises[action.reference] = source if isinstance(source, Identity) else outcome.built[source.made_by]
        elif isinstance(action, Untag):
            promises[action.reference] = None
    for name, promised in promises.items():
        image = observed.by_name.get(name)
        is_kept = image is None if promised is None else image is not None and promised.is_same_image(image.identity)
        if not is_kept or (image is not None and not image.is_complete):
            raise PeerError(
                f"The host does not hold what was promised for {name}",
                code="promise-broken",
                why=f"it should be {promised.digest if promised is not None else 'gone'}, "
                f"it is {image.identity.digest if image is not None else 'gone'}",
                fix="another process may change the same store at the same time; run the task again",
                subject=str(name),
            )
