# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a plan: does the host really hold what each action promised?"""

from __future__ import annotations

import typing as t

from ..model.errors import PeerError
from ..model.host import Identity, Look
from ..plan.actions import Build, Pull, Tag, Untag

if t.TYPE_CHECKING:
    from ..model.host import LocalImage, Observed
    from ..model.reference import Reference
    from ..model.resolved import Resolved
    from ..plan.plan import Plan
    from .outcome import Outcome


def promised(plan: Plan) -> Look:
    """Return what ``verify`` must know of the host: the platform of each image that was chosen for one."""
    pulls = (action for action in plan.actions if isinstance(action, Pull))
    return Look(details_of=frozenset(action.reference for action in pulls if action.resolved.platform is not None))


def verify(plan: Plan, *, outcome: Outcome, observed: Observed) -> None:
    """Confirm that every name on the host is what the last action on it promised.

    Raises:
        PeerError: promise-broken; wrong-platform-delivered, when a pull brought another image of the same index, or one
            that says to be for another platform than its index. ``why`` tells the first name that is not as promised.
    """
    promises: dict[Reference, Identity | None] = {}
    pulls: dict[Reference, Resolved] = {}
    for action in plan.actions:
        if action.kind in ("push", "write"):  # no name on the host changes
            continue
        pulls.pop(action.reference, None)
        if isinstance(action, Pull):
            promises[action.reference] = action.resolved.identity
            pulls[action.reference] = action.resolved
        elif isinstance(action, Build):
            promises[action.reference] = outcome.built[action.id]
        elif isinstance(action, Tag):
            source = action.source
            promises[action.reference] = source if isinstance(source, Identity) else outcome.built[source.made_by]
        elif isinstance(action, Untag):
            promises[action.reference] = None
    for name, promised in promises.items():
        # A digest beside a tag of its repository is no name of its own, and found nonetheless.
        image = observed.by_name.get(name) if promised is None else observed.find(name)
        if name in pulls and image is not None:
            _refuse_other_platform(name, image, resolved=pulls[name])
        is_kept = image is None if promised is None else image is not None and promised.is_same_image(image.identity)
        if not is_kept or (image is not None and not image.is_complete):
            raise PeerError(
                f"The host does not hold what was promised for {name}",
                code="promise-broken",
                why=f"it should be {_shown(promised)}, it is {_shown(image.identity if image is not None else None)}",
                fix="another process may change the same store at the same time; run the task again",
                subject=str(name),
            )


def _shown(identity: Identity | None) -> str:
    return "gone" if identity is None else str(identity.digest or identity.config_digest)


def _refuse_other_platform(name: Reference, image: LocalImage, *, resolved: Resolved) -> None:
    wanted, delivered = resolved.platform, image.platform
    is_same = resolved.identity.is_same_image(image.identity)
    is_sibling = not is_same and resolved.is_index and resolved.descriptor.digest in image.identity.digests
    # Of the very image that was asked for only what no variant explains is wrong: many configs leave variants out.
    is_mislabelled = (
        wanted is not None
        and delivered is not None
        and delivered.architecture != ""
        and (wanted.os, wanted.architecture) != (delivered.os, delivered.architecture)
    )
    if is_sibling or is_mislabelled:
        raise PeerError(
            f"The host got {name} for another platform",
            code="wrong-platform-delivered",
            why=f"wanted {wanted or 'what the index says'}, delivered {delivered or 'another image of the same index'}",
            fix="push the index again with the right platforms, or name the digest of the image that you mean",
            subject=str(name),
        )
