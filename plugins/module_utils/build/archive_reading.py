# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that people bring: which images are in them, by which names, and their bytes.

Source: OCI image-spec v1.1 image-layout.md; Docker Image Specification v1.2, ``manifest.json``.
"""

from __future__ import annotations

import functools
import posixpath
import typing as t

from ..model.annotations import IMAGE_NAME, INDEX_DIGEST
from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.digest import Digest
from ..model.errors import ImagesError, InputError, IntegrityError, PeerError
from ..model.fields import Fields
from ..model.image_config import ImageConfig, parse_config
from ..model.index import Index
from ..model.manifest import Manifest, manifest_json, parse_manifest
from ..model.media_types import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    is_config,
)
from ..model.reference import parse_reference
from .archive_writing import LISTING
from .archives import Archive, compression_of
from .base import BaseImage
from .image_archives import INDEX_FILE, MANIFEST_FILE, REF_NAME, ImageArchive
from .spools import Spool

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model.reference import Reference

_PEEK = 512
_LAYERS = {"": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}
_SAVE_AGAIN = "save it again; if it was copied, compare its checksum with that of the original"


class Archived(t.NamedTuple):
    """One image of an archive, by its names; all its content is there.

    ``manifest`` is None in Docker's form, which has none: ``layers`` are the paths of its layers then. ``index_digest``
    is that of the index it was chosen from or comes with; ``document`` that index itself, where it is there.
    ``siblings`` are the other images of the index, where all of them are there; else none.
    """

    names: tuple[Reference, ...]
    config: ImageConfig
    manifest: Manifest | None = None
    layers: tuple[str, ...] = ()
    index_digest: Digest | None = None
    document: Index | None = None
    siblings: tuple[Manifest, ...] = ()


class ArchiveReader(ImageArchive):
    """An archive in a file that is not compressed; the caller closes the file."""

    @functools.cached_property
    def listed(self) -> Mapping[str, int]:
        """The sizes of layers that a hollow archive tells of and does not hold, by path; empty for any other."""
        if not self.has(LISTING):
            return {}
        rows = Fields.of_bytes(self._read(LISTING), what=LISTING)
        return {path: rows.size(path) for path in rows.values}

    def archived(self) -> list[Archived]:
        """Return every image that is whole, in the archive's order.

        Raises:
            ImagesError: it is no archive of images, or parts of an image are missing.
        """
        try:
            if self.has(INDEX_FILE):
                return list(self._layout())
            if self.has(MANIFEST_FILE):
                return list(self._saved())
        except PeerError as error:  # as of a registry: what it says to do is for that
            raise self._bad(f"{error.what}: {error.why}") from error
        raise self._bad(f"it has neither {INDEX_FILE} nor {MANIFEST_FILE}")

    def complete(self, image: Archived, *, folder: str | None) -> BaseImage:
        """Return an image with its manifest, which is made in Docker's form, and where its bytes are.

        Compressed layers of that form are read for it, and verified.

        Raises:
            IntegrityError: digest-mismatch.
            ImagesError: a layer cannot be read.
        """
        manifest = image.manifest
        if manifest is None:
            diff_ids = image.config.diff_ids
            layers = [self._layer(path, diff_id, folder=folder) for path, diff_id in zip(image.layers, diff_ids)]
            config = Descriptor.of(image.config.raw, OCI_CONFIG)
            raw = manifest_json(config, layers)
            manifest = Manifest(raw, Descriptor.of(raw, OCI_MANIFEST), config, tuple(layers))
        return BaseImage(image.index_digest or manifest.descriptor.digest, manifest, image.config, self)

    def _layout(self) -> Iterator[Archived]:
        document = parse_manifest(self._read(INDEX_FILE), media_type=OCI_INDEX, subject=INDEX_FILE)
        entries = document.manifests if isinstance(document, Index) else ()
        names: dict[tuple[Digest, str], list[Reference]] = {}
        for entry in entries:
            known = names.setdefault((entry.digest, entry.annotations.get(INDEX_DIGEST, "")), [])
            known += [name for name in _names(entry.annotations) if name not in known]
        for entry in {(entry.digest, entry.annotations.get(INDEX_DIGEST, "")): entry for entry in entries}.values():
            own = tuple(names[entry.digest, entry.annotations.get(INDEX_DIGEST, "")])
            part = self._document(entry)
            if isinstance(part, Index):
                yield from self._of_index(part, names=own)
            elif not all(self._is_whole(blob) for blob in part.moved_blobs()):
                raise self._bad(f"parts of the image {', '.join(map(str, own)) or entry.digest} are missing")
            elif is_config(part.config.media_type):
                yield self._chosen(part, entry.annotations.get(INDEX_DIGEST, ""), names=own)

    def _of_index(self, index: Index, *, names: tuple[Reference, ...]) -> Iterator[Archived]:
        """Yield the images of ``index`` that are here: of an image for several platforms some may be."""
        there = {entry.digest: self._document(entry) for entry in index.manifests if self._is_there(entry)}
        whole = [part for part in there.values() if isinstance(part, Manifest) and self._has_all(part)]
        images = {entry.digest for entry in index.images()}
        found = [part for part in whole if part.descriptor.digest in images and is_config(part.config.media_type)]
        if not found:
            raise self._bad(f"no image of the index {', '.join(map(str, names)) or index.descriptor.digest} is whole")
        for part in found:
            others = tuple(other for other in whole if other is not part) if len(whole) == len(index.manifests) else ()
            digest = index.descriptor.digest
            yield Archived(names, self._config(part.config), part, (), digest, index, others)

    def _chosen(self, manifest: Manifest, index: str, *, names: tuple[Reference, ...]) -> Archived:
        """Return an image that stands alone; the ``index`` it was chosen from may be here too, as a blob."""
        config = self._config(manifest.config)
        if not index:
            return Archived(names, config, manifest)
        digest, document = Digest.parse(index), None
        if self.has(self._path(digest)):
            document = self._document(Descriptor(OCI_INDEX, digest, UNKNOWN_SIZE))
        return Archived(names, config, manifest, (), digest, document if isinstance(document, Index) else None)

    def _saved(self) -> Iterator[Archived]:
        rows = Fields.of_bytes(b'{"rows":' + self._read(MANIFEST_FILE) + b"}", what=MANIFEST_FILE).objects("rows")
        for row in rows:
            path = posixpath.normpath(row.text("Config"))
            raw = self._read(path)
            config = parse_config(raw, subject=MANIFEST_FILE)
            layers = tuple(posixpath.normpath(layer) for layer in row.texts("Layers"))
            if len(layers) != len(config.diff_ids):
                raise self._bad(f"{len(layers)} layers are there, and {len(config.diff_ids)} in the config")
            for layer in layers:
                self._spool(layer)
            self._blobs[config.digest] = path
            names = (_reference(text) for text in row.texts("RepoTags"))
            yield Archived(tuple(name for name in names if name is not None), config, None, layers)

    def _layer(self, path: str, diff_id: Digest, *, folder: str | None) -> Descriptor:
        """Return what a layer of Docker's form is as a blob. A plain one is verified when it is read."""
        spool = self._spool(path)
        compression = compression_of(spool.peek(_PEEK))
        if not compression:
            self._blobs[diff_id] = path
            return Descriptor(OCI_LAYER, diff_id, spool.size)
        if compression not in _LAYERS:
            raise self._bad(f"the layer {path} is compressed with {compression}, and no image may be")
        archive = Archive(spool.open_at, folder=folder, damaged=self._bad)
        try:
            plain = Spool.of(archive.unpacked()).digest(diff_id.algorithm)
        finally:
            archive.close()
        if plain != diff_id:
            raise _not_as_promised(diff_id, f"{path} is {plain}")
        digest = spool.digest(diff_id.algorithm)
        self._blobs[digest] = path
        return Descriptor(_LAYERS[compression], digest, spool.size)

    def _document(self, entry: Descriptor) -> Manifest | Index:
        raw = self._read(self._path(entry.digest))
        if not entry.digest.is_of(raw):
            raise _not_as_promised(entry.digest, f"it is {Digest.of(raw)}")
        return parse_manifest(raw, media_type=entry.media_type, subject=str(entry.digest))

    def _config(self, descriptor: Descriptor) -> ImageConfig:
        raw = self._read(self._path(descriptor.digest))
        if not descriptor.digest.is_of(raw):
            raise _not_as_promised(descriptor.digest, f"it is {Digest.of(raw)}")
        return parse_config(raw, subject=str(descriptor.digest))

    def _is_there(self, entry: Descriptor) -> bool:
        return self.has(self._path(entry.digest))

    def _is_whole(self, blob: Descriptor) -> bool:
        return self.listed.get(self._path(blob.digest)) == blob.size or super()._is_whole(blob)

    def _has_all(self, manifest: Manifest) -> bool:
        return all(self._is_whole(blob) for blob in manifest.moved_blobs())


