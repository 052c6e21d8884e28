# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that go into an archive, and images that come from one. Pure, as the planner is."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..model.host import Identity
from .actions import Action, Tag
from .draft import Draft, digest_of, shown
from .questions import can_be_tagged, damage_of
from .world import Held, held

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model.host import LocalImage, Observed
    from ..model.reference import Reference
    from .plan import Plan


class Wanted(t.NamedTuple):
    """An image of the host that an archive must hold by these names; ``is_whole``: with all others of its index."""

    names: tuple[Reference, ...]
    image: LocalImage
    is_whole: bool = False


class Offered(t.NamedTuple):
    """An image that the host must hold by these ``names``, and that can be had: its digests as the host will know them.

    ``size`` is in bytes, ``image_id`` what the engine will call it, as far as that is known.
    """

    names: tuple[Reference, ...]
    identity: Identity
    image_id: str
    size: int


@dataclass(frozen=True)
class Save(Action):
    """Write one archive with all of ``images``, in place of what is there. The action's name is the first one's."""

    kind: t.ClassVar[str] = "save"

    images: tuple[Wanted, ...]
    dest: str

    @property
    def where(self) -> str:
        """See Action."""
        others = sum(len(wanted.names) for wanted in self.images) - 1
        return f"{f' and {others} more' if others else ''} to {self.dest}"

    def to_json(self) -> dict[str, t.Any]:
        """Return the row that a task reports, with all names and where they go."""
        names = [str(name) for wanted in self.images for name in wanted.names]
        return {**super().to_json(), "names": names, "dest": self.dest}


@dataclass(frozen=True)
class Load(Tag):
    """Bring an image into the host, and name it."""

    kind: t.ClassVar[str] = "load"


@dataclass(frozen=True)
class Import(Load):
    """Make an image of a file system, bring it into the host, and name it."""

    kind: t.ClassVar[str] = "import"


class Contained(t.NamedTuple):
    """Which image an archive has under a name; ``is_whole``: with all others of its index."""

    identity: Identity
    is_whole: bool


class _Draft(Draft):
    """A plan in the making, with what archives need."""

    def save(self, images: Sequence[Wanted], *, dest: str, before: Mapping[Reference, Held], cause: str) -> None:
        """Plan to write an archive with ``images``; ``before`` is what each name in it holds now."""
        after = {name: held(wanted.image) for wanted in images for name in wanted.names}
        for name in {**before, **after}:
            self._note(f"{name} ({dest})", before=shown(before.get(name)), after=shown(after.get(name)))
        name, target = next(iter(after.items()))
        former = before.get(name)
        self.actions.append(
            Save(
                id=self._next_id,
                reference=name,
                cause=cause,
                needs=(),
                digest=digest_of(target),
                previous_digest=digest_of(former),
                before=shown(former),
                after=shown(target),
                size=0,
                images=tuple(images),
                dest=dest,
            )
        )

    def load(self, name: Reference, *, target: Held, cause: str, action: type[Load]) -> Held:
        """Plan to bring in what ``target`` says, by an ``action`` of this kind; return what ``name`` then holds."""
        target = target._replace(made_by=self._next_id)
        basics = self._naming(name, target, cause=cause, size=target.size)
        self.actions.append(action(*basics, source=target.identity))
        return target


def plan_save(
    images: Sequence[Wanted],
    observed: Observed,
    *,
    dest: str,
    there: Mapping[Reference, Contained] | None,
    is_forced: bool,
) -> Plan:
    """Return what must be done so that the archive ``dest`` holds these images by these names, and nothing else.

    ``there`` is what it holds now, None for no archive of images.
    """
    draft = _Draft(observed)
    causes = [_save_cause(wanted, there) for wanted in images]
    own = {name for wanted in images for name in wanted.names}
    cause = next((cause for cause in causes if cause), "")
    if there is None:
        cause = "there is no archive of images yet"
    elif not cause and not own.issuperset(there):
        cause = "it holds others, too"
    elif not cause and is_forced:
        cause = "force: true"
    if cause:
        before = {name: Held(contained.identity) for name, contained in (there or {}).items()}
        draft.save(images, dest=dest, before=before, cause=cause)
    for wanted, own_cause in zip(images, causes):
        row = draft.row(str(wanted.names[0]), target=held(wanted.image), first=0, cause="")
        first = (there or {}).get(wanted.names[0])
        former = first.identity.digest if first is not None else None
        draft.rows.append(row._replace(cause=own_cause or "in the archive", previous_digest=former))
    return draft.finished()


