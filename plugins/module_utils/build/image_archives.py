# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives that hold a whole image: OCI image layouts, and what ``docker save`` writes.

Source: OCI image-spec v1.1 image-layout.md; Docker Image Specification v1.2, "Combined Image JSON + Filesystem
Changeset Format" with its ``manifest.json``.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
import typing as t

from ..model.annotations import IMAGE_NAME
from ..model.descriptor import Descriptor
from ..model.digest import Digest
from ..model.errors import ImagesError, IntegrityError, PeerError
from ..model.fields import Fields
from ..model.host import Identity
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import Manifest, manifest_json, parse_image_manifest, parse_manifest
from ..model.media_types import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, is_index
from ..model.output import Written
from ..wire.streams import pieces
from .archives import BLOCK
from .base import BaseImage
from .layers import tar_headers
from .spools import Spool
from .tree import Entry
from .unpacking import layer_archive

if t.TYPE_CHECKING:
    import tarfile
    from collections.abc import Callable, Iterator

    from ..wire.streams import ReadStream
    from .base import BlobSource

INDEX_FILE = "index.json"
MANIFEST_FILE = "manifest.json"
REF_NAME = "org.opencontainers.image.ref.name"
LAYOUT_VERSION = b'{"imageLayoutVersion":"1.0.0"}'

_DOCUMENT_LIMIT = 8 << 20  # bytes
_MOST_LINKS = 4  # docker save lets a layer that is there twice be a link


class ImageArchive:
    """An archive in a file, read by position. A BlobSource for what its manifest names; the caller closes the file."""

    def __init__(self, file: t.IO[bytes], *, damaged: Callable[[str], ImagesError] | None = None) -> None:
        """List the members of an archive that is not compressed; ``damaged`` makes the error for one that is no such.

        Raises:
            PeerError: engine-bad-archive, or what ``damaged`` makes.
        """
        import tarfile

        self._file = file
        self._bad = damaged or _bad
        try:
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                self._members = {posixpath.normpath(info.name): info for info in tar}
        except (tarfile.TarError, OSError, ValueError, EOFError, RecursionError) as error:
            raise self._bad(f"it is no tar archive: {error}") from error
        self._blobs: dict[Digest, str] = {}

    def has(self, path: str) -> bool:
        """Tell whether there is a member ``path``."""
        return path in self._members

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """See BlobSource.

        Raises:
            PeerError: engine-bad-archive: it is not there.
        """
        return self._spool(self._path(descriptor.digest)).open_at(offset)

    def image(self, identity: Identity | None = None) -> tuple[BaseImage, str]:
        """Return the image ``identity``, else the first that is whole, and the name it has here, "" for none.

        Raises:
            PeerError: engine-bad-archive: there is none.
        """
        found = list(self._layout_images() if self.has(INDEX_FILE) else self._saved_images())
        digests = identity.digests if identity is not None else frozenset()
        found.sort(key=lambda row: digests.isdisjoint((row[0].descriptor.digest, row[0].config.digest)))
        if not found:
            raise self._bad("no image in it is whole")
        manifest, name = found[0]
        config = parse_config(self._read(self._path(manifest.config.digest)), subject=name or "the archive")
        return BaseImage(manifest.descriptor.digest, manifest, config, self), name

    def index_digest(self) -> Digest | None:
        """Return the digest of an image for several platforms, None for one of a single platform."""
        found = parse_manifest(self._read(INDEX_FILE), media_type=OCI_INDEX, subject=INDEX_FILE)
        entries = [entry for entry in found.manifests if is_index(entry.media_type)] if isinstance(found, Index) else []
        return entries[0].digest if entries else None

    def _layout_images(self) -> Iterator[tuple[Manifest, str]]:
        document = parse_manifest(self._read(INDEX_FILE), media_type=OCI_INDEX, subject=INDEX_FILE)
        waiting = [(entry, "") for entry in document.manifests] if isinstance(document, Index) else []
        while waiting:
            entry, above = waiting.pop(0)
            if not self.has(self._path(entry.digest)):  # of an image for several platforms some may be there
                continue
            raw = self._read(self._path(entry.digest))
            annotations = entry.annotations
            name = annotations.get(IMAGE_NAME) or annotations.get(REF_NAME) or above
            part = parse_manifest(raw, media_type=entry.media_type, subject=str(entry.digest))
            if isinstance(part, Index):
                waiting += [(child, name) for child in part.manifests]
            elif all(self._is_whole(blob) for blob in part.moved_blobs()):
                yield part, name

    def _saved_images(self) -> Iterator[tuple[Manifest, str]]:
        rows = Fields.of_bytes(b'{"rows":' + self._read(MANIFEST_FILE) + b"}", what=MANIFEST_FILE).objects("rows")
        for row in rows:
            raw = self._read(posixpath.normpath(row.text("Config")))
            config = Descriptor.of(raw, OCI_CONFIG)
            diff_ids = parse_config(raw, subject=MANIFEST_FILE).diff_ids
            paths = [posixpath.normpath(path) for path in row.texts("Layers")]
            if len(paths) != len(diff_ids):
                raise self._bad(f"{len(paths)} layers are there, and {len(diff_ids)} in the config")
            layers = [Descriptor(OCI_LAYER, digest, self._spool(path).size) for digest, path in zip(diff_ids, paths)]
            self._blobs.update(zip(diff_ids, paths))
            self._blobs[config.digest] = posixpath.normpath(row.text("Config"))
            document = manifest_json(config, layers)
            names = row.texts("RepoTags")
            manifest = Manifest(document, Descriptor.of(document, OCI_MANIFEST), config, tuple(layers))
            yield manifest, names[0] if names else ""

    def _path(self, digest: Digest) -> str:
        return self._blobs.get(digest) or blob_path(digest)

    def _is_whole(self, blob: Descriptor) -> bool:
        path = self._path(blob.digest)
        return self.has(path) and self._spool(path).size == blob.size

    def _read(self, path: str) -> bytes:
        spool = self._spool(path)
        if spool.size > _DOCUMENT_LIMIT:
            raise self._bad(f"{path} has {spool.size} bytes")
        return b"".join(pieces(spool.open()))

    def _spool(self, path: str) -> Spool:
        info: tarfile.TarInfo | None = self._members.get(path)
        links = 0
        while info is not None and info.issym() and links < _MOST_LINKS:
            path, links = posixpath.normpath(posixpath.join(posixpath.dirname(path), info.linkname)), links + 1
            info = self._members.get(path)
        if info is None or not info.isreg() or info.sparse is not None:
            raise self._bad(f"{path} is not there")
        return Spool(self._file, info.offset_data, info.size)


