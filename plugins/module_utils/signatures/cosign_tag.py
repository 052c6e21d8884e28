# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures under the tag ``sha256-<hex>.sig``, as cosign has always written them.

One layer a signature: the blob is the payload, an annotation the signature.
Source: cosign specs/SIGNATURE_SPEC.md.
"""

from __future__ import annotations

import base64
import typing as t

from ..model.errors import IntegrityError, NotFoundError, PeerError
from ..model.manifest import parse_image_manifest
from .base import Reading, Signature
from .simple_signing import read_payload

if t.TYPE_CHECKING:
    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.reference import Reference
    from .base import Repository

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
CERTIFICATE = "dev.sigstore.cosign/certificate"
PAYLOAD_LIMIT = 1024 * 1024
MOST_SIGNATURES = 100
_TAG_LIMIT = 128

#: What makes one signature unusable, and says nothing about those beside it.
DAMAGE = (PeerError, IntegrityError, NotFoundError)


def signature_tag(digest: Digest) -> str:
    """Return the tag that the signatures of ``digest`` are under; empty where a tag cannot be that long."""
    tag = f"{digest.algorithm}-{digest.encoded}.sig"
    return tag if len(tag) <= _TAG_LIMIT else ""


def read_tagged(repository: Repository, digest: Digest, *, image: Reference) -> Reading:
    """Return the signatures of ``digest`` under its tag: one request, and one for each signature.

    Raises:
        ImagesError: the registry cannot be asked.
    """
    tag = signature_tag(digest)
    try:
        raw, descriptor = repository.fetch_manifest(image.with_tag(tag)) if tag else (b"", None)
    except NotFoundError:
        return Reading()
    if descriptor is None:
        return Reading()
    return read_signatures(repository, raw, media_type=descriptor.media_type, place=tag)


def read_signatures(repository: Repository, raw: bytes, *, media_type: str, place: str) -> Reading:
    """Return the signatures in a manifest whose layers are payloads.

    Raises:
        ImagesError: the registry cannot be asked.
    """
    try:
        manifest = parse_image_manifest(raw, media_type=media_type, subject=place)
    except PeerError as error:
        return Reading(damaged=(f"{place}: {error.why or error.what}",))
    signatures: list[Signature] = []
    damaged: list[str] = []
    foreign: list[str] = []
    if len(manifest.layers) > MOST_SIGNATURES:
        damaged.append(f"{place}: only the first {MOST_SIGNATURES} of {len(manifest.layers)} signatures were looked at")
    for at, layer in enumerate(manifest.layers[:MOST_SIGNATURES], start=1):
        where = f"{place}, signature {at}"
        try:
            signatures.append(_signature(repository, layer, place=where))
        except DAMAGE as error:
            damaged.append(f"{where}: {error.why or error.what}")
        else:
            foreign += [f"{where}: keyless, by a certificate"] * bool(layer.annotations.get(CERTIFICATE))
    return Reading(tuple(signatures), tuple(damaged), tuple(foreign))


def _signature(repository: Repository, layer: Descriptor, *, place: str) -> Signature:
    """Return the signature that ``layer`` is.

    Raises:
        PeerError: wrong-shape, it is none. IntegrityError, NotFoundError: its payload is damaged or missing.
    """
    if layer.media_type != SIMPLE_SIGNING or layer.size > PAYLOAD_LIMIT:
        raise _no_signature(place, f"{layer.size} bytes of type {layer.media_type}")
    value = decoded(layer.annotations.get(SIGNATURE, ""))
    if not value:
        raise _no_signature(place, f"its annotation {SIGNATURE} is missing or not base64")
    return Signature(place, repository.read(layer), value, read_payload)


def decoded(text: str) -> bytes:
    """Return the bytes that base64 ``text`` stands for; none if it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _no_signature(place: str, why: str) -> PeerError:
    return PeerError(f"{place} is no signature", code="wrong-shape", why=why, subject=place)