def plan_loads(offered: Iterable[Offered], observed: Observed, *, action: type[Load] = Load) -> Plan:
    """Return what must be done so that the host holds what is ``offered``, by its names."""
    draft = _Draft(observed)
    for image in offered:
        first, target = len(draft.actions), None
        name = image.names[0]
        previous = digest_of(draft.world.names.get(name))
        for name in image.names:
            current = observed.by_name.get(name) or observed.pinned(name)
            if current is not None and current.is_complete and is_same(current.identity, image.identity):
                target = target or held(current)
                continue
            if target is None:
                target = _brought(draft, name, image=image, current=current, action=action)
            else:
                draft.tag(name, source=target, cause=_tag_cause(current))
        draft.rows.append(
            draft.row(str(image.names[0]), target=target, first=first, cause="present", previous=previous)
        )
    return draft.finished()


def lacking(offered: Offered, observed: Observed) -> bool:
    """Tell whether the host lacks the image itself, whatever its names."""
    there = (observed.by_name.get(name) or observed.pinned(name) for name in offered.names)
    if any(image is not None and image.is_complete and is_same(image.identity, offered.identity) for image in there):
        return False
    return _elsewhere(offered, observed) is None


def is_same(one: Identity, other: Identity) -> bool:
    """Tell whether both are one image: the same config, whatever a manifest makes of it; else a digest in common."""
    if one.config_digest is not None and other.config_digest is not None:
        return one.config_digest == other.config_digest
    return not one.digests.isdisjoint(other.digests)


def _save_cause(wanted: Wanted, there: Mapping[Reference, Contained] | None) -> str:
    own = wanted.image.identity
    for name in wanted.names:
        contained = (there or {}).get(name)
        if contained is None:
            return "not in the archive"
        other = contained.identity
        is_there = own.index_digest == other.index_digest if wanted.is_whole else is_same(own, other)
        if not is_there or (own.index_digest and other.index_digest and own.index_digest != other.index_digest):
            return "the archive has another image of this name"
        if wanted.is_whole != contained.is_whole:
            return "the archive has it for other platforms"
    return ""


def _brought(
    draft: _Draft, name: Reference, *, image: Offered, current: LocalImage | None, action: type[Load]
) -> Held:
    """Plan that the host holds ``image`` by ``name``: from what it has under another name, else from the archive."""
    elsewhere = _elsewhere(image, draft.observed)
    if elsewhere is not None and can_be_tagged(name, draft.observed):
        draft.tag(name, source=held(elsewhere), cause="the host holds these bytes under another name")
        return held(elsewhere)
    cause = "not on the host"
    if current is not None:
        is_damaged = is_same(current.identity, image.identity)
        cause = damage_of(current) if is_damaged else "it named another image"
    target = Held(image.identity, image.image_id, image.size)
    return draft.load(name, target=target, cause=cause, action=action)


def _elsewhere(image: Offered, observed: Observed) -> LocalImage | None:
    for digest in image.identity.digests:
        for other in observed.with_digest(digest):
            is_sure = other.is_complete and not other.identity.is_known_by_index_alone
            if is_sure and is_same(other.identity, image.identity):
                return other
    return None


def _tag_cause(current: LocalImage | None) -> str:
    return "wanted as a further name" if current is None else "it named another image"
