# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host as it will be after the actions planned so far."""

from __future__ import annotations

import typing as t

from ..model.host import Identity
from ..model.media_types import is_nondistributable

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.descriptor import Descriptor
    from ..model.host import Container, LocalImage, Observed
    from ..model.reference import Reference


class Pending(t.NamedTuple):
    """An identity that is known only when the action ``made_by`` (its id) is done."""

    made_by: int


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
    """Names and blobs of a host; starts as observed and follows the plan. Only the planner changes it.

    A digest (``repository@sha256:…``) beside a tag of the same repository on the same image is no name: it goes with
    the last such tag, and becomes a name when that tag moves to another image.
    """

    def __init__(self, observed: Observed) -> None:
        """Start with what was ``observed``."""
        self.names: dict[Reference, Held] = {}
        self._names_of: dict[str, set[Reference]] = {}
        for name, image in observed.by_name.items():
            self._hold(name, held(image))
        self._ids, self._keeps_bases = observed.abilities.ids, observed.abilities.keeps_bases
        self._blobs = set(observed.blobs)
        self._users: dict[str, dict[str, Container]] = {}
        self._parents: dict[str, str] = {}
        self._tags: dict[str, set[Reference]] = {}
        self._digests: dict[str, dict[Reference, Held]] = {}
        for image in observed.images:
            self._users.setdefault(image.id, {}).update((user.name, user) for user in image.used_by)
            if image.parent:
                self._parents[image.id] = image.parent
            for name in (*image.names, *image.digest_names):
                self._note(name, held(image))

    def put(self, name: Reference, target: Held, *, beside: Reference | None = None) -> None:
        """Let ``name``, and a digest ``beside`` it, point at ``target``; digests become names by this, and cease to."""
        self._hold(name, target)
        self._note(name, target)
        if beside is not None:
            self._note(beside, target)
        self._settle(name.repository, made_by=target.made_by)

    def remove(self, name: Reference) -> Held:
        """Remove ``name``, with the last tag of its repository the digests beside it; return what it held."""
        target = self._lose(name)
        digests, tags = self._digests.get(name.repository, {}), self._tags.get(name.repository, set())
        tags.discard(name)
        digests.pop(name, None)
        if name.tag is not None and not any(self.is_same(self.names[tag], target) for tag in tags):
            for digest in [digest for digest, there in digests.items() if self.is_same(there, target)]:
                del digests[digest]
        return target

    def tags_with(self, digest: Reference) -> set[Reference]:
        """Return the tags that ``digest`` is beside, none where it is a name."""
        target, tags = self._digests.get(digest.repository, {}).get(digest), self._tags.get(digest.repository, ())
        return {tag for tag in tags if target is not None and self.is_same(self.names[tag], target)}

    def is_same(self, one: Held, other: Held) -> bool:
        """Tell whether both are one image in the eyes of the engine: they go together."""
        if one.image_id and one.image_id == other.image_id:
            return True
        return one.identity == other.identity or (self._ids == "config" and one.is_same_image(other.identity))

    def is_named(self, target: Held) -> bool:
        """Tell whether any name points at this image."""
        own = self._names_of.get(target.image_id)
        if own and target.image_id:
            return True
        # Two images that the host has are one if their IDs are. What is planned has no ID yet.
        others = self._names_of.get("", ()) if target.image_id else self.names
        return any(self.is_same(self.names[name], target) for name in others)

    def users(self, target: Held) -> tuple[Container, ...]:
        """Return the containers that use this image."""
        return tuple(self._users.get(target.image_id, {}).values())

    def drop(self, target: Held, *, prunes: bool) -> tuple[str, ...]:
        """Let an image go that lost its last name; return the IDs of all that go: none while something needs it.

        With ``prunes`` nameless images go along that only it was built on.
        """
        gone: list[str] = []
        image_id, is_needed = target.image_id, any(user.holds_image for user in self.users(target))
        is_needed |= self._keeps_bases and image_id in self._parents.values()
        while image_id and not is_needed:
            gone.append(image_id)
            parent = self._parents.pop(image_id, "")
            if not prunes or not parent:
                break
            image_id = parent
            is_needed = image_id in self._parents.values() or bool(self._users.get(image_id))
            is_needed |= self.is_named(Held(Identity(), image_id))
        return tuple(gone)

    def _hold(self, name: Reference, target: Held) -> None:
        if name in self.names:
            self._lose(name)
        self.names[name] = target
        self._names_of.setdefault(target.image_id, set()).add(name)

    def _lose(self, name: Reference) -> Held:
        target = self.names.pop(name)
        self._names_of[target.image_id].discard(name)
        return target

    def _note(self, name: Reference, target: Held) -> None:
        if name.tag is not None:
            self._tags.setdefault(name.repository, set()).add(name)
        else:
            self._digests.setdefault(name.repository, {})[name] = target

    def _settle(self, repository: str, *, made_by: int) -> None:
        tagged = [self.names[tag] for tag in self._tags.get(repository, ())]
        for name, target in self._digests.get(repository, {}).items():
            is_beside = any(self.is_same(there, target) for there in tagged)
            if is_beside and name in self.names:
                self._lose(name)
            elif not is_beside and name not in self.names:
                self._hold(name, target._replace(made_by=made_by))

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
