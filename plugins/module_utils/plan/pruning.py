# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which images of a host nobody needs any longer, and the plan by which they go."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ..model.moments import moment_of
from ..model.reference import Reference
from .actions import Action, Untag
from .draft import Draft, shown
from .patterns import is_match
from .plan import size_text
from .world import held

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..model.host import LocalImage, Observed
    from .plan import Plan, Row

_SHORT_ID = 12


class Prune(t.NamedTuple):
    """Which images go: dangling ones, or with ``takes_named`` all, of those that no container uses.

    And of these only what was made before the moment ``before`` (seconds since 1970), has all of ``labels`` and none of
    ``other_labels`` (``key`` or ``key=value``). What has a name that a pattern of ``protect`` matches stays, and so do
    the ``newest`` images of each repository. What does not tell when it was made counts as made now.
    """

    takes_named: bool = False
    before: float | None = None
    labels: tuple[str, ...] = ()
    other_labels: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    newest: int = 0


class Leftover(t.NamedTuple):
    """What the collection itself left at ``place``, a folder or an engine, and how many bytes it takes."""

    place: str
    what: str
    size: int


class Unnamed(Reference):
    """What stands where other actions have a name: the ID of an image, or a place, as ``path``."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return it whole."""
        return self.path

    @property
    def familiar(self) -> str:
        """As people read it: of an ID its beginning."""
        head, colon, encoded = self.path.partition(":")
        return f"{head}:{encoded[:_SHORT_ID]}" if colon and head == "sha256" else self.path


@dataclass(frozen=True)
class Drop(Action):
    """Remove ``image``, which has no name, and nameless ones that only it was built on: ``deletes`` are their IDs."""

    kind: t.ClassVar[str] = "drop"

    image: LocalImage
    deletes: tuple[str, ...]


@dataclass(frozen=True)
class Clear(Action):
    """Remove what the collection left behind."""

    kind: t.ClassVar[str] = "clear"

    leftover: Leftover


class Pruning(t.NamedTuple):
    """The plan, the images of its rows, and those rows of the host whose bytes go, too."""

    plan: Plan
    images: tuple[LocalImage, ...]
    gone: tuple[LocalImage, ...]


def plan_prune(rule: Prune, observed: Observed, *, leftovers: Sequence[Leftover] = ()) -> Pruning:
    """Plan that what ``rule`` tells goes, with a row for each image, and that ``leftovers`` go.

    ``observed`` tells containers, parents, and of the images that go when they were made, and their labels.
    """
    draft = _PruneDraft(observed)
    going = _going(rule, observed)
    draft.warnings += _ageless(rule, observed)
    for image in _named(going):
        draft.untag_all(image, cause="unused" if rule.takes_named else "no tag")
    for image in _nameless(going, observed):
        draft.drop(image)
    for leftover in leftovers:
        draft.clear(leftover)
    gone = tuple(image for image in going if image.id in draft.deleted)
    return Pruning(draft.finished(), tuple(draft.images), gone)


def unclear(rule: Prune, observed: Observed) -> list[LocalImage]:
    """Return the images that may go, and of which the list told neither size nor age."""
    return [image for image in observed.images if _may_go(rule, image) and not image.size and not image.created]


class _PruneDraft(Draft):
    """A draft in which images go whole."""

    def __init__(self, observed: Observed) -> None:
        super().__init__(observed)
        self.deleted: set[str] = set()
        self.images: list[LocalImage] = []

    def untag_all(self, image: LocalImage, *, cause: str) -> None:
        """Plan that ``image`` loses all of its names."""
        first, names = len(self.actions), _names(image)
        for name in names:
            if name in self.world.names:  # a digest goes with the last tag of its repository
                self.untag(name, cause=cause)
                untag = self.actions[-1]
                self.deleted.update(untag.deletes if isinstance(untag, Untag) else ())
        if len(self.actions) > first:
            previous = image.identity.digest
            self._tell(image, self.row(str(names[0]), target=None, first=first, cause=cause, previous=previous))

    def drop(self, image: LocalImage) -> None:
        """Plan that ``image``, which has no name, goes; nothing if it goes with one that was built on it."""
        target = held(image)
        deletes = self.world.drop(target, prunes=True) if image.id not in self.deleted else ()
        if not deletes:
            return
        first, name, told = len(self.actions), Unnamed("", image.id), shown(target)
        self._note(f"(no name) {name.familiar}", before=told, after="")
        previous = image.identity.digest
        basics = (self._next_id, name, "no name", (), None, previous, told, "", 0)
        self.actions.append(Drop(*basics, image, deletes))
        self.deleted.update(deletes)
        self._tell(image, self.row(image.id, target=None, first=first, cause="no name", previous=previous))

    def clear(self, leftover: Leftover) -> None:
        """Plan that what the collection left goes."""
        told = size_text(leftover.size)
        self._note(leftover.place, before=told, after="")
        name = Unnamed("", leftover.place)
        self.actions.append(Clear(self._next_id, name, leftover.what, (), None, None, told, "", 0, leftover))

    def _tell(self, image: LocalImage, row: Row) -> None:
        self.images.append(image)
        self.rows.append(row)


