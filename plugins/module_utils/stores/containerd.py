# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of a containerd namespace, with a directory beside it for what was fetched and is not imported yet."""

from __future__ import annotations

import contextlib
import io
import threading
import typing as t

from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.digest import Digest
from ..model.errors import NotFoundError
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_manifest, stored_manifest
from ..model.media_types import is_config
from . import content_graph
from .base import StoredName
from .layout_files import explained

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.host import Identity
    from ..model.manifest import Manifest
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..wire.ctr import Ctr
    from ..wire.streams import OpenAt, ReadStream
    from .base import ContentStore
    from .layout import LayoutStore


class ContainerdStore:
    """Implements ContentStore on a namespace of containerd, and ``staging`` for what is on its way there.

    Bytes are written into ``staging``: verified, resumed, and seen by nobody. They move into containerd when an image
    gets a name, and leave ``staging`` then. What containerd holds and no name leads to is containerd's to collect: so,
    other than in other stores, content may go with its last name.
    """

    def __init__(self, ctr: Ctr, staging: LayoutStore) -> None:
        """Take both; containerd is asked when content is first needed, and its answer kept."""
        self._ctr = ctr
        self._staging = staging
        self._asking = threading.Lock()
        self._held: frozenset[str] | None = None

    def resolve(self, reference: Reference) -> Descriptor:
        """See ContentStore."""
        held = self._document(reference.digest) if reference.digest is not None else None
        found = content_graph.target_of(reference, self.names(), held=held)
        return found if found.size != UNKNOWN_SIZE else self._document(found.digest) or found

    def has(self, descriptor: Descriptor) -> bool:
        """See ContentStore. containerd tells no sizes, and verified the digest."""
        return self._is_held(descriptor.digest) or self._staging.has(descriptor)

    def read(self, descriptor: Descriptor) -> bytes:
        """See ContentStore."""
        from .verify import read_verified

        with contextlib.closing(self.open(descriptor)) as stream:
            return read_verified(stream, descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """See ContentStore.

        Raises:
            NotFoundError: blob-not-found; containerd may have thrown a layer away when it was unpacked.
        """
        if not self._is_held(descriptor.digest):
            try:
                return self._staging.open(descriptor, offset)
            except NotFoundError as error:
                raise _not_held(descriptor, error) from error
        stream = self._ctr.open(descriptor.digest)
        try:
            while offset > 0 and (skipped := stream.read(min(offset, 1 << 20))):
                offset -= len(skipped)
        except BaseException:
            stream.close()
            raise
        return stream

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        """See ContentStore."""
        return not self._is_held(descriptor.digest) and self._staging.write(descriptor, open_at)

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        """See ContentStore."""
        from .verify import check_bytes

        check_bytes(raw, descriptor)
        descriptor = descriptor._replace(size=len(raw))
        document = parse_manifest(raw, media_type=descriptor.media_type, subject=str(descriptor.digest))
        parts = content_graph.children(document)
        missing = [part for part in parts if not self.has(part)]
        if missing:  # as far as is known; another task may have brought it in, and emptied staging
            self._forget_held()
            missing = [part for part in missing if not self.has(part)]
        content_graph.refuse_missing(missing, descriptor)
        self.write(descriptor, lambda offset: io.BytesIO(raw[offset:]))
        if reference is None:
            return
        with self._alone():
            if not isinstance(document, Index):
                self._import(reference, document, index=None, platform=None, unpacks=False)
                return
            for entry in document.manifests:
                manifest = self.manifest(entry.digest)
                self._import(reference, manifest, index=document, platform=entry.platform, unpacks=False)

    def names(self) -> list[StoredName]:
        """See ContentStore. Sizes are not told; names that are no complete references are left out."""
        found = []
        for row in self._ctr.images():
            if row.reference is not None:
                found.append(StoredName(row.reference, Descriptor(row.media_type, row.digest, UNKNOWN_SIZE)))
        return sorted(found, key=lambda stored: str(stored.reference))

    def untag(self, reference: Reference) -> None:
        """See ContentStore."""
        name = str(reference.without_digest())
        if self._ctr.image(name) is None:
            raise content_graph.image_not_found(reference, self.names())
        self._ctr.run("images", "rm", "--sync", name)
        self._forget_held()

    def manifest(self, digest: Digest) -> Manifest:
        """Return the manifest ``digest``. Raises as ``read``."""
        return stored_manifest(digest, read=self.read)

    def staged(self) -> frozenset[Digest]:
        """Return what was fetched and is not in containerd yet."""
        with explained(self._staging.root):
            return frozenset(Digest(path.parent.name, path.name) for path in self._staging.root.glob("blobs/*/*"))

    def publish(
        self, reference: Reference, *, identity: Identity, host: Platform, is_alone: bool = False
    ) -> None:
        """Let ``reference`` point, in containerd, at the index of ``identity``, else at its manifest. Idempotent.

        Of an index this image is named, which ``is_alone``; else all, where they are here and this is the one for
        ``host``, or the first where none is. The one for ``host`` is unpacked. What was staged of it leaves staging.

        Raises:
            NotFoundError: blob-not-found: a document is neither staged nor in containerd.
            ConflictError: missing-child: a layer is not.
            ImagesError: containerd cannot take it; no name was changed.
        """
        with self._alone():
            self._publish(reference, identity, host=host, is_alone=is_alone)

    def _publish(self, reference: Reference, identity: Identity, *, host: Platform, is_alone: bool) -> None:
        if identity.manifest_digest is None:
            raise TypeError("an image that is brought into containerd is known by its manifest")
        manifest = self.manifest(identity.manifest_digest)
        index = self._index(identity.index_digest)
        is_image = is_config(manifest.config.media_type)
        platform, best = None, manifest.descriptor
        if index is not None:
            platform = {entry.digest: entry.platform for entry in index.manifests}.get(manifest.descriptor.digest)
            best = index.choose(host) or best
        if platform is None and is_image:
            platform = parse_config(self.read(manifest.config), subject=str(reference)).platform
        is_for_host = platform is not None and platform.satisfies(host) and best.digest == manifest.descriptor.digest
        unpacks = is_image and is_for_host and manifest.moved_blobs() == manifest.blobs()
        missing = [part for part in manifest.moved_blobs() if not self.has(part)]
        content_graph.refuse_missing(missing, manifest.descriptor)
        siblings: tuple[Manifest, ...] = ()
        if index is not None and not is_alone:
            meant = index.choose(host) or index.manifests[0]
            siblings = self._siblings(index, manifest) if meant.digest == manifest.descriptor.digest else ()
        self._import(reference, manifest, index=index, platform=platform, unpacks=unpacks, siblings=siblings)

    def tidy(self, grace_seconds: float) -> int:
        """Remove what was staged and not touched for so long; return the bytes freed."""
        return self._staging.collect(grace_seconds).bytes

    def untidy(self, grace_seconds: float) -> int:
        """Return the bytes that ``tidy`` would free now."""
        return self._staging.collectable(grace_seconds).bytes

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Bring nothing into containerd beside another thread or process, and know what these brought before."""
        from pathlib import Path

        from .file_lock import locked

        with contextlib.ExitStack() as held:
            with explained(self._staging.root):
                held.enter_context(locked(Path(self._staging.scratch()) / "importing"))
            self._forget_held()
            yield

    def _forget_held(self) -> None:
        with self._asking:
            self._held = None

    def _siblings(self, index: Index, own: Manifest) -> tuple[Manifest, ...]:
        """Return the other images of ``index`` where all of them are here, else none."""
        others = [entry for entry in index.manifests if entry.digest != own.descriptor.digest]
        if not all(self.has(entry) for entry in others):
            return ()
        found = tuple(self.manifest(entry.digest) for entry in others)
        return found if all(self.has(part) for manifest in found for part in manifest.moved_blobs()) else ()

    def _import(
        self,
        reference: Reference,
        manifest: Manifest,
        *,
        index: Index | None,
        platform: Platform | None,
        unpacks: bool,
        siblings: tuple[Manifest, ...] = (),
    ) -> None:
        from .containerd_import import Import, import_image

        name = str(reference.without_digest())
        image = Import(name, manifest, index, platform, unpacks, self.open, siblings)
        held = import_image(image, ctr=self._ctr)
        with self._asking:
            self._held = held
        with explained(self._staging.root):
            for part in (*image.documents(), *image.layers()):
                if str(part.digest) in held:
                    path = self._staging.root / "blobs" / part.digest.algorithm / part.digest.encoded
                    with contextlib.suppress(FileNotFoundError):
                        path.unlink()

    def _index(self, digest: Digest | None) -> Index | None:
        if digest is None:
            return None
        document = parse_manifest(self.read(Descriptor("", digest, UNKNOWN_SIZE)), subject=str(digest))
        return document if isinstance(document, Index) else None

    def _document(self, digest: Digest) -> Descriptor | None:
        """Return the manifest or index ``digest``, named or not; None where there is none."""
        from .layout_blobs import UNREADABLE

        try:
            return parse_manifest(self.read(Descriptor("", digest, UNKNOWN_SIZE))).descriptor
        except UNREADABLE:
            return None

    def _is_held(self, digest: Digest) -> bool:
        with self._asking:
            if self._held is None:
                self._held = self._ctr.content()
            return str(digest) in self._held


def _not_held(descriptor: Descriptor, error: NotFoundError) -> NotFoundError:
    return NotFoundError(
        f"containerd does not hold the content {descriptor.digest}",
        code="blob-not-found",
        why="it may be set to throw layers away when they are unpacked (discard_unpacked_layers)",
        fix="remove the image and pull it again, or take it from a host that keeps its layers",
        subject=error.subject,
    )


if t.TYPE_CHECKING:
    _fits: type[ContentStore] = ContainerdStore
