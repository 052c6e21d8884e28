# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is in an image layout, seen as images: read once, quickly, and told even where parts are damaged."""

from __future__ import annotations

import typing as t

from ..model import media_types
from ..model.descriptor import Descriptor
from ..model.digest import Digest
from ..model.errors import PeerError, UnsupportedError
from ..model.image_config import ImageConfig, parse_config
from ..model.index import Index
from ..model.manifest import Manifest, parse_manifest
from .base import DOCUMENT_LIMIT
from .content_graph import chosen_from

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..model.reference import Reference
    from .layout_blobs import BlobDirectory
    from .layout_index import LayoutEntry


class LayoutImage(t.NamedTuple):
    """One image of the store.

    ``index_digest`` is the index it was chosen from or is stored with. ``manifest`` is None when its bytes are missing
    or damaged, ``config`` too, and when the content is no container image. ``missing`` holds what must be fetched
    again, manifest first. ``names`` are sorted; an image may have none. ``index_size`` is in bytes, of the index with
    all it leads to; 0 unless all of that is here. ``is_nameless``: it has no name that cannot be read, either.
    """

    descriptor: Descriptor
    index_digest: Digest | None
    manifest: Manifest | None
    config: ImageConfig | None
    names: tuple[Reference, ...]
    missing: tuple[Digest, ...]
    index_size: int = 0
    is_nameless: bool = False


class _Content(t.NamedTuple):
    manifest: Manifest | None
    config: ImageConfig | None
    missing: tuple[Digest, ...]


class ImageReader:
    """Reads each document once, however many names lead to it, and asks the disk once for the sizes of all blobs."""

    def __init__(self, blobs: BlobDirectory) -> None:
        self._blobs = blobs
        self._sizes = blobs.sizes()
        self._contents: dict[Digest, _Content] = {}
        self._index_sizes: dict[Digest, int] = {}

    def images(self, entries: Sequence[LayoutEntry]) -> list[LayoutImage]:
        """Return a row for each pair of manifest and index that ``entries`` lead to, in their order.

        Of an index stored whole, the images that are here are told. Never raises for a damaged image: its row says what
        is missing.
        """
        last = {entry.reference: at for at, entry in enumerate(entries)}
        names: dict[tuple[Digest, Digest | None], set[Reference]] = {}
        targets: dict[tuple[Digest, Digest | None], Descriptor] = {}
        named: set[tuple[Digest, Digest | None]] = set()
        for at, entry in enumerate(entries):
            for target, index_digest in self._targets(entry.descriptor, chosen_from(entry.descriptor)):
                key = (target.digest, index_digest)
                targets.setdefault(key, target)
                names.setdefault(key, set())
                named.update(() if entry.is_nameless else (key,))
                if entry.reference is not None and last[entry.reference] == at:
                    names[key].add(entry.reference)
        rows = [(key, self._row(target, key[1], names=names[key])) for key, target in targets.items()]
        return [row if key in named else row._replace(is_nameless=True) for key, row in rows]

    def _targets(
        self, descriptor: Descriptor, index_digest: Digest | None
    ) -> Iterator[tuple[Descriptor, Digest | None]]:
        if not media_types.is_index(descriptor.media_type):
            yield descriptor, index_digest
            return
        index = self._document(descriptor)
        if not isinstance(index, Index):
            yield descriptor, descriptor.digest
            return
        for child in index.images():
            if child.digest in self._sizes:
                yield from self._targets(child, index_digest or descriptor.digest)

    def _row(self, target: Descriptor, index_digest: Digest | None, *, names: set[Reference]) -> LayoutImage:
        content = self._content_of(target)
        row = LayoutImage(
            target, index_digest, content.manifest, content.config, tuple(sorted(names, key=str)), content.missing
        )
        return row if index_digest is None else row._replace(index_size=self._index_size(index_digest))

    def _index_size(self, digest: Digest) -> int:
        if digest not in self._index_sizes:
            size = self._sizes.get(digest)  # of an image that was pulled, the index stays at the registry
            self._index_sizes[digest] = self._size_of_all(Descriptor("", digest, size)) if size is not None else 0
        return self._index_sizes[digest]

    def _size_of_all(self, descriptor: Descriptor) -> int:
        """Return the bytes of an index with all images that it leads to, each blob once; 0 when one is not here."""
        index = self._document(descriptor)
        if not isinstance(index, Index):
            return 0
        sizes = {descriptor.digest: descriptor.size}
        for child in index.manifests:
            content = self._content_of(child)
            if content.manifest is None or content.missing:
                return 0
            sizes.update((part.digest, part.size) for part in (child, *content.manifest.moved_blobs()))
        return sum(sizes.values())

    def _content_of(self, target: Descriptor) -> _Content:
        content = self._contents.get(target.digest)
        if content is None:
            content = self._contents[target.digest] = self._content(target)
        return content

    def _content(self, target: Descriptor) -> _Content:
        manifest = self._document(target)
        if not isinstance(manifest, Manifest):
            return _Content(None, None, (target.digest,))
        parts = manifest.moved_blobs()
        missing = [part.digest for part in parts if self._sizes.get(part.digest) != part.size]
        config = None
        if media_types.is_config(manifest.config.media_type):
            raw = self._verified(manifest.config)
            if raw is None:
                missing = list(dict.fromkeys((manifest.config.digest, *missing)))
            else:
                config = _config(raw, target)
        return _Content(manifest, config, tuple(missing))

    def _document(self, descriptor: Descriptor) -> Manifest | Index | None:
        raw = self._verified(descriptor)
        try:
            return None if raw is None else parse_manifest(raw, media_type=descriptor.media_type)
        except PeerError:
            return None

    def _verified(self, descriptor: Descriptor) -> bytes | None:
        """Return the content of a document; None when it is missing or damaged.

        Does in few steps what ``BlobDirectory.read`` does: reading is most of the time that listing an image takes.
        """
        size = self._sizes.get(descriptor.digest)
        if size is None or size != descriptor.size or size > DOCUMENT_LIMIT:
            return None
        try:
            content = self._blobs.content(descriptor.digest, size)
            return content if descriptor.digest.is_of(content) else None
        except (FileNotFoundError, UnsupportedError):
            return None


def _config(raw: bytes, target: Descriptor) -> ImageConfig | None:
    try:
        return parse_config(raw, subject=str(target.digest))
    except PeerError:
        return None  # these are the promised bytes, and no image config: the image is broken where it was built
