# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host as it will be after the actions planned so far."""

from __future__ import annotations

import typing as t

from ..model.host import Identity
from ..model.media_types import is_nondistributable
from .actions import Pending

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.descriptor import Descriptor
    from ..model.host import LocalImage, Observed
    from ..model.reference import Reference


class Held(t.NamedTuple):
    """What a name points at, and the action (0: none, it is so already) that makes it so."""

    identity: Identity | Pending
    image_id: str = ""
    size: int = 0
    made_by: int = 0

    def is_same_image(self, identity: Identity | Pending) -> bool:
        """Tell whether ``identity`` is surely the image held here."""
        if isinstance(self.identity, Identity) and isinstance(identity, Identity):
            return self.identity.is_same_image(identity)
        return self.identity == identity


class World:
    """Names and blobs of a host; starts as observed and follows the plan. Only the planner changes it."""

    def __init__(self, observed: Observed) -> None:
        """Start with what was ``observed``."""
        self.names: dict[Reference, Held] = {name: held(image) for name, image in observed.by_name.items()}
        self._blobs = set(observed.blobs)

    def is_named(self, identity: Identity | Pending) -> bool:
        """Tell whether any name points at this image."""
        return any(target.is_same_image(identity) for target in self.names.values())

    def fetch(self, blobs: Iterable[Descriptor]) -> int:
        """Count ``blobs`` as fetched; return how many bytes of them were lacking. Each blob is counted once.

        Layers that must not be distributed are never fetched.
        """
        movable = (blob for blob in blobs if not is_nondistributable(blob.media_type))
        lacking = {blob.digest: blob.size for blob in movable if blob.digest not in self._blobs}
        self._blobs.update(lacking)
        return sum(lacking.values())


def held(image: LocalImage) -> Held:
    """Return what a name that points at ``image`` holds."""
    return Held(image.identity, image.id, image.size)
