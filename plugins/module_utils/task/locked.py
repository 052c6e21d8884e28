# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock on a host: what is to be had from registries becomes the very images that the lock says."""

from __future__ import annotations

import typing as t

from ..model.errors import ImagesError, NotFoundError, raise_problems
from ..model.lock import lock_of
from ..model.reference import Reference
from ..plan.questions import names_made_by
from .desired import read_state

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.host import Identity, Observed
    from ..model.lock import Lock, LockedImage
    from ..model.platform import Platform
    from ..plan.desired import Desired, DesiredImage


def read_locked_state(params: Mapping[str, t.Any]) -> Desired:
    """Return what ``image_state`` wants with its option ``lock``, which the control node has read.

    Raises:
        InputError: as ``read_state`` and ``lock_of``.
    """
    desired = read_state(params)
    lock = lock_of(params["lock"], subject="lock")
    return desired._replace(pins=LockPins(lock, is_complete=params["lock_missing"] == "fail"))


class LockPins:
    """Implements Pins. What a ``complete`` lock lacks is an error, else it is had as without a lock."""

    def __init__(self, lock: Lock, *, is_complete: bool) -> None:
        self._lock = lock
        self._is_complete = is_complete

    def pin(self, desired: Desired, *, observed: Observed) -> Desired:
        """Return ``desired`` with each image locked that neither a build nor an earlier item provides.

        Raises:
            NotFoundError: not-in-lock; lock-platform-missing. With several such images all are told.
        """
        problems: dict[str, ImagesError] = {}
        images: list[DesiredImage] = []
        given: set[Reference] = set()
        for item in desired.images:
            is_wanted = item.is_present and item.build is None
            try:
                pinned = self._pinned(item, given=given, observed=observed) if is_wanted else item
            except ImagesError as error:
                problems[item.path] = error
                pinned = item
            images.append(pinned)
            given |= names_made_by(pinned) if item.is_present else set()
        raise_problems(problems)
        return desired._replace(images=tuple(images))

    def base(self, reference: Reference, *, platform: Platform, is_given: bool) -> Identity | None:
        """Return what a build starts from; None when the lock need not say it.

        Raises:
            NotFoundError: not-in-lock; lock-platform-missing.
        """
        locked = self._lock.images.get(str(reference))
        if locked is not None:
            return _identity(reference, locked, platform=platform, subject=str(reference))
        if self._is_complete and not is_given:
            raise _not_in_lock([reference], subject=str(reference))
        return None

    def _pinned(self, item: DesiredImage, *, given: set[Reference], observed: Observed) -> DesiredImage:
        names = [name for name in item.candidates if isinstance(name, Reference)]
        for name in names:
            locked = self._lock.images.get(str(name))
            if locked is not None:
                platform = item.platform or observed.platform
                identity = _identity(name, locked, platform=platform, subject=item.path)
                return item._replace(candidates=(name._replace(digest=locked.digest),), locked=identity)
        if self._is_complete and not any(name.without_digest() in given for name in names):
            raise _not_in_lock(names, subject=item.path)
        return item


def _identity(name: Reference, locked: LockedImage, *, platform: Platform, subject: str) -> Identity:
    found = locked.identity(platform)
    if found is None:
        raise NotFoundError(
            f"The lock has no {name.familiar} for {platform}",
            code="lock-platform-missing",
            why=f"it has it for: {', '.join(sorted(locked.platforms))}",
            fix="lock it for this platform with fleet.images.image_lock, or set platform to one that is there",
            subject=subject,
        )
    return found


def _not_in_lock(names: Sequence[Reference], *, subject: str) -> NotFoundError:
    return NotFoundError(
        f"{' or '.join(name.familiar for name in names)} is not in the lock",
        code="not-in-lock",
        fix="lock it with fleet.images.image_lock, or set lock_missing to resolve",
        subject=subject,
    )
