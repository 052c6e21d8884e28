# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A store in memory: for tests, and as the plainest statement of what a store does."""

from __future__ import annotations

import contextlib
import io
import threading
import typing as t

from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from . import content_graph
from .base import StoredName
from .verify import Verifier, check_bytes, copy_hashing, read_verified

if t.TYPE_CHECKING:
    from ..model.digest import Digest
    from ..model.reference import Reference
    from ..wire.streams import OpenAt, ReadStream
    from .base import ContentStore


class MemoryStore:
    """Implements ContentStore; everything is gone with the object."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.RLock()
        self._blobs: dict[Digest, bytes] = {}
        self._documents: dict[Digest, Descriptor] = {}
        self._names: dict[Reference, Descriptor] = {}

    def resolve(self, reference: Reference) -> Descriptor:
        """See ContentStore."""
        with self._lock:
            held = self._documents.get(reference.digest) if reference.digest is not None else None
            return content_graph.target_of(reference, self.names(), held=held)

    def has(self, descriptor: Descriptor) -> bool:
        """See ContentStore."""
        content = self._blobs.get(descriptor.digest)
        return content is not None and descriptor.size in (UNKNOWN_SIZE, len(content))

    def read(self, descriptor: Descriptor) -> bytes:
        """See ContentStore."""
        return read_verified(self.open(descriptor), descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """See ContentStore."""
        content = self._blobs.get(descriptor.digest)
        if content is None:
            raise content_graph.blob_not_found(descriptor)
        return io.BytesIO(content[offset:])

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        """See ContentStore."""
        if self.has(descriptor):
            return False
        verifier, received = Verifier(descriptor), bytearray()
        with contextlib.closing(open_at(0)) as stream:
            copy_hashing(stream, verifier, write=received.extend)
        verifier.finish()
        with self._lock:
            self._blobs[descriptor.digest] = bytes(received)
        return True

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        """See ContentStore."""
        check_bytes(raw, descriptor)
        descriptor = descriptor._replace(size=len(raw))
        parts = content_graph.children_of(raw, descriptor)
        with self._lock:
            content_graph.refuse_missing([part for part in parts if not self.has(part)], descriptor)
            self._blobs[descriptor.digest] = raw
            self._documents.setdefault(descriptor.digest, descriptor.plain())
            if reference is not None:
                self._names[reference.without_digest()] = descriptor

    def names(self) -> list[StoredName]:
        """See ContentStore."""
        with self._lock:
            return [StoredName(name, self._names[name]) for name in sorted(self._names, key=str)]

    def untag(self, reference: Reference) -> None:
        """See ContentStore."""
        with self._lock:
            if self._names.pop(reference.without_digest(), None) is None:
                raise content_graph.image_not_found(reference, self.names())


if t.TYPE_CHECKING:
    _fits: type[ContentStore] = MemoryStore