def image_in(file: t.IO[bytes], *, is_layout: bool) -> Written | None:
    """Return which image an archive holds that is an OCI image layout, else Docker's; None when it is no such one."""
    try:
        archive = ImageArchive(file)
        if not archive.has(INDEX_FILE if is_layout else MANIFEST_FILE):
            return None
        image, name = archive.image()
        index = archive.index_digest() if is_layout else None
    except ImagesError:  # whatever is wrong with it: it is written anew
        return None
    return Written(identity_of(image) if index is None else Identity(index_digest=index), name)


def identity_of(image: BaseImage) -> Identity:
    """Return which image an output holds: engines that make its manifest anew know the config alone."""
    return Identity(None, image.config.digest, None, (image.manifest.descriptor.digest,))


def write_layout_archive(file: t.IO[bytes], image: BaseImage, *, name: str, index: Index | None = None) -> None:
    """Write an OCI image layout with one image, or with all of ``index``; the same image gives the same bytes.

    Raises:
        IntegrityError: digest-mismatch.
        ImagesError: a blob cannot be read.
    """
    names, manifests = {IMAGE_NAME: name, REF_NAME: name}, [image.manifest]
    entry = image.manifest.descriptor._replace(platform=image.config.platform, annotations=names)
    if index is not None:
        manifests = [_stored(child, image.source) for child in index.manifests]
        entry = index.descriptor._replace(annotations=names)
    file.write(member("oci-layout", LAYOUT_VERSION))
    file.write(member(INDEX_FILE, index_json([entry])))
    if index is not None:
        file.write(member(blob_path(index.descriptor.digest), index.raw))
    for manifest in manifests:
        file.write(member(blob_path(manifest.descriptor.digest), manifest.raw))
    for blob in {blob.digest: blob for manifest in manifests for blob in manifest.blobs()}.values():
        file.writelines(streamed_member(blob_path(blob.digest), image.source.open(blob), expected=blob))
    file.write(bytes(2 * BLOCK))


