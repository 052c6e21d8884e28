# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes, and what must stay: names wanted absent, names not listed, and the claims of what is wanted."""

from __future__ import annotations

import typing as t
from fnmatch import fnmatchcase

from ..model.errors import InputError
from ..model.host import Identity
from ..model.reference import ImageId, Reference
from .draft import digest_of
from .questions import local_image, names_of

if t.TYPE_CHECKING:
    from ..model.host import LocalImage, Observed
    from .desired import Desired, DesiredImage
    from .draft import Draft
    from .plan import Row


def claims_of(draft: Draft, item: DesiredImage) -> set[Reference]:
    """Return the names that must stay so that the host goes on holding ``item``: a pin's repository has many."""
    found = {name for name in item.tags if name in draft.world.names}
    for name in item.candidates:
        if isinstance(name, ImageId):
            image = draft.observed.find(name)
            return found.union(image.names if image is not None else ())
        if name.without_digest() in draft.world.names:
            return found | {name.without_digest()}
        pinned = draft.observed.pinned(name) if name.tag is None else None
        if pinned is not None:
            return found.union(other for other in pinned.names if other.repository == name.repository)
    return found


def plan_absent(draft: Draft, item: DesiredImage) -> Row:
    """Plan that the host does not hold ``item``, after all that is wanted is planned; return its row.

    Raises:
        InputError: another item wants what would go.
        ConflictError: an image ID is ambiguous.
    """
    first = len(draft.actions)
    image = local_image(item, draft.observed)
    for name, path in draft.claims.items():
        if _is_brought(name, item, draft=draft):
            raise _wanted_too(item, name, path=path)
    for name in _names_to_remove(item, image, observed=draft.observed) if image is not None else ():
        target, there = draft.world.names.get(name), draft.observed.by_name[name]
        if target is None or (target.made_by and not target.is_same_image(there.identity)):
            continue  # gone, or moved to another image by an item that wants it there
        if name in draft.claims:
            raise _wanted_too(item, name, path=draft.claims[name])
        draft.untag(name, cause="wanted absent")
    digest = image.identity.digest if image is not None and len(draft.actions) > first else None
    shown = shown_name(item, image) if image is not None else str(item.wanted)
    return draft.row(shown, target=None, first=first, cause="absent", previous=digest)


def plan_unlisted(draft: Draft, desired: Desired) -> None:
    """Plan that every name goes that no item asks for and no pattern protects, with a row for each."""
    wanted = [item for item in desired.images if item.is_present]
    listed = {name for item in wanted for name in (*names_of(item), *(item.build.bases if item.build else ()))}
    for name in sorted(draft.world.names, key=str):
        if name in listed or name in draft.claims or any(is_match(name, pattern) for pattern in desired.protect):
            continue
        first, previous = len(draft.actions), digest_of(draft.world.names[name])
        draft.untag(name, cause="not listed")
        draft.rows.append(draft.row(str(name), target=None, first=first, cause="", previous=previous))


def _is_brought(name: Reference, item: DesiredImage, *, draft: Draft) -> bool:
    """Tell whether this plan lets ``name`` hold the bytes that ``item`` wants gone: the next plan would remove it."""
    target = draft.world.names[name]
    if not target.made_by or not isinstance(target.identity, Identity):
        return False
    digests = target.identity.digests
    for wanted in item.candidates:
        if not isinstance(wanted, ImageId):
            if wanted.tag is None and wanted.digest in digests and wanted.repository == name.repository:
                return True
        elif wanted.name not in draft.observed.by_name:
            return any(digest.encoded.startswith(wanted.prefix) for digest in digests)
    return False


def _names_to_remove(item: DesiredImage, image: LocalImage, *, observed: Observed) -> list[Reference]:
    """A tag goes alone; a digest takes its repository's names along, an ID all names: both mean the bytes."""
    for name in item.candidates:
        if isinstance(name, ImageId):
            if name.name is not None and name.name in image.names:
                return [name.name]
            return sorted((other for same in observed.images if same.id == image.id for other in same.names), key=str)
        if name.tag is not None and name.without_digest() in image.names:
            return [name.without_digest()]
        same_bytes = observed.with_digest(name.digest) if name.tag is None and name.digest is not None else ()
        own = [other for same in same_bytes for other in same.names if other.repository == name.repository]
        if own:
            return sorted(own, key=str)
    return []


def _wanted_too(item: DesiredImage, name: Reference, *, path: str) -> InputError:
    return InputError(
        f"{item.path}: without {item.wanted} the host has no {name.familiar}, which {path} wants present",
        fix="keep one of the two",
        subject=item.path,
    )


def is_match(name: Reference, pattern: str) -> bool:
    """Tell whether the shell wildcards of ``pattern`` match the full or the familiar form of ``name``."""
    return fnmatchcase(str(name), pattern) or fnmatchcase(name.familiar, pattern)


def shown_name(item: DesiredImage, image: LocalImage) -> str:
    """Return the meaning of ``item``'s name that ``image`` has, as rows show it."""
    for name in item.candidates:
        if isinstance(name, Reference) and (name.without_digest() in image.names or name.tag is None):
            return str(name.without_digest())
    return str(item.wanted)
