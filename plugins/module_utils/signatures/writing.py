# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts signatures where cosign puts them, beside those that are there, though others may sign at the same time.

A registry replaces a tag without looking at what it was, so a signer who was slower may have lost ours, and we theirs.
Source: cosign specs/SIGNATURE_SPEC.md; containers/image docker/docker_image_dest.go for the config.
"""

from __future__ import annotations

import base64
import io
import json
import typing as t

from ..model.descriptor import Descriptor
from ..model.errors import ConflictError, NotFoundError, PeerError, UnsupportedError
from ..model.fields import Fields
from ..model.manifest import parse_image_manifest
from ..model.media_types import OCI_CONFIG, OCI_MANIFEST
from .base import Claim, Repository
from .cosign_tag import DAMAGE, MOST_SIGNATURES, SIGNATURE, SIMPLE_SIGNING, read_signatures, signature_tag
from .simple_signing import PAYLOAD_TYPE

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model.digest import Digest
    from ..model.reference import Reference
    from .base import Signature
    from .private_key import SigningKey

    Layer = t.Dict[str, t.Any]  # noqa: UP006

_MOST_ROUNDS = 20
_NO_TIME = "0001-01-01T00:00:00Z"


class WritableRepository(Repository, t.Protocol):
    """A repository that takes signatures (``stores/registry.py``)."""

    def write(self, descriptor: Descriptor, open_at: Callable[[int], io.BytesIO]) -> bool:
        """Bring a blob in, unless it is there."""

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        """Put a manifest under the tag of ``reference``."""


class Shelf(t.NamedTuple):
    """The tag of an image's signatures, and what is there: the manifest's exact bytes and its type; none at first."""

    repository: WritableRepository
    name: Reference
    raw: bytes = b""
    media_type: str = OCI_MANIFEST

    @classmethod
    def of(cls, image: Reference, digest: Digest, *, repository: WritableRepository) -> Shelf:
        """Return what is there for ``digest``.

        Raises:
            UnsupportedError: digest-not-signable.
            PeerError: what is there holds no signatures.
            ImagesError: the registry cannot be asked.
        """
        tag = signature_tag(digest)
        if not tag:
            raise UnsupportedError(
                f"{image.familiar} cannot be signed under its digest",
                code="digest-not-signable",
                why=f"a tag with a digest of {digest.algorithm} would be too long",
                fix="push the image under a sha256 digest",
                subject=str(image),
            )
        return cls(repository, image.with_tag(tag)).again()

    def again(self) -> Shelf:
        """Return what is there by now. Raises as ``of`` does."""
        try:
            raw, descriptor = self.repository.fetch_manifest(self.name)
        except NotFoundError:
            return self._replace(raw=b"", media_type=OCI_MANIFEST)
        manifest = parse_image_manifest(raw, media_type=descriptor.media_type, subject=str(self.name))
        return self._replace(raw=raw, media_type=manifest.descriptor.media_type)

    def layers(self) -> list[Layer]:
        """Return the signatures, as the manifest has them."""
        return list(json.loads(self.raw)["layers"]) if self.raw else []

    def has(self, digest: Digest, identity: str, *, key: SigningKey) -> bool:
        """Tell whether ``key`` has signed ``digest`` under the name ``identity``. Each signature costs a request.

        Raises:
            ImagesError: the registry cannot be asked.
        """
        if not self.raw:
            return False
        reading = read_signatures(self.repository, self.raw, media_type=self.media_type, place=str(self.name))
        return any(_is_for(signature, Claim((digest,), identity), key=key) for signature in reading.signatures)


def payload_of(digest: Digest, name: str) -> bytes:
    """Return what is signed for the image ``digest`` under ``name``, byte for byte as cosign writes it."""
    critical = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": str(digest)},
        "type": PAYLOAD_TYPE,
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def put_signatures(shelf: Shelf, payloads: Sequence[bytes], *, key: SigningKey, wait: Callable[[], None]) -> None:
    """Sign ``payloads``, and return when the signatures are there together with all others that were ever seen there.

    ``wait`` lets others, who read the tag before we wrote it, write theirs. It must take longer than that takes them.

    Raises:
        ConflictError: signatures-contended, others did not stop to replace the tag; signatures-too-many.
        ImagesError: the registry cannot be asked, or does not take them.
    """
    known = [_layer(payload, key=key, repository=shelf.repository) for payload in payloads]
    for _round in range(_MOST_ROUNDS):
        shelf = shelf.again()
        there = shelf.layers()
        known += [layer for layer in there if layer not in known]
        missing = [layer for layer in known if layer not in there]
        if not missing:
            return
        if len(known) > MOST_SIGNATURES:
            raise _too_many(shelf, len(known))
        raw, config = _manifest(shelf, missing)
        if config:
            _write(config, OCI_CONFIG, repository=shelf.repository)
        if shelf.again().raw != shelf.raw:  # the shorter the time between reading and writing, the fewer are lost
            continue
        descriptor = Descriptor.of(raw, shelf.media_type)
        shelf.repository.put_manifest(raw, descriptor, reference=shelf.name)
        wait()
    raise ConflictError(
        f"The signatures of {shelf.name} could not be kept",
        code="signatures-contended",
        why=f"others replaced the tag again and again, {_MOST_ROUNDS} times",
        fix="run the task again when fewer sign this image at the same time",
        subject=str(shelf.name),
    )


def _is_for(signature: Signature, wanted: Claim, *, key: SigningKey) -> bool:
    if not key.public.has_signed(signature.message, signature.value):
        return False
    try:
        return signature.claim(signature.message) == wanted
    except PeerError:
        return False


def _layer(payload: bytes, *, key: SigningKey, repository: WritableRepository) -> Layer:
    """Return the entry of a new signature, whose payload is there then."""
    descriptor = _write(payload, SIMPLE_SIGNING, repository=repository)
    value = base64.b64encode(key.sign(payload)).decode()
    return {**descriptor.to_json(), "annotations": {SIGNATURE: value}}


def _write(content: bytes, media_type: str, *, repository: WritableRepository) -> Descriptor:
    descriptor = Descriptor.of(content, media_type)
    repository.write(descriptor, lambda offset: io.BytesIO(content[offset:]))
    return descriptor


def _manifest(shelf: Shelf, missing: Sequence[Layer]) -> tuple[bytes, bytes]:
    """Return the manifest with ``missing`` after what it has, and its new config; none where the old one is kept.

    All else that others wrote into it stays.
    """
    document: dict[str, t.Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": None, "layers": []}
    if shelf.raw:
        document = json.loads(shelf.raw)
    layers = [*document["layers"], *missing]
    config = _config(shelf, layers)
    if config:
        document["config"] = Descriptor.of(config, OCI_CONFIG).to_json()
    return json.dumps({**document, "layers": layers}, separators=(",", ":")).encode(), config


def _config(shelf: Shelf, layers: Sequence[Layer]) -> bytes:
    """Return a config like those of cosign and skopeo, which lists the layers; none where something else is there."""
    document: dict[str, t.Any] = {
        "architecture": "",
        "created": _NO_TIME,
        "history": [{"created": _NO_TIME}],
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": []},
        "config": {},
    }
    if shelf.raw:
        manifest = parse_image_manifest(shelf.raw, media_type=shelf.media_type, subject=str(shelf.name))
        if manifest.config.media_type != OCI_CONFIG:
            return b""
        try:
            fields = Fields.of_bytes(shelf.repository.read(manifest.config), what=f"config of {shelf.name}")
            document = {**fields.values, "rootfs": dict(fields.object("rootfs").values)}
        except DAMAGE:
            return b""
    document["rootfs"]["diff_ids"] = [layer["digest"] for layer in layers]
    return json.dumps(document, separators=(",", ":")).encode()


def _too_many(shelf: Shelf, count: int) -> ConflictError:
    return ConflictError(
        f"{shelf.name} has too many signatures",
        code="signatures-too-many",
        why=f"with this one there would be {count}, and no more than {MOST_SIGNATURES} are looked at",
        fix="remove the tag, and sign the image again with the keys that are still in use",
        subject=str(shelf.name),
    )