def write_saved_archive(file: t.IO[bytes], image: BaseImage, *, name: str, folder: str) -> None:
    """Write an archive for ``docker load``, layers uncompressed; the same image gives the same bytes.

    Compressed layers are unpacked in ``folder`` first, one at a time.

    Raises:
        PeerError: bad-layer; IntegrityError: digest-mismatch.
        ImagesError: a blob cannot be read.
    """
    layers, diff_ids = image.manifest.layers, image.config.diff_ids
    if len(layers) != len(diff_ids):
        raise PeerError(
            f"{name} cannot be written as Docker's archive",
            code="bad-layer",
            why=f"its manifest has {len(layers)} layers, its config {len(diff_ids)}",
            fix="build or pull the image again",
            subject=name,
        )
    config = f"{image.config.digest.encoded}.json"
    paths = [f"{digest.encoded}.tar" for digest in diff_ids]
    file.write(member(MANIFEST_FILE, json_bytes([{"Config": config, "RepoTags": [name], "Layers": paths}])))
    file.write(member(config, image.config.raw))
    for path, (diff_id, layer) in dict(zip(paths, zip(diff_ids, layers))).items():
        if layer.digest == diff_id:
            file.writelines(streamed_member(path, image.source.open(layer), expected=layer))
            continue
        archive = layer_archive(image, layer, reference=name, folder=folder)
        try:
            spool = Spool.of(archive.unpacked())
            plain = Descriptor(OCI_LAYER, diff_id, spool.size)
            file.writelines(streamed_member(path, spool.open(), expected=plain))
        finally:
            archive.close()
    file.write(bytes(2 * BLOCK))


def member(path: str, content: bytes) -> bytes:
    """Return a file as it stands in a tar archive."""
    headers = tar_headers(path.encode(), Entry("file", 0o644, size=len(content)), mtime=0)
    return headers + content + bytes(-len(content) % BLOCK)


def streamed_member(path: str, stream: ReadStream, *, expected: Descriptor) -> Iterator[bytes]:
    """Yield a file as it stands in a tar archive, whose bytes must be as ``expected``; closes ``stream``.

    Raises:
        IntegrityError: digest-mismatch, at the end.
    """
    hasher, size = expected.digest.hasher(), 0
    yield tar_headers(path.encode(), Entry("file", 0o644, size=expected.size), mtime=0)
    try:
        for chunk in pieces(stream):
            hasher.update(chunk)
            size += len(chunk)
            yield chunk
    finally:
        stream.close()
    is_size_wrong = size != expected.size
    if is_size_wrong or hasher.hexdigest() != expected.digest.encoded:
        why = f"{size} bytes instead of {expected.size}" if is_size_wrong else f"it is {hasher.hexdigest()}"
        raise _not_as_promised(expected, why)
    yield bytes(-size % BLOCK)


def index_json(entries: list[Descriptor]) -> bytes:
    """Return the file ``index.json`` of a layout with these images."""
    rows = [entry.to_json() for entry in entries]
    return json_bytes({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": rows})


def blob_path(digest: Digest) -> str:
    """Return where a layout has a blob."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def json_bytes(document: t.Any) -> bytes:
    """Return a document in the one form that it is written in."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _stored(entry: Descriptor, source: BlobSource) -> Manifest:
    with contextlib.closing(source.open(entry)) as stream:
        raw = b"".join(pieces(stream))
    if Digest.of(raw) != entry.digest:
        raise _not_as_promised(entry, f"it is {Digest.of(raw)}")
    return parse_image_manifest(raw, media_type=entry.media_type, subject=str(entry.digest))


def _not_as_promised(part: Descriptor, why: str) -> IntegrityError:
    return IntegrityError(
        "A part of an image is not what its digest promised",
        code="digest-mismatch",
        why=why,
        fix="pull or build the image again",
        subject=str(part.digest),
    )


def _bad(why: str) -> PeerError:
    return PeerError(
        "The archive of an image cannot be read",
        code="engine-bad-archive",
        why=why,
        fix="check the free space of the engine's host, and run the task again; save the image with the engine's own "
        "client to see whether it can",
    )
