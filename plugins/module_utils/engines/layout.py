# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The embedded engine: an image layout directory is all there is, no daemon."""

from __future__ import annotations

import contextlib
import typing as t

from ..model.annotations import INDEX_DIGEST
from ..model.errors import NotFoundError
from ..model.host import Identity, LocalImage, Look, Observed, going_with
from ..model.image_config import parse_config
from ..model.manifest import stored_manifest
from ..model.media_types import is_config
from .base import Description, gone, space_at
from .host_platform import host_platform

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.host import Space
    from ..model.image_config import ImageConfig
    from ..model.manifest import Manifest
    from ..model.platform import Platform
    from ..model.reference import Reference
    from .base import Engine

GRACE_SECONDS = 3600.0  # what another process fetched, but did not name yet, is younger than this


class StoredImage(t.Protocol):
    """An image as the directory tells it; see LayoutImage."""

    descriptor: Descriptor
    index_digest: Digest | None
    manifest: Manifest | None
    config: ImageConfig | None
    names: tuple[Reference, ...]
    missing: tuple[Digest, ...]
    index_size: int
    is_nameless: bool


class ImageDirectory(t.Protocol):
    """What this engine needs of its store; LayoutStore is one."""

    def images(self) -> Sequence[t.Any]:
        """Return every image, damaged ones with what is missing of them."""

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document, verified."""

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        """Publish a manifest under a name."""

    def names(self) -> Sequence[t.Any]:
        """Return every name (``reference``) with what it points at (``descriptor``)."""

    def untag(self, reference: Reference) -> None:
        """Remove a name."""

    def drop(self, digests: Collection[Digest]) -> None:
        """Remove what leads to one of ``digests`` without a name."""

    def collect(self, grace_seconds: float) -> t.Any:
        """Remove what no name leads to; the result counts ``bytes``."""

    def collectable(
        self, grace_seconds: float, *, names: Collection[Reference], nameless: Collection[Digest]
    ) -> t.Any:
        """Return what ``collect`` would, had these ``names`` and ``nameless`` images gone, and remove nothing."""


class LayoutEngine:
    """Implements Engine on an image layout directory. The image ID is the digest of the config."""

    name = "layout"

    def __init__(self, open_directory: Callable[[bool], ImageDirectory], *, place: str) -> None:
        """Take how to open the directory (True: make it when it is not there) and its path, ``place``."""
        self._open = open_directory
        self.place = place

    def observe(self, look: Look = Look()) -> Observed:  # noqa: B008 (immutable)
        """See Engine. No container uses this store, and its list tells all details."""
        try:
            rows: Sequence[StoredImage] = self._open(False).images()
        except NotFoundError:  # made by the first action, not by looking
            rows = ()
        tagged = {(_image_id(row), name.repository) for row in rows for name in row.names if name.tag is not None}
        blobs = {part.digest for row in rows if row.manifest is not None for part in row.manifest.blobs()}
        lacking = {digest for row in rows for digest in row.missing}
        return Observed(
            [_local_image(row, tagged=tagged) for row in rows],
            engine=self.name,
            platform=host_platform(),
            blobs=frozenset(blobs - lacking),
            whole={row.index_digest: row.index_size for row in rows if row.index_digest and row.index_size},
        )

    def tag(self, reference: Reference, *, identity: Identity, platform: Platform | None) -> None:
        """See Engine."""
        if identity.manifest_digest is None:
            raise TypeError("an image of a layout is known by its manifest")
        directory = self._open(True)
        manifest = stored_manifest(identity.manifest_digest, read=directory.read)
        descriptor = manifest.descriptor._replace(platform=platform)
        if identity.index_digest is not None:
            descriptor = descriptor._replace(annotations={INDEX_DIGEST: str(identity.index_digest)})
        directory.put_manifest(manifest.raw, descriptor, reference=reference)

    def untag(self, reference: Reference, *, is_used: bool = False, prunes: bool = True) -> None:
        """See Engine. What no name leads to goes by ``reclaim``."""
        try:
            directory = self._open(False)
            rows = directory.names()
            target = next((row.descriptor.digest for row in rows if row.reference == reference), None)
            for name in going_with(reference, (row.reference for row in rows if row.descriptor.digest == target)):
                directory.untag(name)
        except NotFoundError:
            return

    def remove(self, image: LocalImage) -> None:
        """See Engine. What nothing leads to goes by ``reclaim``."""
        with contextlib.suppress(NotFoundError):
            self._open(False).drop(image.identity.digests)

    def freeable(self, going: Sequence[LocalImage]) -> int:
        """See Engine. Layers that others have are not counted, nor is what is young enough to stay."""
        names = {name for image in going for name in (*image.names, *image.digest_names)}
        nameless = {digest for image in going if image.is_dangling for digest in image.identity.digests}
        with contextlib.suppress(NotFoundError):
            return int(self._open(False).collectable(GRACE_SECONDS, names=names, nameless=nameless).bytes)
        return 0

    def reclaim(self) -> int:
        """See Engine."""
        return int(self._open(False).collect(GRACE_SECONDS).bytes)

    def describe(self, image: LocalImage) -> Description:
        """See Engine.

        Raises:
            NotFoundError: image-not-found.
        """
        try:
            manifest, config = _documents(self._open(False), image)
        except NotFoundError as error:
            raise gone(image.id, why=error.why) from error
        settings = config.fields.optional_object("config") if config is not None else None
        return Description(
            config=settings.values if settings is not None else {},
            history=config.history if config is not None else (),
            layers=tuple(str(layer.digest) for layer in manifest.layers),
        )

    def space(self) -> Space | None:
        """See Engine."""
        import os

        place = self.place
        while not os.path.isdir(place):  # made by the first change
            place = os.path.dirname(place)
        return space_at(place)

    def close(self) -> None:
        """See Engine."""


def _documents(directory: ImageDirectory, image: LocalImage) -> tuple[Manifest, ImageConfig | None]:
    """Return manifest and config of one image, without reading any other; no config where it is of another kind."""
    if image.identity.manifest_digest is None:
        raise TypeError("an image of a layout is known by its manifest")
    manifest = stored_manifest(image.identity.manifest_digest, read=directory.read)
    if not is_config(manifest.config.media_type):
        return manifest, None
    return manifest, parse_config(directory.read(manifest.config), subject=image.id)


def _image_id(row: StoredImage) -> str:
    return str(row.manifest.config.digest if row.manifest is not None else row.descriptor.digest)


def _local_image(row: StoredImage, *, tagged: Collection[tuple[str, str]]) -> LocalImage:
    """Return an image; ``tagged`` are the IDs of images with the repositories that have a tag on them."""
    manifest, config, image_id = row.manifest, row.config, _image_id(row)
    beside = tuple(name for name in row.names if name.tag is None and (image_id, name.repository) in tagged)
    return LocalImage(
        id=image_id,
        identity=Identity(
            row.descriptor.digest, manifest.config.digest if manifest is not None else None, row.index_digest
        ),
        names=tuple(name for name in row.names if name not in beside),
        digest_names=beside,
        platform=config.platform if config is not None else row.descriptor.platform,
        size=manifest.size if manifest is not None else 0,
        created=config.created if config is not None else "",
        labels=config.labels if config is not None else {},
        missing=row.missing,
        is_dangling=row.is_nameless,
    )


if t.TYPE_CHECKING:
    _fits: type[Engine] = LayoutEngine
