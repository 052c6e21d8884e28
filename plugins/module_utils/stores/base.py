# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every place that keeps content by digest can do.

Memory, the image layout directory and a registry repository implement one protocol and pass one contract suite
(tests/contract/test_content_store.py), so a copy between any two of them is the same code.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..model.descriptor import Descriptor
    from ..model.reference import Reference
    from ..wire.streams import OpenAt, ReadStream

DOCUMENT_LIMIT = 8 * 1024 * 1024
"""Most bytes of a manifest, index or config that ``ContentStore.read`` returns."""


class StoredName(t.NamedTuple):
    """A name in a store and what it points at."""

    reference: Reference
    descriptor: Descriptor


class ContentStore(t.Protocol):
    """Content by digest, and names that point at manifests and indexes.

    Thread-safe. Nothing is visible under a digest before its bytes were verified; children come before parents.
    """

    def resolve(self, reference: Reference) -> Descriptor:
        """Return what ``reference`` names: by its digest when it has one, else by its tag.

        Raises:
            NotFoundError: image-not-found, when the store holds no such name or digest.
        """

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the bytes of ``descriptor`` are here. A blob of another size than promised is not here."""

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a manifest, an index or a config, whole and verified against digest and (unless -1) size.

        Raises:
            NotFoundError: blob-not-found, when the bytes are not here.
            IntegrityError: digest-mismatch or size-mismatch.
            PeerError: too-large, above DOCUMENT_LIMIT bytes.
        """

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """Return the bytes of a blob from ``offset``, NOT verified: the writer verifies. The caller closes.

        Raises:
            NotFoundError: blob-not-found.
        """

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        """Publish the bytes that ``open_at`` yields, atomically, if they match digest and size.

        Returns True if bytes moved, False if they were here already (``open_at`` is not called then).

        Raises:
            IntegrityError: digest-mismatch or size-mismatch. Nothing is published then.
        """

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        """Publish a manifest or an index by digest and, with ``reference``, under that name too (moving it).

        The children (config and layers, or the manifests of an index) must be here; layers of a nondistributable
        media type need not. Idempotent.

        Raises:
            ConflictError: missing-child, when a child is not here. Nothing is published then.
            IntegrityError: digest-mismatch or size-mismatch, when ``raw`` is not what ``descriptor`` says.
        """

    def names(self) -> list[StoredName]:
        """Return every name with its target, sorted by the name's text."""

    def untag(self, reference: Reference) -> None:
        """Remove one name; the bytes stay.

        Raises:
            NotFoundError: image-not-found, when there is no such name.
        """
