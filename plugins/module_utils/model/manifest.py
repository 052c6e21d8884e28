# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests: the config and the layers of one image; and the door through which any document comes in."""

from __future__ import annotations

import json
import typing as t

from . import media_types
from .descriptor import UNKNOWN_SIZE, Descriptor
from .errors import PeerError
from .fields import Fields
from .index import Index

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .digest import Digest

MANIFEST_LIMIT = 8 * 1024 * 1024  # bytes; registries are asked to take 4 MiB (distribution-spec, "Pushing Manifests")


class Manifest(t.NamedTuple):
    """One image: its exact bytes beside what they say; layers oldest first."""

    raw: bytes
    descriptor: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = {}

    @property
    def size(self) -> int:
        """Bytes of config and layers as stored (compressed)."""
        return self.config.size + sum(layer.size for layer in self.layers)

    def blobs(self) -> list[Descriptor]:
        """Return config and layers, each digest once."""
        return list({part.digest: part for part in (self.config, *self.layers)}.values())

    def moved_blobs(self) -> list[Descriptor]:
        """Return the blobs less the layers that must not be distributed: those come from elsewhere (layer.md)."""
        return [part for part in self.blobs() if not media_types.is_nondistributable(part.media_type)]


def parse_manifest(raw: bytes, *, media_type: str = "", subject: str = "manifest") -> Manifest | Index:
    """Return the manifest or index that ``raw`` is.

    ``media_type`` is the Content-Type or the descriptor's word for it, parameters allowed; when empty the document
    speaks for itself. ``subject`` names the document in errors.

    Raises:
        PeerError: too large, not JSON, of an unknown type, both image and index, of another type than ``media_type``
            says, or a part of it is missing or malformed.
    Source: OCI image-spec v1.1 manifest.md, image-index.md; CVE-2021-41190 for the type rules.
    """
    if len(raw) > MANIFEST_LIMIT:
        raise PeerError(
            f"The manifest of {subject} is too large",
            code="manifest-too-large",
            why=f"{len(raw)} bytes, the limit is {MANIFEST_LIMIT}",
            subject=subject,
        )
    fields = Fields.of_bytes(raw, what=f"manifest of {subject}")
    actual = _media_type(fields, announced=media_types.without_parameters(media_type), subject=subject)
    descriptor = Descriptor.of(raw, actual)
    if media_types.is_index(actual):
        return Index(raw, descriptor, tuple(Descriptor.from_json(entry) for entry in fields.objects("manifests")))
    if not fields.has("layers"):
        raise fields.wrong("layers", "is missing")
    whose_subject = fields.optional_object("subject")
    return Manifest(
        raw,
        descriptor,
        config=Descriptor.from_json(fields.object("config")),
        layers=tuple(Descriptor.from_json(layer) for layer in fields.objects("layers")),
        subject=Descriptor.from_json(whose_subject) if whose_subject is not None else None,
        annotations=fields.text_map("annotations"),
    )


def parse_image_manifest(raw: bytes, *, media_type: str = "", subject: str = "manifest") -> Manifest:
    """Return the manifest that ``raw`` is; as ``parse_manifest``, where an index is no answer.

    Raises:
        PeerError: as ``parse_manifest``; nested-index, it is an index.
    """
    manifest = parse_manifest(raw, media_type=media_type, subject=subject)
    if isinstance(manifest, Index):
        raise PeerError(
            f"{subject} is an index where an image was expected",
            code="nested-index",
            fix="name the digest of the image itself",
            subject=subject,
        )
    return manifest


def stored_manifest(digest: Digest, *, read: Callable[[Descriptor], bytes]) -> Manifest:
    """Return the manifest that ``read``, of a content store, gives for ``digest``.

    Raises:
        ImagesError: it is not there, or damaged.
        PeerError: as ``parse_image_manifest``.
    """
    return parse_image_manifest(read(Descriptor("", digest, UNKNOWN_SIZE)), subject=str(digest))


def manifest_json(
    config: Descriptor, layers: Sequence[Descriptor], *, annotations: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of an OCI manifest: the same parts give the same bytes on any machine."""
    document: dict[str, t.Any] = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": config.plain().to_json(),
        "layers": [layer.plain().to_json() for layer in layers],
    }
    if annotations:
        document["annotations"] = dict(sorted(annotations.items()))
    return json.dumps(document, separators=(",", ":")).encode()


def _media_type(fields: Fields, *, announced: str, subject: str) -> str:
    """Return the one type that announcement, ``mediaType`` and shape agree on."""
    is_image, is_index = fields.has("layers") or fields.has("config"), fields.has("manifests")
    if is_image and is_index:
        raise _type_error(subject, code="ambiguous-manifest", why="it has both layers and manifests")
    declared = fields.optional_text("mediaType")
    if declared and announced and media_types.is_document(announced) and declared != announced:
        raise _type_error(
            subject, code="mediatype-mismatch", why=f"it was sent as {announced} and calls itself {declared}"
        )
    actual = declared or (announced if media_types.is_document(announced) else "") or _type_of_shape(fields, is_index)
    if not media_types.is_document(actual):
        raise _type_error(
            subject, code="unknown-manifest-type", why=f"its type is {actual or announced or 'not given'}"
        )
    if media_types.is_index(actual) != is_index:
        raise _type_error(subject, code="mediatype-mismatch", why=f"its type is {actual}, its content is not")
    return actual


def _type_of_shape(fields: Fields, is_index: bool) -> str:
    """Type a document that neither its sender nor itself named: OCI made ``mediaType`` optional."""
    if fields.integer("schemaVersion") != 2:
        return ""
    return media_types.OCI_INDEX if is_index else media_types.OCI_MANIFEST


def _type_error(subject: str, *, code: str, why: str) -> PeerError:
    return PeerError(
        f"The manifest of {subject} is of no type that can be trusted",
        code=code,
        why=why,
        fix="push the image again with a current tool; schema 1 images must be rebuilt",
        subject=subject,
    )
