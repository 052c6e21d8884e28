# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes: names wanted absent, and names that are not listed."""

from __future__ import annotations

import typing as t

from ..model.errors import ConflictError, InputError
from ..model.host import Identity
from ..model.reference import ImageId, Reference
from .claims import shown_name
from .draft import digest_of
from .patterns import is_match
from .questions import local_image, names_of
from .world import held

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.host import LocalImage
    from .desired import Desired, DesiredImage, InUse
    from .draft import Draft
    from .plan import Row


def plan_absent(draft: Draft, item: DesiredImage, *, in_use: InUse) -> Row:
    """Plan that the host does not hold ``item``, after all that is wanted is planned; return its row.

    Raises:
        InputError: another item wants what would go.
        ConflictError: an image ID is ambiguous; image-in-use, and ``in_use`` is "fail".
    """
    first = len(draft.actions)
    image = local_image(item, draft.observed)
    for name, path in draft.claims.items():
        if _is_brought(name, item, draft=draft):
            raise _wanted_too(item, name, path=path)
    if image is None:
        return draft.row(str(item.wanted), target=None, first=first, cause="absent")
    going = _names_to_remove(item, image, draft=draft)
    for name in going:
        if name in draft.claims:
            raise _wanted_too(item, name, path=draft.claims[name])
    staying = names_in_use(draft, going) if in_use != "untag" else {}
    if staying and in_use == "fail":
        raise in_use_error(f"{item.path}: {item.wanted}", staying, subject=item.path)
    for name in going:
        if name not in staying:
            draft.untag(name, cause="wanted absent")
    draft.warnings += stay_warnings(staying, "wanted absent")
    there = next((draft.world.names[name] for name in staying), None)
    digest = image.identity.digest if there is not None or len(draft.actions) > first else None
    cause = f"in use by {next(iter(staying.values()))}" if staying else "absent"
    return draft.row(shown_name(item, image), target=there, first=first, cause=cause, previous=digest)


def plan_unlisted(draft: Draft, desired: Desired) -> None:
    """Plan that every name goes that no item asks for and no pattern protects, with a row for each.

    Raises:
        ConflictError: image-in-use, and ``desired.in_use`` is "fail".
    """
    wanted = [item for item in desired.images if item.is_present]
    listed = {name for item in wanted for name in (*names_of(item), *(item.build.bases if item.build else ()))}
    kept = listed | draft.claims.keys()
    going = [
        name
        for name in sorted(draft.world.names, key=str)
        if name not in kept and not any(is_match(name, pattern) for pattern in desired.protect)
    ]
    staying = names_in_use(draft, going) if desired.in_use != "untag" else {}
    if staying and desired.in_use == "fail":
        raise in_use_error("What is not listed", staying, subject="unlisted")
    leftovers = [name for name in going if name.tag is None and name not in draft.observed.by_name]
    for name in going:
        first, there = len(draft.actions), draft.world.names[name]
        if name in leftovers:
            continue
        if name not in staying:
            draft.untag(name, cause="not listed")
        row_target = there if name in staying else None
        cause = f"in use by {staying.get(name, '')}"
        row = draft.row(str(name), target=row_target, first=first, cause=cause, previous=digest_of(there))
        draft.rows.append(row)
    for name in leftovers:
        if name not in staying:
            draft.leave(name)
    draft.warnings += stay_warnings(staying, "not listed")


def names_in_use(draft: Draft, going: Sequence[Reference]) -> dict[Reference, str]:
    """Return those of the names ``going`` with which an image would lose its last while containers use it.

    Each with the names of these containers.
    """
    world, found = draft.world, {}
    leaving = set(going)
    for name in going:
        target = world.names[name]
        users = world.users(target)
        if users and not any(
            world.is_same(there, target) for other, there in world.names.items() if other not in leaving
        ):
            found[name] = ", ".join(sorted(user.name for user in users))
    return found


def stay_warnings(staying: dict[Reference, str], why_gone: str) -> list[str]:
    """Return a warning for each set of containers that keeps names which should go."""
    named: dict[str, list[str]] = {}
    for name, users in staying.items():
        named.setdefault(users, []).append(name.familiar)
    return [
        f"{', '.join(names)} {'stay' if len(names) > 1 else 'stays'} although {why_gone}: in use by {users}"
        for users, names in named.items()
    ]


def in_use_error(what: str, staying: dict[Reference, str], *, subject: str) -> ConflictError:
    """Return the error of names that should go while containers use their images."""
    return ConflictError(
        f"{what} is in use",
        code="image-in-use",
        why="; ".join(f"{name.familiar} is used by {users}" for name, users in staying.items()),
        fix="remove these containers first, or set in_use to skip (the image stays) or untag (only its names go)",
        subject=subject,
    )


def _is_brought(name: Reference, item: DesiredImage, *, draft: Draft) -> bool:
    """Tell whether this plan lets ``name`` hold the bytes that ``item`` wants gone: the next plan would remove it."""
    target = draft.world.names.get(name)  # None: a digest beside a tag by now, which claims the same bytes
    if target is None or not target.made_by or not isinstance(target.identity, Identity):
        return False
    digests = target.identity.digests
    for wanted in item.candidates:
        if not isinstance(wanted, ImageId):
            if wanted.tag is None and wanted.digest in digests and wanted.repository == name.repository:
                return True
        elif wanted.name not in draft.observed.by_name:
            return any(digest.encoded.startswith(wanted.prefix) for digest in digests)
    return False


def _names_to_remove(item: DesiredImage, image: LocalImage, *, draft: Draft) -> list[Reference]:
    """A tag goes alone; a digest takes its repository's names along, an ID all names: both mean the bytes.

    Names that are gone by now, or moved to another image by an item that wants them there, are none of them.
    """
    for name in item.candidates:
        if isinstance(name, ImageId):
            own = _names_now([image], draft=draft)
            return [other for other in own if other == name.name] if name.name in image.names else own
        if name.tag is not None and name.without_digest() in image.names:
            return [other for other in _names_now([image], draft=draft) if other == name.without_digest()]
        same_bytes = draft.observed.with_digest(name.digest) if name.tag is None and name.digest is not None else ()
        own = [other for other in _names_now(same_bytes, draft=draft) if other.repository == name.repository]
        if own:
            return own
    return []


def _names_now(images: Sequence[LocalImage], *, draft: Draft) -> list[Reference]:
    """Return the names that lead to any of ``images`` after what is planned so far, in order."""
    rows, world = [held(image) for image in images], draft.world
    found = [name for name, there in world.names.items() if any(world.is_same(there, row) for row in rows)]
    return sorted(found, key=str)


def _wanted_too(item: DesiredImage, name: Reference, *, path: str) -> InputError:
    return InputError(
        f"{item.path}: without {item.wanted} the host has no {name.familiar}, by which it holds what {path} wants",
        fix="keep one of the two",
        subject=item.path,
    )
