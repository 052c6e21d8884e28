# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sigstore bundles: a signature, what it is over, and what says whose key it is, in one JSON document.

A signature is over a statement in a DSSE envelope, or over the manifest itself.
Source: sigstore protobuf-specs sigstore_bundle.proto; secure-systems-lab/dsse protocol.md; in-toto Statement v1.
"""

from __future__ import annotations

import typing as t

from ..model.digest import Digest
from ..model.errors import InputError, PeerError
from .base import Claim, Reading, Signature
from .cosign_tag import decoded
from .simple_signing import strict_object

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.fields import Fields

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_FAMILY = "application/vnd.dev.sigstore.bundle"
STATEMENT = "application/vnd.in-toto+json"
STATEMENT_TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
SIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"

_READABLE = (BUNDLE, f"{BUNDLE_FAMILY}+json;version=0.3")
_CERTIFICATES = ("certificate", "x509CertificateChain")


def read_bundle(raw: bytes, *, place: str, manifest: Callable[[], bytes]) -> Reading:
    """Return the signature that a bundle is; nothing where it is a statement of another kind (an attestation).

    ``manifest`` gives the bytes of the image's manifest, for a signature that is over these.

    Raises:
        PeerError: not-json; wrong-shape, it is no bundle. Whatever ``manifest`` raises.
    """
    bundle = strict_object(raw, what=f"bundle {place}")
    version = bundle.text("mediaType")
    if version not in _READABLE:
        return Reading(foreign=(f"{place}: a bundle of type {version[:120]}",))
    keyless: tuple[str, ...] = ()
    if any(bundle.object("verificationMaterial").has(kind) for kind in _CERTIFICATES):
        keyless = (f"{place}: a bundle, keyless, by a certificate",)
    if bundle.has("messageSignature"):
        signature = _over_manifest(bundle.object("messageSignature"), place=place, manifest=manifest())
        return Reading((signature,), foreign=keyless)
    if not bundle.has("dsseEnvelope"):
        return Reading(foreign=(f"{place}: a bundle without an envelope or a message",))
    envelope = bundle.object("dsseEnvelope")
    if envelope.text("payloadType") != STATEMENT:
        return Reading(foreign=(f"{place}: an envelope of type {envelope.text('payloadType')[:120]}",))
    message = _bytes_of(envelope, "payload")
    if strict_object(message, what="statement").text("predicateType") != SIGN_PREDICATE:
        return Reading()
    return Reading((_over_statement(envelope, message, place=place),), foreign=keyless)


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that an envelope's signature is over.

    Source: secure-systems-lab/dsse protocol.md, "Signature Definition".
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def read_statement(raw: bytes) -> Claim:
    """Return what a statement claims: that one image, which it may name, is signed.

    Raises:
        PeerError: not-json; wrong-shape, it is about several images or none, or is no signature.
    """
    statement = strict_object(raw, what="statement")
    if statement.text("_type") not in STATEMENT_TYPES:
        raise statement.wrong("_type", "is of no known version")
    if statement.text("predicateType") != SIGN_PREDICATE:
        raise statement.wrong("predicateType", "is no signature")
    subjects = statement.objects("subject")
    if len(subjects) != 1:
        raise statement.wrong("subject", f"is about {len(subjects)} images")
    (subject,) = subjects
    return Claim(_digests(subject), subject.optional_text("name"))


def _digests(subject: Fields) -> tuple[Digest, ...]:
    found = subject.text_map("digest")
    try:
        return tuple(Digest.parse(f"{algorithm}:{encoded}") for algorithm, encoded in found.items())
    except InputError as error:
        raise subject.wrong("digest", error.why) from error


def _over_statement(envelope: Fields, payload: bytes, *, place: str) -> Signature:
    rows = envelope.objects("signatures")
    if len(rows) != 1:  # sigstore_bundle.proto: exactly one
        raise envelope.wrong("signatures", f"has {len(rows)} entries, and must have one")
    message = pre_authentication(STATEMENT, payload)
    return Signature(place, message, _bytes_of(rows[0], "sig"), lambda _message: read_statement(payload))


def _over_manifest(fields: Fields, *, place: str, manifest: bytes) -> Signature:
    """Return the signature over the manifest's own bytes; the digest beside it is only a hint, and must be right."""
    hint = fields.optional_object("messageDigest")

    def claim(message: bytes) -> Claim:
        digest = Digest.of(message)
        if hint is not None and _bytes_of(hint, "digest") != bytes.fromhex(digest.encoded):
            raise hint.wrong("digest", "is not that of the manifest")
        return Claim((digest,))

    return Signature(place, manifest, _bytes_of(fields, "signature"), claim)


def _bytes_of(fields: Fields, key: str) -> bytes:
    value = decoded(fields.text(key))
    if not value:
        raise fields.wrong(key, "is not base64")
    return value


def no_bundle(place: str, why: str) -> PeerError:
    """Return the error for what says that it is a bundle, and is none."""
    return PeerError(f"{place} is no bundle", code="wrong-shape", why=why, subject=place)
