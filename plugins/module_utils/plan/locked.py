# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a host holds an image that is locked. Imported where there is a lock."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError
from ..model.reference import Reference

if t.TYPE_CHECKING:
    from ..model.host import Identity, LocalImage, Observed
    from .desired import DesiredImage


def under_its_name(item: DesiredImage, locked: Identity, *, observed: Observed) -> LocalImage | None:
    """Return the image that ``item``'s name points at, if it is the locked one."""
    image = _there(item, observed)
    return image if image is not None and _is_locked(image, locked, observed=observed) else None


def under_other_names(locked: Identity, *, observed: Observed) -> LocalImage | None:
    """Return the locked image, complete, whatever it is called."""
    known = sorted(locked.digests, key=str)
    alike = (image for digest in known for image in observed.with_digest(digest) if image.is_complete)
    return next((image for image in alike if _is_locked(image, locked, observed=observed)), None)


def is_sibling_there(item: DesiredImage, locked: Identity, *, observed: Observed) -> bool:
    """Tell whether ``item``'s name points at what the locked image's index has for another platform."""
    image = _there(item, observed)
    return image is not None and locked.index_digest in image.identity.digests


def lock_conflict(item: DesiredImage, locked: Identity, *, name: Reference) -> InputError:
    """Return the error for a ``name`` that an earlier item gives to another image than the locked one."""
    return InputError(
        f"{item.path}: {name.familiar} is locked, and an earlier item gives this name to another image",
        code="lock-conflict",
        why=f"the lock has {locked.digest}",
        fix="give the earlier item another name, or take this one out of the lock",
        subject=item.path,
    )


def _there(item: DesiredImage, observed: Observed) -> LocalImage | None:
    (name,) = (name for name in item.candidates if isinstance(name, Reference))
    return observed.by_name.get(name.without_digest()) or (observed.pinned(name) if name.tag is None else None)


def _is_locked(image: LocalImage, locked: Identity, *, observed: Observed) -> bool:
    """Tell whether ``image`` is the locked one: by its config, else by its manifest, else by any digest in common.

    The config goes first: some engines do not tell whether a digest is an index's or a manifest's. Of an image of which
    only the index is known, manifest and config of the locked one must be there.
    """
    there = image.identity
    if there.config_digest is not None and locked.config_digest is not None:
        return there.config_digest == locked.config_digest
    if there.is_known_by_index_alone and observed.blobs:
        parts = {digest for digest in (locked.manifest_digest, locked.config_digest) if digest is not None}
        return there.index_digest == locked.index_digest and parts <= observed.blobs
    return there.is_same_image(locked)
