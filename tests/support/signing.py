# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs images as cosign does, in both of its forms, and shares no code with the collection that it tests."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import typing as t

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from . import images

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .registry import Registry

SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
EMPTY = images.Blob("application/vnd.oci.empty.v1+json", b"{}")
SIGN = "https://sigstore.dev/cosign/sign/v1"
KINDS = ("ecdsa", "ed25519", "rsa", "rsa-pss", "rsa-pss-short")


class Signer(t.NamedTuple):
    """A pair of keys. ``pem`` is the public one."""

    sign: Callable[[bytes], bytes]
    pem: str
    private: t.Any

    @property
    def fingerprint(self) -> str:
        """Return what the collection calls the key: the hash of its DER form."""
        lines = [line for line in self.pem.splitlines() if "-----" not in line]
        return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode("".join(lines))).digest()).decode()[:43]


class Layer(t.NamedTuple):
    """One signature under a tag: what was signed, the signature, and annotations beside it."""

    payload: bytes
    signature: bytes
    annotations: Mapping[str, str] = {}
    media_type: str = SIMPLE_SIGNING


@functools.cache
def signer(kind: str = "ecdsa", name: str = "team") -> Signer:
    """Return the pair of keys of ``name``, of one of KINDS, new in each process."""
    if kind == "ed25519":
        edwards = ed25519.Ed25519PrivateKey.generate()
        return Signer(edwards.sign, _pem(edwards), edwards)
    if kind.startswith("rsa"):
        long = rsa.generate_private_key(65537, 2048)
        salts: dict[str, t.Any] = {"rsa-pss": padding.PSS.MAX_LENGTH, "rsa-pss-short": 32}
        pad = padding.PSS(padding.MGF1(SHA256()), salts[kind]) if kind in salts else padding.PKCS1v15()
        return Signer(lambda message: long.sign(message, pad, SHA256()), _pem(long), long)
    curve = ec.generate_private_key(ec.SECP256R1())
    return Signer(lambda message: curve.sign(message, ec.ECDSA(SHA256())), _pem(curve), curve)


def payload(name: str, digest: str, **critical: t.Any) -> bytes:
    """Return what cosign signs for an image; ``critical`` replaces members of that object."""
    members = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
        **critical,
    }
    return json.dumps({"critical": members, "optional": None}, separators=(",", ":")).encode()


def signed(name: str, digest: str, by: Signer) -> Layer:
    """Return the signature of an image under a tag."""
    message = payload(name, digest)
    return Layer(message, by.sign(message))


def push_tagged(registry: Registry, repository: str, digest: str, *layers: Layer, tag: str = "") -> None:
    """Put signatures where cosign looks for those of ``digest``, replacing what is there."""
    rows, config = [], images.Blob(images.OCI_CONFIG, b"{}")
    for layer in layers:
        blob = images.Blob(layer.media_type, layer.payload)
        images.push_blob(registry, repository, blob)
        notes = {"dev.cosignproject.cosign/signature": base64.b64encode(layer.signature).decode(), **layer.annotations}
        rows.append({**blob.descriptor, "annotations": notes})
    images.push_blob(registry, repository, config)
    document = {"schemaVersion": 2, "mediaType": images.OCI_MANIFEST, "config": config.descriptor, "layers": rows}
    manifest = images.Blob(images.OCI_MANIFEST, json.dumps(document).encode())
    images.push_manifest(registry, repository, manifest, tag=tag or digest.replace(":", "-") + ".sig")


def statement(digest: str, *, predicate: str = SIGN, name: str = "", **members: t.Any) -> bytes:
    """Return what cosign 3 signs for an image."""
    subject = {**({"name": name} if name else {}), "digest": {"sha256": digest.partition(":")[2]}}
    document = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": predicate}
    return json.dumps({**document, "predicate": {}, **members}).encode()


def bundle(body: bytes, by: Signer, **members: t.Any) -> bytes:
    """Return a bundle over the statement ``body``; ``members`` replace those at its top."""
    kind = b"application/vnd.in-toto+json"
    signature = by.sign(b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(body), body]))
    envelope = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": kind.decode(),
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    }
    document = {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": ""}}, "dsseEnvelope": envelope}
    return json.dumps({**document, **members}).encode()


def message_bundle(manifest: bytes, by: Signer) -> bytes:
    """Return a bundle whose signature is over the manifest itself."""
    hint = {"algorithm": "SHA2_256", "digest": base64.b64encode(hashlib.sha256(manifest).digest()).decode()}
    message = {"messageDigest": hint, "signature": base64.b64encode(by.sign(manifest)).decode()}
    document = {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": ""}}, "messageSignature": message}
    return json.dumps(document).encode()


def push_referrer(
    registry: Registry,
    repository: str,
    image: images.MadeImage | images.MadeIndex,
    content: bytes,
    *,
    kind: str = BUNDLE,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, t.Any]:
    """Push what refers to ``image``, and return its entry for a list of referrers."""
    blob = images.Blob(kind, content)
    for part in (EMPTY, blob):
        images.push_blob(registry, repository, part)
    document = {
        "schemaVersion": 2,
        "mediaType": images.OCI_MANIFEST,
        "artifactType": kind,
        "config": EMPTY.descriptor,
        "layers": [blob.descriptor],
        "subject": image.manifest.descriptor,
        "annotations": dict(annotations or {}),
    }
    manifest = images.Blob(images.OCI_MANIFEST, json.dumps(document).encode())
    images.push_manifest(registry, repository, manifest)
    return {**manifest.descriptor, "artifactType": kind, "annotations": dict(annotations or {})}


def push_list(registry: Registry, repository: str, digest: str, entries: Sequence[Mapping[str, t.Any]]) -> None:
    """Put the list of referrers where clients keep it for registries that keep none."""
    document = {"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": list(entries)}
    index = images.Blob(images.OCI_INDEX, json.dumps(document).encode())
    images.push_manifest(registry, repository, index, tag=digest.replace(":", "-"))


def _pem(private: t.Any) -> str:
    forms = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return str(private.public_key().public_bytes(*forms).decode())