def _going(rule: Prune, observed: Observed) -> list[LocalImage]:
    """Return what goes: an image stays with one that has its ID or name, or that was built on it, and stays."""
    newest = _newest(observed, rule.newest)
    going = {at for at, image in enumerate(observed.images) if at not in newest and _is_meant(rule, image)}
    while True:
        staying = [image for at, image in enumerate(observed.images) if at not in going]
        kept = {key for image in staying for key in (*_keys(image), image.parent)}
        rest = {at for at in going if kept.isdisjoint(_keys(observed.images[at]))}
        if rest == going:
            return [observed.images[at] for at in sorted(going)]
        going = rest


def _named(going: Sequence[LocalImage]) -> list[LocalImage]:
    """Return those that have names, each image once and with all of them, in the order of these."""
    found: dict[str, LocalImage] = {}
    for image in going:
        if _names(image):
            other = found.get(image.id, image._replace(names=(), digest_names=()))
            names, digests = (*other.names, *image.names), (*other.digest_names, *image.digest_names)
            found[image.id] = other._replace(names=tuple(sorted(names, key=str)), digest_names=digests)
    return sorted(found.values(), key=lambda image: str(_names(image)[0]))


def _nameless(going: Sequence[LocalImage], observed: Observed) -> list[LocalImage]:
    """Return those that have no names, each before what it was built on, which may go along with it."""
    parents = {image.id: image.parent for image in observed.images}

    def ancestors(image: LocalImage) -> int:
        count, parent = 0, image.parent
        while parent:
            count, parent = count + 1, parents.get(parent, "")
        return count

    nameless = [image for image in going if not _names(image)]
    return sorted(nameless, key=lambda image: (-ancestors(image), image.id))


def _keys(image: LocalImage) -> Iterator[object]:
    """Yield what two rows of a list have in common when one cannot go without the other."""
    yield image.id
    yield from _names(image)
    if not image.names:
        yield image.identity.index_digest or image.id


def _names(image: LocalImage) -> tuple[Reference, ...]:
    return (*image.names, *image.digest_names)


def _may_go(rule: Prune, image: LocalImage) -> bool:
    """Tell whether ``image`` goes as far as names and containers matter."""
    is_free = image.is_dangling or (rule.takes_named and bool(_names(image)))
    return is_free and not image.used_by and not any(
        is_match(name, pattern) for name in _names(image) for pattern in rule.protect
    )


def _is_meant(rule: Prune, image: LocalImage) -> bool:
    if not _may_go(rule, image) or any(_has(image, label) for label in rule.other_labels):
        return False
    if not all(_has(image, label) for label in rule.labels):
        return False
    return rule.before is None or _made_at(image) < rule.before


def _has(image: LocalImage, label: str) -> bool:
    key, equals, value = label.partition("=")
    return key in image.labels and (not equals or image.labels[key] == value)


def _made_at(image: LocalImage) -> float:
    """Return the seconds since 1970; infinity where it is not told, or set to 1970 so that builds can be repeated."""
    return (moment_of(image.created) if image.created else None) or math.inf


def _newest(observed: Observed, count: int) -> set[int]:
    """Return the places of the ``count`` newest images of each repository, and of those without an age."""
    if not count:
        return set()
    of_repository: dict[str, dict[str, float]] = {}
    for image in observed.images:
        for name in _names(image):
            of_repository.setdefault(name.repository, {})[image.id] = _made_at(image)
    kept: set[str] = set()
    for ages in of_repository.values():
        told = sorted(((made, image) for image, made in ages.items() if made < math.inf), reverse=True)
        kept.update(image for _made, image in told[:count])
        kept.update(image for image, made in ages.items() if made == math.inf)
    return {at for at, image in enumerate(observed.images) if image.id in kept}


def _ageless(rule: Prune, observed: Observed) -> list[str]:
    """Return a warning about images that stay because nothing tells how old they are."""
    if rule.before is None and not rule.newest:
        return []
    ids = {image.id for image in observed.images if _may_go(rule, image) and _made_at(image) == math.inf}
    if not ids:
        return []
    told = "1 image stays" if len(ids) == 1 else f"{len(ids)} images stay"
    return [f"{told} because nothing tells when they were made: builds that can be repeated say 1970"]
