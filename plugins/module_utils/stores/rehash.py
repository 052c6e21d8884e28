# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stored content read again, and held against the digests that it goes by."""

from __future__ import annotations

import contextlib
import typing as t

from ..model.digest import Digest
from ..model.errors import ImagesError, NotFoundError, UnavailableError
from ..model.index import Index
from ..model.manifest import parse_manifest
from ..wire.streams import pieces
from .base import DOCUMENT_LIMIT

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..model.host import Identity
    from ..wire.streams import ReadStream

    OpenBlob = Callable[[Digest], ReadStream]
    Found = Mapping[Digest, Digest | ImagesError]


class Part(t.NamedTuple):
    """A part of an image in words ("layer 2 of 3"), and the digest that its bytes must have."""

    name: str
    expected: Digest


class Damage(t.NamedTuple):
    """A part whose bytes are others than they must be. ``found`` is their digest, empty where they cannot be read.

    ``expected`` is empty where nobody tells which part it is. ``why`` has the words of who could not read it.
    """

    part: str
    expected: str
    found: str = ""
    why: str = ""


def parts_of(identity: Identity, *, open_blob: OpenBlob) -> list[Part]:
    """Return the parts of an image, its index if it is there, as its manifest names them.

    Of a manifest that is damaged, or not there, nothing is believed: it is the last part then.

    Raises:
        UnavailableError: the store cannot be read.
    """
    parts = []
    if identity.index_digest is not None and _is_there(identity.index_digest, open_blob=open_blob):
        parts.append(Part("index", identity.index_digest))
    if identity.manifest_digest is None:
        return parts
    parts.append(Part("manifest", identity.manifest_digest))
    try:
        raw = _document(open_blob(identity.manifest_digest))
        if not identity.manifest_digest.is_of(raw):
            return parts
        document = parse_manifest(raw, subject=str(identity.manifest_digest))
    except UnavailableError:
        raise
    except ImagesError:
        return parts
    if isinstance(document, Index):
        return parts
    moved = {blob.digest for blob in document.moved_blobs()}
    layers = [Part(layer_name(at, len(document.layers)), layer.digest) for at, layer in enumerate(document.layers)]
    return parts + [part for part in (Part("config", document.config.digest), *layers) if part.expected in moved]


def layer_name(at: int, count: int) -> str:
    """Return what a layer is called, the oldest being ``at`` 0."""
    return f"layer {at + 1} of {count}"


def stored_digest(digest: Digest, *, open_blob: OpenBlob) -> Digest:
    """Return the digest that the bytes stored as ``digest`` really have, told in the same algorithm.

    Raises:
        NotFoundError: blob-not-found.
        ImagesError: they cannot be read.
    """
    hasher = digest.hasher()
    with contextlib.closing(open_blob(digest)) as stream:
        for piece in pieces(stream):
            hasher.update(piece)
    return Digest(digest.algorithm, hasher.hexdigest())


def damages(parts: Iterable[Part], found: Found) -> Iterator[Damage]:
    """Yield what is damaged of ``parts``, of which ``found`` are the digests that their bytes really have.

    Raises:
        UnavailableError: the store could not be read.
    """
    for part in parts:
        answer = found[part.expected]
        if isinstance(answer, UnavailableError):
            raise answer
        if isinstance(answer, NotFoundError):
            yield Damage(part.name, str(part.expected), why="it is not there")
        elif isinstance(answer, ImagesError):
            yield Damage(part.name, str(part.expected), why=str(answer))
        elif answer != part.expected:
            yield Damage(part.name, str(part.expected), str(answer))


def _is_there(digest: Digest, *, open_blob: OpenBlob) -> bool:
    try:
        open_blob(digest).close()
    except NotFoundError:
        return False
    return True


def _document(stream: ReadStream) -> bytes:
    whole = bytearray()
    with contextlib.closing(stream):
        for piece in pieces(stream):
            whole += piece
            if len(whole) > DOCUMENT_LIMIT:
                break
    return bytes(whole)
