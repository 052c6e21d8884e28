# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One archive with any number of images, for every engine: an OCI image layout that tells Docker what is in it.

Docker before release 25 reads ``manifest.json`` alone, and takes compressed layers. Content that images share is there
once. The same images in the same order give the same bytes.

Source: OCI image-spec v1.1 image-layout.md; Docker Image Specification v1.2, ``manifest.json``.
"""

from __future__ import annotations

import typing as t

from ..model.annotations import IMAGE_NAME, INDEX_DIGEST
from .archives import BLOCK
from .image_archives import (
    INDEX_FILE,
    LAYOUT_VERSION,
    MANIFEST_FILE,
    REF_NAME,
    blob_path,
    index_json,
    json_bytes,
    member,
    streamed_member,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.index import Index
    from ..model.manifest import Manifest
    from ..model.reference import Reference
    from .base import BaseImage


LISTING = "fleet-images.json"
"""The file of a hollow archive that tells the sizes of what is not in it, by path."""


class Packed(t.NamedTuple):
    """An image to be written under ``names``, and the index it was chosen from, as far as that is known and here.

    With ``siblings``, all other images of the index in ``document``, the names mean the whole of it.
    """

    names: tuple[Reference, ...]
    image: BaseImage
    index_digest: Digest | None = None
    document: Index | None = None
    siblings: tuple[Manifest, ...] = ()


def archive_pieces(images: Iterable[Packed], *, is_hollow: bool = False) -> Iterator[bytes]:
    """Yield the archive. Each image is read when its turn comes, and not used any longer when the next one is taken.

    One that ``is_hollow`` tells all of its layers in LISTING and holds none: enough to know what is in it.

    Raises:
        IntegrityError: digest-mismatch: content is damaged.
        ImagesError: content cannot be read.
    """
    entries: list[Descriptor] = []
    rows: dict[Digest, dict[str, t.Any]] = {}
    written: set[Digest] = set()
    listed: dict[str, int] = {}
    yield member("oci-layout", LAYOUT_VERSION)
    for packed in images:
        yield from _documents(packed, written)
        for blob in _layers(packed, written):
            if is_hollow:
                listed[blob_path(blob.digest)] = blob.size
            else:
                yield from streamed_member(blob_path(blob.digest), packed.image.source.open(blob), expected=blob)
        entries += [entry for entry in _entries(packed) if entry not in entries]
        row = rows.setdefault(packed.image.config.digest, _saved_row(packed))
        row["RepoTags"] = [*(row["RepoTags"] or ()), *(str(name) for name in packed.names if name.tag)] or None
    yield member(INDEX_FILE, index_json(entries))
    yield member(MANIFEST_FILE, json_bytes(list(rows.values())))
    if is_hollow:
        yield member(LISTING, json_bytes(listed))
    yield bytes(2 * BLOCK)


def _documents(packed: Packed, written: set[Digest]) -> Iterator[bytes]:
    documents = {packed.document.descriptor.digest: packed.document.raw} if packed.document is not None else {}
    manifests = (packed.image.manifest, *packed.siblings)
    documents.update((manifest.descriptor.digest, manifest.raw) for manifest in manifests)
    configs = {manifest.config.digest: manifest.config for manifest in manifests}.values()
    for digest, raw in documents.items():
        if digest not in written:
            written.add(digest)
            yield member(blob_path(digest), raw)
    for config in configs:
        if config.digest not in written:
            written.add(config.digest)
            yield from streamed_member(blob_path(config.digest), packed.image.source.open(config), expected=config)


def _layers(packed: Packed, written: set[Digest]) -> Iterator[Descriptor]:
    """Yield the layers that are not ``written`` yet, and note them."""
    for manifest in (packed.image.manifest, *packed.siblings):
        for blob in manifest.moved_blobs():
            if blob.digest not in written:
                written.add(blob.digest)
                yield blob


def _entries(packed: Packed) -> Iterator[Descriptor]:
    """Yield the entries of ``index.json``: one a name, for tools look for a name in one place."""
    if packed.document is not None and packed.siblings:
        target = packed.document.descriptor
    else:
        target = packed.image.manifest.descriptor._replace(platform=packed.image.config.platform)
        if packed.index_digest is not None:
            target = target._replace(annotations={INDEX_DIGEST: str(packed.index_digest)})
    for name in packed.names:
        yield target._replace(annotations={**target.annotations, IMAGE_NAME: str(name), REF_NAME: str(name)})
    if not packed.names:
        yield target


def _saved_row(packed: Packed) -> dict[str, t.Any]:
    layers = [blob_path(layer.digest) for layer in packed.image.manifest.layers]
    return {"Config": blob_path(packed.image.config.digest), "RepoTags": None, "Layers": layers}
