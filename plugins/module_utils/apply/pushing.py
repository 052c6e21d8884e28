# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting an image, or an index with all of its images, from a content store into a repository of a registry."""

from __future__ import annotations

import typing as t

from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.manifest import Manifest, parse_manifest
from .transfer import BlobCopy, Copies, patiently

if t.TYPE_CHECKING:
    from ..model.digest import Digest
    from ..model.index import Index
    from ..model.reference import Reference
    from ..stores.base import ContentStore
    from .transfer import Patience


def push_content(
    digest: Digest, *, content: ContentStore, target: ContentStore, reference: Reference, patience: Patience
) -> int:
    """Let ``reference`` in ``target`` name the manifest or index ``digest`` of ``content``; return the bytes moved.

    Blobs go first, the biggest of all images before, then the images of an index, then what gets the name: whatever
    stops it, the name leads to what is complete.

    Raises:
        ImagesError: something is not in ``content``, or the registry does not take it.
    """
    document = _document(Descriptor("", digest, UNKNOWN_SIZE), content)
    is_one = isinstance(document, Manifest)
    images = [document] if isinstance(document, Manifest) else _images(document, content)
    blobs = {blob.digest: blob for image in images for blob in image.moved_blobs()}
    copies = Copies([BlobCopy(blob, content, target) for blob in blobs.values()], patience=patience)
    copies.run(lambda digest: None)
    if copies.failed:
        raise next(iter(copies.failed.values()))
    for image in () if is_one else images:
        _put(image, target=target, patience=patience)
    _put(document, target=target, patience=patience, reference=reference)
    return copies.moved


def _images(index: Index, content: ContentStore) -> list[Manifest]:
    found = (_document(entry, content) for entry in index.manifests)
    return [document for document in found if isinstance(document, Manifest)]


def _document(descriptor: Descriptor, content: ContentStore) -> Manifest | Index:
    raw = content.read(descriptor)
    document = parse_manifest(raw, media_type=descriptor.media_type, subject=str(descriptor.digest))
    return document._replace(descriptor=document.descriptor._replace(digest=descriptor.digest))


def _put(
    document: Manifest | Index, *, target: ContentStore, patience: Patience, reference: Reference | None = None
) -> None:
    patiently(lambda: target.put_manifest(document.raw, document.descriptor, reference=reference), patience)
