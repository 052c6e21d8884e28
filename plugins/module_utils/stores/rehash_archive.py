# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image as its engine gives it out, held against its config: read once, front to back, and kept nowhere.

Source: OCI image-spec v1.1 image-layout.md, config.md ("DiffID"); Docker Image Specification v1.2, ``manifest.json``.
"""

from __future__ import annotations

import posixpath
import tarfile
import typing as t

from ..model.digest import Digest
from ..model.errors import ImagesError
from ..model.fields import Fields
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_manifest
from ..wire.streams import pieces
from .base import DOCUMENT_LIMIT
from .rehash import Damage, layer_name

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.host import Identity
    from ..wire.streams import ReadStream

_BLOBS = "blobs/"
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_LINKS_FOLLOWED = 8


class _Member(t.NamedTuple):
    """One file of an archive. ``raw`` is kept where it may be a document."""

    digest: Digest
    raw: bytes = b""
    is_compressed: bool = False


class _Files(t.NamedTuple):
    members: dict[str, _Member]
    links: dict[str, str]

    def find(self, path: str) -> _Member | None:
        """Return the file at ``path``, which may be a link to it."""
        path = posixpath.normpath(path)
        for _turn in range(_LINKS_FOLLOWED):
            if path not in self.links:
                break
            path = self.links[path]
        return self.members.get(path)

    def raw(self, path: str) -> bytes:
        """Return a document, b"" where there is none."""
        found = self.find(path)
        return found.raw if found is not None else b""


def archive_damages(stream: ReadStream, identity: Identity) -> list[Damage]:
    """Return what is damaged of the image in the archive ``stream``; does not close it.

    Its config must be the one of ``identity``, and each layer that of its place in the config; a layer that is given
    out compressed must have the digest that it goes by.

    Raises:
        ImagesError: ``stream`` ends before the archive does, or the engine stops.
    """
    wanted = identity.config_digest
    try:
        files = _read(stream)
    except tarfile.TarError as error:
        return [_whole(wanted, f"what the engine gives out is no whole archive: {error}")]
    try:
        config_path, layers = _content(files)
        config = files.find(config_path)
        if config is None:
            return [Damage("config", str(wanted or ""), why="it is not there")]
        if wanted is not None and config.digest != wanted:
            return [Damage("config", str(wanted), str(config.digest))]
        diff_ids = parse_config(config.raw, subject=str(config.digest)).diff_ids
    except (ImagesError, ValueError) as error:  # of the documents alone: the stream was read
        return [_whole(wanted, str(error))]
    if len(layers) != len(diff_ids):
        return [_whole(wanted, f"{len(layers)} layers are there, and {len(diff_ids)} in the config")]
    return list(_layer_damages(layers, diff_ids, files=files))


def _whole(config: Digest | None, why: str) -> Damage:
    return Damage("image", str(config or ""), why=why)


def _layer_damages(layers: tuple[str, ...], diff_ids: tuple[Digest, ...], *, files: _Files) -> Iterator[Damage]:
    for at, (path, diff_id) in enumerate(zip(layers, diff_ids)):
        name, layer = layer_name(at, len(layers)), files.find(path)
        own = _own_digest(path)
        if layer is None:
            yield Damage(name, str(own or diff_id), why="it is not there")
        elif layer.digest != diff_id and not (layer.is_compressed and layer.digest == own):
            expected = own if own is not None and layer.digest != own else diff_id
            yield Damage(name, str(expected), str(layer.digest))


def _content(files: _Files) -> tuple[str, tuple[str, ...]]:
    """Return the paths of config and layers.

    Raises:
        ImagesError: a document is missing or malformed.
        ValueError: it tells of no image.
    """
    saved = files.raw("manifest.json")
    if saved:
        [row] = Fields.of_bytes(b'{"rows":' + saved + b"}", what="manifest.json").objects("rows")[:1]
        return row.text("Config"), tuple(row.texts("Layers"))
    document = parse_manifest(files.raw("index.json"), subject="index.json")
    while isinstance(document, Index):
        [entry] = document.manifests[:1]
        raw = files.raw(_blob(entry.digest))
        document = parse_manifest(raw, media_type=entry.media_type, subject=str(entry.digest))
    return _blob(document.config.digest), tuple(_blob(layer.digest) for layer in document.layers)


def _read(stream: ReadStream) -> _Files:
    files = _Files({}, {})
    with tarfile.open(fileobj=t.cast("t.IO[bytes]", stream), mode="r|") as archive:
        for entry in archive:
            path = posixpath.normpath(entry.name)
            if entry.issym():
                files.links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.linkname))
            elif entry.islnk():
                files.links[path] = posixpath.normpath(entry.linkname)
            content = archive.extractfile(entry) if entry.isfile() else None
            if content is not None:
                files.members[path] = _member(path, t.cast("ReadStream", content))
    return files


def _member(path: str, content: ReadStream) -> _Member:
    own = _own_digest(path)
    algorithm = own if own is not None else Digest("sha256", "")
    hasher, start, kept, size = algorithm.hasher(), b"", [], 0
    for piece in pieces(content):
        hasher.update(piece)
        start, size = start or piece[:4], size + len(piece)
        if start[:1] in (b"{", b"[") and size <= DOCUMENT_LIMIT:
            kept.append(piece)
    return _Member(Digest(algorithm.algorithm, hasher.hexdigest()), b"".join(kept), start.startswith(_COMPRESSED))


def _own_digest(path: str) -> Digest | None:
    """Return the digest that a file of a layout goes by."""
    algorithm, slash, encoded = path[len(_BLOBS) :].partition("/")
    if not path.startswith(_BLOBS) or not slash:
        return None
    return Digest(algorithm, encoded)


def _blob(digest: Digest) -> str:
    return f"{_BLOBS}{digest.algorithm}/{digest.encoded}"
