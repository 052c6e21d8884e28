# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry's answer says about a manifest, and what it may not say."""

from __future__ import annotations

import typing as t

from ..model.descriptor import Descriptor
from ..model.digest import Digest
from ..model.errors import ConflictError, ImagesError, InputError, IntegrityError, NotFoundError, PeerError
from ..wire.redact import redact_url
from .base import DOCUMENT_LIMIT

if t.TYPE_CHECKING:
    from ..model.reference import Reference
    from ..wire.answers import Answer
    from ..wire.refusals import Refusal

_MISSING_PARTS = frozenset({"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"})


def described(answer: Answer, reference: Reference) -> Descriptor | None:
    """Return the descriptor that the headers of ``answer`` to a HEAD give, or None where they leave something out.

    Raises:
        IntegrityError: digest-mismatch, when they speak of another manifest than the pinned one.
    """
    digest = _header_digest(answer)
    if reference.digest is not None:
        _refuse_other(reference.digest, digest, subject=str(reference))
        digest = reference.digest
    size = answer.header_number("Content-Length")  # some servers say 0 to a HEAD, and no manifest is empty
    if digest is None or not size or not answer.media_type or _is_web_page(answer):
        return None
    return Descriptor(answer.media_type, digest, size)


def received(answer: Answer, reference: Reference) -> tuple[bytes, Descriptor]:
    """Return the manifest that ``answer`` to a GET brings, with its descriptor; closes the answer.

    Raises:
        IntegrityError: digest-mismatch, when reference or header promise other bytes.
        PeerError: too-large; not-json, when a web page comes instead.
    """
    if _is_web_page(answer):
        raise _web_page(reference)
    promised = _header_digest(answer)
    raw = answer.body(DOCUMENT_LIMIT)
    if reference.digest is not None:
        _refuse_other(reference.digest, promised, subject=str(reference))
        promised = reference.digest
    digest = _hash_like(promised, raw)
    _refuse_other(promised, digest, subject=str(reference))
    return raw, Descriptor(answer.media_type, digest, len(raw))


def check_header(answer: Answer, digest: Digest) -> None:
    """Confirm that the registry stored the manifest that we sent.

    Raises:
        IntegrityError: digest-mismatch.
    """
    _refuse_other(digest, _header_digest(answer), subject=redact_url(answer.url))


def not_found(reference: Reference) -> NotFoundError:
    """Return the error for a tag or digest that the registry does not have."""
    return NotFoundError(
        f"There is no image {reference.familiar} in the registry",
        code="image-not-found",
        why=f"{reference.registry} does not know this {'digest' if reference.digest is not None else 'tag'}",
        fix="check the spelling of name and tag, or push the image first",
        subject=str(reference),
    )


def refused(refusal: Refusal, descriptor: Descriptor, *, subject: str) -> ImagesError:
    """Return the error for a manifest that the registry does not take."""
    if _MISSING_PARTS.intersection(refusal.codes):
        return ConflictError(
            f"The registry does not take the manifest of {subject} before what it refers to",
            code="missing-child",
            why=refusal.why,
            fix="run the task again: it stores what is missing first",
            subject=subject,
        )
    return PeerError(
        f"The registry does not take the manifest of {subject}",
        code="manifest-refused",
        why=f"{refusal.why}; it is of type {descriptor.media_type}",
        fix="check whether this registry knows manifests of this type and size",
        subject=subject,
    )


def vanished(descriptor: Descriptor, name: str) -> PeerError:
    """Return the error for a manifest that was taken and is not there."""
    return PeerError(
        f"The registry took the manifest {name}@{descriptor.digest} and does not have it",
        code="manifest-vanished",
        why="a HEAD for its digest after the PUT was answered with 404",
        fix="push again; if it happens again, look for a garbage collection or a stale cache in the registry",
        subject=f"{name}@{descriptor.digest}",
    )


def _header_digest(answer: Answer) -> Digest | None:
    try:
        return Digest.parse(answer.headers.get("Docker-Content-Digest", "").strip())
    except InputError:  # missing or malformed: it is a hint, the bytes decide
        return None


def _hash_like(promised: Digest | None, raw: bytes) -> Digest:
    if promised is None:
        return Digest.of(raw)
    hasher = promised.hasher()
    hasher.update(raw)
    return Digest(promised.algorithm, hasher.hexdigest())


def _refuse_other(wanted: Digest | None, actual: Digest | None, *, subject: str) -> None:
    """Compare where it can be: docker-registry 2.8.2 answers with a sha256 to who asks by sha512."""
    if wanted is None or actual is None or wanted.algorithm != actual.algorithm or wanted == actual:
        return
    raise IntegrityError(
        f"The registry gave another manifest for {subject}",
        code="digest-mismatch",
        why=f"{wanted} was due, it is {actual}",
        fix="try again; if it happens again, a proxy or cache on the way changes manifests",
        subject=subject,
    )


def _is_web_page(answer: Answer) -> bool:
    return answer.media_type == "text/html"


def _web_page(reference: Reference) -> PeerError:
    return PeerError(
        f"{reference.registry} does not look like a registry",
        code="not-json",
        why="it answered with a web page where a manifest was due",
        fix="check the registry's name, and whether a proxy or a log-in page answers in its place",
        subject=str(reference),
    )
