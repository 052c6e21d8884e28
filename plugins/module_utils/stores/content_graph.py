# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a manifest needs beside itself."""

from __future__ import annotations

import typing as t

from ..model.annotations import INDEX_DIGEST
from ..model.digest import Digest
from ..model.errors import ConflictError, InputError, NotFoundError
from ..model.index import Index
from ..model.manifest import parse_manifest

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..model.descriptor import Descriptor
    from ..model.manifest import Manifest
    from ..model.reference import Reference
    from .base import StoredName

_NAMES_SHOWN = 10


def children(document: Manifest | Index) -> list[Descriptor]:
    """Return what must be stored with ``document``: config and layers, or the manifests of an index, each once.

    Layers that must not be distributed are left out.
    """
    if isinstance(document, Index):
        return list({entry.digest: entry for entry in document.manifests}.values())
    return document.moved_blobs()


def children_of(raw: bytes, descriptor: Descriptor) -> list[Descriptor]:
    """Return what must be stored with the manifest or index ``raw``.

    Raises:
        PeerError: ``raw`` is no manifest of the type that ``descriptor`` says.
    """
    return children(parse_manifest(raw, media_type=descriptor.media_type, subject=str(descriptor.digest)))


def chosen_from(descriptor: Descriptor) -> Digest | None:
    """Return the digest of the index that the image ``descriptor`` was chosen from, as far as it tells."""
    text = descriptor.annotations.get(INDEX_DIGEST)
    try:
        return Digest.parse(text) if text else None
    except InputError:
        return None


def refuse_missing(missing: Iterable[Descriptor], parent: Descriptor) -> None:
    """Confirm that nothing is missing below ``parent``.

    Raises:
        ConflictError: missing-child, naming all that is.
    """
    digests = [str(part.digest) for part in missing]
    if digests:
        raise ConflictError(
            f"The manifest {parent.digest} cannot be stored before what it refers to",
            code="missing-child",
            why=f"not there: {', '.join(digests)}",
            fix="run the task again: it stores what is missing first",
            subject=str(parent.digest),
        )


def target_of(reference: Reference, names: Sequence[StoredName], *, held: Descriptor | None) -> Descriptor:
    """Return what ``reference`` means among ``names``; ``held`` is the stored document that its digest names, if any.

    A pin decides: the name counts only where it leads to the pinned manifest, or to one chosen from the pinned index.

    Raises:
        NotFoundError: image-not-found.
    """
    pin, chosen = str(reference.digest or ""), None
    for stored in names:
        target = stored.descriptor
        is_pinned_one = pin in (str(target.digest), target.annotations.get(INDEX_DIGEST))
        if stored.reference == reference.without_digest() and (is_pinned_one or not pin):
            return target
        if is_pinned_one:
            chosen = target
    found = held or chosen
    if found is None:
        raise image_not_found(reference, names)
    return found


def image_not_found(reference: Reference, names: Sequence[StoredName]) -> NotFoundError:
    """Return the error for a name that no image has; ``names`` are those there are."""
    known = [stored.reference for stored in names]
    near = [name.familiar for name in known if name.repository == reference.repository] or [
        name.familiar for name in known
    ]
    more = f" and {len(near) - _NAMES_SHOWN} more" if len(near) > _NAMES_SHOWN else ""
    return NotFoundError(
        f"There is no image {reference.familiar} in the store",
        code="image-not-found",
        why=f"it holds {', '.join(near[:_NAMES_SHOWN])}{more}" if near else "it holds no names",
        fix="pull, build or load the image first, or correct the name",
        subject=str(reference),
    )


def blob_not_found(descriptor: Descriptor) -> NotFoundError:
    """Return the error for content that is not there."""
    return NotFoundError(
        f"The content {descriptor.digest} is not in the store",
        code="blob-not-found",
        why=f"{descriptor.size} bytes of type {descriptor.media_type or 'unknown'} are referred to and not there",
        fix="pull the image again: what is missing is fetched, what is there is kept",
        subject=str(descriptor.digest),
    )
