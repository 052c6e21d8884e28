# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures that refer to their image, as cosign writes them since release 3 and OCI 1.1 lists them."""

from __future__ import annotations

import typing as t

from ..model.errors import PeerError
from ..model.fields import Fields
from ..model.manifest import parse_image_manifest
from .base import Reading
from .bundle import BUNDLE_FAMILY, SIGN_PREDICATE, no_bundle, read_bundle
from .cosign_tag import DAMAGE, MOST_SIGNATURES, PAYLOAD_LIMIT, SIMPLE_SIGNING, read_signatures

if t.TYPE_CHECKING:
    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.reference import Reference
    from .base import Repository

PREDICATE = "dev.sigstore.bundle.predicateType"
_SIMPLE_KINDS = (SIMPLE_SIGNING, "application/vnd.dev.cosign.artifact.sig.v1+json")


class _Subject(t.NamedTuple):
    """The image whose signatures are read."""

    repository: Repository
    name: Reference
    digest: Digest

    def manifest(self) -> bytes:
        return self.repository.fetch_manifest(self.name.with_digest(self.digest))[0]


def read_referrers(repository: Repository, digest: Digest, *, image: Reference) -> Reading:
    """Return the signatures among what refers to ``digest``: two requests for each, beside those for the list.

    Raises:
        ImagesError: the registry cannot be asked.
    """
    try:
        entries = repository.referrers(digest)
    except PeerError as error:
        return Reading(damaged=(f"what refers to {digest}: {error.why or error.what}",))
    subject = _Subject(repository, image, digest)
    readings = [_read(entry, subject) for entry in entries[:MOST_SIGNATURES]]
    damaged = [told for reading in readings for told in reading.damaged]
    if len(entries) > MOST_SIGNATURES:
        damaged.append(f"only the first {MOST_SIGNATURES} of {len(entries)} that refer to {digest} were looked at")
    signatures = (signature for reading in readings for signature in reading.signatures)
    foreign = (told for reading in readings for told in reading.foreign)
    return Reading(tuple(signatures), tuple(damaged), tuple(foreign))


def _read(entry: Descriptor, subject: _Subject) -> Reading:
    """Return what one referrer holds. What is damaged says nothing about the others."""
    place = f"{entry.digest.algorithm}:{entry.digest.short}…"
    kind = entry.artifact_type
    if kind and not _is_readable(kind):
        is_signature = "signature" in kind
        return Reading(foreign=(f"{place}: a signature of type {kind[:120]}",)) if is_signature else Reading()
    if entry.annotations.get(PREDICATE, SIGN_PREDICATE) != SIGN_PREDICATE:
        return Reading()
    try:
        raw, descriptor = subject.repository.fetch_manifest(subject.name.with_digest(entry.digest))
        actual = _kind_of(raw)
        if not kind and not _is_readable(actual):  # the list does not say, its entry does
            return _read(entry._replace(artifact_type=actual or "none"), subject)
        if actual in _SIMPLE_KINDS or kind in _SIMPLE_KINDS:
            return read_signatures(subject.repository, raw, media_type=descriptor.media_type, place=place)
        return read_bundle(_content(raw, subject, place=place), place=place, manifest=subject.manifest)
    except DAMAGE as error:
        return Reading(damaged=(f"{place}: {error.why or error.what}",))


def _content(raw: bytes, subject: _Subject, *, place: str) -> bytes:
    layers = parse_image_manifest(raw, subject=place).layers
    if len(layers) != 1 or layers[0].size > PAYLOAD_LIMIT:
        raise no_bundle(place, f"it has {len(layers)} parts of {sum(layer.size for layer in layers)} bytes")
    return subject.repository.read(layers[0])


def _is_readable(kind: str) -> bool:
    return kind in _SIMPLE_KINDS or kind.startswith(BUNDLE_FAMILY)


def _kind_of(raw: bytes) -> str:
    """Return the type of what a manifest wraps: its own word, else that of its config (image-spec manifest.md)."""
    fields = Fields.of_bytes(raw, what="manifest of a signature")
    config = fields.optional_object("config")
    return fields.optional_text("artifactType") or (config.optional_text("mediaType") if config is not None else "")
