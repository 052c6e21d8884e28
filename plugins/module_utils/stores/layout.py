# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The embedded store: an OCI image layout directory that skopeo, podman, buildah and umoci read as well."""

from __future__ import annotations

import contextlib
import io
import typing as t

from ..model import media_types
from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.manifest import parse_manifest
from . import content_graph
from .layout_blobs import UNREADABLE, BlobDirectory
from .layout_files import explained, make_directory, replace_file
from .layout_images import ImageReader
from .layout_index import LayoutEntry, LayoutIndex, store_damaged
from .layout_root import STATE, open_root

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from ..model.digest import Digest
    from ..model.reference import Reference
    from ..wire.streams import OpenAt, ReadStream
    from .base import ContentStore, StoredName
    from .layout_collect import Collected
    from .layout_images import LayoutImage


class LayoutStore:
    """Implements ContentStore on the directory ``root``. Threads and processes may share it.

    Order of publishing: partial file, verified, made durable, renamed; children before parents; ``index.json`` last,
    by the same steps, under one lock held while it is read, changed and replaced. So whatever stops a writer, and
    whenever, every name leads to complete content. Reading needs no lock: files are replaced whole. Tools that write
    the same layout without this lock (skopeo, umoci) must not do so at the same moment.

    Images are kept as they were published, Docker's media types included. skopeo 1.9 finds those by name in a registry
    only, not in a layout, and umoci 0.4 does not know what they refer to: its ``gc`` removes their config and layers.
    ``images`` tells that then, and writing them again mends it.

    Source: OCI image-spec v1.1 image-layout.md.
    """

    def __init__(self, root: Path, *, create: bool = False) -> None:
        """Open the layout at ``root``; with ``create`` make it where there is nothing, or an empty directory.

        Raises:
            NotFoundError: store-not-found, there is nothing and ``create`` is False.
            InputError: not-a-layout, there is something else; store-permission.
            UnsupportedError: layout-version.
            IntegrityError: store-damaged.
        """
        with explained(root):
            open_root(root, create=create)
        self.root = root
        self._blobs = BlobDirectory(root)
        self._state = root / STATE
        self._index_path = root / "index.json"

    def resolve(self, reference: Reference) -> Descriptor:
        """See ContentStore."""
        return content_graph.target_of(reference, self.names(), held=self._held(reference.digest))

    def has(self, descriptor: Descriptor) -> bool:
        """See ContentStore. What is here is safe from ``collect`` for its grace period from now on."""
        return self._blobs.has(descriptor)

    def read(self, descriptor: Descriptor) -> bytes:
        """See ContentStore."""
        return self._blobs.read(descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """See ContentStore."""
        return self._blobs.open(descriptor, offset)

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        """See ContentStore. A blob that only arrived in part is continued from there by the next call."""
        return self._blobs.write(descriptor, open_at)

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        """See ContentStore. Platform and annotations of ``descriptor`` are kept in the index; durable on return.

        Without ``reference`` nothing leads to it: ``collect`` removes it after its grace period, unless an index does.
        """
        from .verify import check_bytes

        check_bytes(raw, descriptor)
        descriptor = descriptor._replace(size=len(raw))
        parts = content_graph.children_of(raw, descriptor)

        def with_image(index: LayoutIndex) -> LayoutIndex:
            content_graph.refuse_missing([part for part in parts if not self.has(part)], descriptor)
            self.write(descriptor, lambda offset: io.BytesIO(raw[offset:]))
            if reference is None:
                return index
            return index.with_entry(LayoutEntry.named(reference.without_digest(), descriptor))

        self._change_index(with_image)

    def names(self) -> list[StoredName]:
        """See ContentStore."""
        return self._index().names()

    def untag(self, reference: Reference) -> None:
        """See ContentStore."""
        name = reference.without_digest()

        def without_name(index: LayoutIndex) -> LayoutIndex:
            if not any(entry.reference == name for entry in index.entries):
                raise content_graph.image_not_found(reference, index.names())
            return index.without_name(name)

        self._change_index(without_name)

    def drop(self, digests: Collection[Digest]) -> None:
        """Remove the entries that no tool gave a name and that lead to one of ``digests``. Idempotent."""
        self._change_index(lambda index: index.without((), nameless=digests))

    def entries(self) -> list[LayoutEntry]:
        """Return what ``index.json`` says, in its order, those of other tools and those without a name included."""
        return list(self._index().entries)

    def images(self) -> list[LayoutImage]:
        """Return every image with its names, manifest, config, and what of it is missing."""
        entries = self.entries()  # first, so that whatever they name is among the blobs that are listed after
        with explained(self.root):
            return ImageReader(self._blobs).images(entries)

    def missing_blobs(self, descriptor: Descriptor) -> list[Descriptor]:
        """Return what of the image or index ``descriptor`` is not here: itself when its own bytes are missing."""
        if not self.has(descriptor):
            return [descriptor]
        if not media_types.is_document(descriptor.media_type):
            return []
        parts = content_graph.children_of(self.read(descriptor), descriptor)
        return [missing for part in parts for missing in self.missing_blobs(part)]

    def collect(self, grace_seconds: float, *, keep: Collection[Digest] = ()) -> Collected:
        """Remove blobs and unfinished blobs that no name leads to and nobody touched for ``grace_seconds``.

        ``keep`` are digests of blobs, manifests or indexes that stay, with what they refer to. Safe beside writers: a
        writer that finds a blob here makes it young (``has``, ``write``), so the grace period covers the time until it
        publishes the manifest; and publishing looks for all children under the lock that is held here. Should a writer
        take longer than the grace period, it gets ConflictError missing-child and a second run mends it: a name never
        leads to what was removed.

        Raises:
            InputError: store-permission.
        """
        from .layout_collect import find_garbage

        with self._locked_index() as index:
            return find_garbage(self._blobs, index.entries, grace_seconds=grace_seconds, keep=keep).remove()

    def collectable(
        self,
        grace_seconds: float,
        *,
        keep: Collection[Digest] = (),
        names: Collection[Reference] = (),
        nameless: Collection[Digest] = (),
    ) -> Collected:
        """Return what ``collect`` would remove, had these ``names`` and ``nameless`` entries gone. Remove nothing."""
        from .layout_collect import find_garbage

        with explained(self.root):
            entries = self._index().without(names, nameless=nameless).entries
            return find_garbage(self._blobs, entries, grace_seconds=grace_seconds, keep=keep).report()

    def scratch(self) -> str:
        """Return a directory on this file system for temporary files; what makes them there removes them.

        Raises:
            InputError: store-permission.
        """
        with explained(self.root):
            make_directory(self._state)
        return str(self._state)

    def _held(self, digest: Digest | None) -> Descriptor | None:
        """Return the manifest or index that is stored under ``digest``, named or not."""
        if digest is None:
            return None
        try:
            raw = self.read(Descriptor("", digest, UNKNOWN_SIZE))
            return parse_manifest(raw).descriptor._replace(digest=digest)
        except UNREADABLE:
            return None

    def _index(self) -> LayoutIndex:
        with explained(self._index_path):
            try:
                raw = self._index_path.read_bytes()
            except FileNotFoundError as error:
                raise store_damaged(self._index_path, "it is missing") from error
        return LayoutIndex.parse(raw, path=self._index_path)

    @contextlib.contextmanager
    def _locked_index(self) -> Iterator[LayoutIndex]:
        from .file_lock import locked

        with explained(self.root):
            make_directory(self._state)
            with locked(self._state / "lock"):
                yield self._index()

    def _change_index(self, change: Callable[[LayoutIndex], LayoutIndex]) -> None:
        """Publish what ``change`` makes of the index; an index that it gives back as it was is not written."""
        with self._locked_index() as index:
            changed = change(index)
            if changed is not index:
                self._blobs.sync()
                replace_file(self._index_path, changed.to_bytes(), through=self._state / "index.json.new")


if t.TYPE_CHECKING:
    _fits: type[ContentStore] = LayoutStore
