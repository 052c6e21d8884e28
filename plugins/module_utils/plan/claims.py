# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which names a host holds what is wanted: these must stay."""

from __future__ import annotations

import typing as t

from ..model.reference import ImageId, Reference

if t.TYPE_CHECKING:
    from ..model.host import LocalImage
    from .desired import DesiredImage
    from .draft import Draft


def claims_of(draft: Draft, item: DesiredImage) -> set[Reference]:
    """Return the names that must stay so that the host holds ``item``: a pin's repository has many."""
    found = {name for name in item.tags if name in draft.world.names}
    for name in item.candidates:
        if isinstance(name, ImageId):
            image = draft.observed.find(name)
            return found.union(image.names if image is not None else ())
        if name.without_digest() in draft.world.names:
            return found | {name.without_digest()}
        if name.tag is None:
            found |= draft.world.tags_with(name)
            pinned = draft.observed.pinned(name)
            if pinned is not None:
                return found.union(other for other in pinned.names if other.repository == name.repository)
    return found


def shown_name(item: DesiredImage, image: LocalImage) -> str:
    """Return the meaning of ``item``'s name that ``image`` has, as rows show it."""
    for name in item.candidates:
        if isinstance(name, Reference) and (name.without_digest() in image.names or name.tag is None):
            return str(name.without_digest())
    return str(item.wanted)
