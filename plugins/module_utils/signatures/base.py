# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What signatures are read from, and what a signature is before anybody judged it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.reference import Reference


class Repository(t.Protocol):
    """The repository of a registry that an image is in, and its signatures beside it (``stores/registry.py``)."""

    def fetch_manifest(self, reference: Reference) -> tuple[bytes, Descriptor]:
        """Return what a tag or a digest names, whole and verified, with its descriptor.

        Raises:
            NotFoundError: image-not-found.
        """

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a small blob, whole and verified.

        Raises:
            NotFoundError: blob-not-found.
        """

    def referrers(self, subject: Digest) -> list[Descriptor]:
        """Return what the repository says belongs to ``subject``, of any kind."""


class Claim(t.NamedTuple):
    """What a signed message says: of which bytes it is, and under which name, empty where it names none."""

    digests: tuple[Digest, ...]
    name: str = ""


class Signature(t.NamedTuple):
    """One signature: where it was found, the exact bytes that were signed, and the signature's own bytes.

    ``claim`` reads the signed bytes. It is called when a key has verified them, not before, and raises PeerError
    (wrong-shape, not-json) when they are no statement about an image.
    """

    place: str
    message: bytes
    value: bytes
    claim: Callable[[bytes], Claim]


class Reading(t.NamedTuple):
    """What one layout holds: signatures, what is damaged, and what is a signature in a form that cannot be checked."""

    signatures: tuple[Signature, ...] = ()
    damaged: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