def read_archive(file: t.IO[bytes], *, path: str, folder: str | None) -> tuple[ArchiveReader, t.IO[bytes]]:
    """Return a reader of the archive in ``file``, and the file it reads: another one in ``folder`` if it is compressed.

    Raises:
        InputError: bad-image-archive: it is no tar archive.
        UnsupportedError: zstd-missing.
        UnavailableError: build-disk: there is no room to unpack it.
    """

    def damaged(why: str) -> ImagesError:
        return InputError(
            f"The image archive {path} cannot be read", code="bad-image-archive", why=why, fix=_SAVE_AGAIN, subject=path
        )

    packed = Spool.of(file)
    if not compression_of(packed.peek(_PEEK)):
        return ArchiveReader(file, damaged=damaged), file

    unpacked = Archive(packed.open_at, folder=folder, damaged=damaged).unpacked()
    try:
        return ArchiveReader(unpacked, damaged=damaged), unpacked
    except BaseException:
        unpacked.close()
        raise


def _names(annotations: Mapping[str, str]) -> list[Reference]:
    """Return the name in an entry's annotations; a tag alone, as some tools write it, is none."""
    text = annotations.get(IMAGE_NAME) or annotations.get(REF_NAME) or ""
    name = _reference(text) if ":" in text or "/" in text else None
    return [name] if name is not None else []


def _reference(text: str) -> Reference | None:
    try:
        name = parse_reference(text)
    except InputError:
        return None
    return name.without_digest() if name.tag is not None else name


def _not_as_promised(digest: Digest, why: str) -> IntegrityError:
    return IntegrityError(
        "A part of an image archive is not what its digest promised",
        code="digest-mismatch",
        why=why,
        fix=_SAVE_AGAIN,
        subject=str(digest),
    )
