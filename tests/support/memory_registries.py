# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries and content that live in memory: small, complete, and written without the stores they stand beside."""

from __future__ import annotations

import io
import typing as t
from collections import Counter
from itertools import chain

from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.media_types import is_nondistributable
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.memory import MemoryStore
from ansible_collections.fleet.images.plugins.module_utils.stores.verify import read_verified
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.stores.base import ContentStore
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import OpenAt, ReadStream
    from ansible_collections.fleet.images.tests.support.images import Blob


class MemoryContent(MemoryStore):
    """A store that can lose content, and counts what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.steps: Counter[str] = Counter()

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        is_new = super().write(descriptor, open_at)
        with self._lock:
            self.steps["write"] += 1
            self.written += descriptor.size if is_new else 0
        return is_new

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        super().put_manifest(raw, descriptor, reference=reference)
        self.steps["put_manifest"] += 1

    def read_all(self, digest: str) -> bytes:
        """Return the bytes of one digest."""
        return self._blobs[Digest.parse(digest)]

    def lose(self, digest: Digest | str) -> None:
        """Lose the bytes of one digest, as a damaged disk does."""
        del self._blobs[Digest.parse(str(digest))]

    def digests(self) -> frozenset[Digest]:
        """Return the digests of all that is held."""
        return frozenset(self._blobs)

    def documents(self) -> list[Digest]:
        """Return the digests of the manifests that were put and are still here, oldest first."""
        return [digest for digest in self._documents if digest in self._blobs]

    def keep_only(self, digests: set[Digest]) -> int:
        """Remove all other bytes; return how many."""
        gone = {digest: self._blobs.pop(digest) for digest in list(self._blobs) if digest not in digests}
        return sum(map(len, gone.values()))

    def copy_from(self, other: MemoryContent) -> None:
        """Hold all that ``other`` holds, but its names."""
        self._blobs.update(other._blobs)
        self._documents.update(other._documents)

    def put(self, image: MadeImage) -> None:
        """Put an image with all its parts that may be distributed, nameless."""
        for blob in (image.config, *(layer for layer in image.layers if not is_nondistributable(layer.media_type))):
            MemoryStore.write(self, descriptor_of(blob), opening(blob.data))
        self.put_manifest(image.manifest.data, descriptor_of(image.manifest))


class MemoryRepository(MemoryContent):
    """One repository of a registry; notes each request, and can be told to fail."""

    def __init__(self, requests: list[str], path: str) -> None:
        super().__init__()
        self._requests = requests
        self._path = path

    def resolve(self, reference: Reference) -> Descriptor:
        self._requests.append(f"HEAD {reference}")
        return super().resolve(reference)

    def fetch_manifest(self, reference: Reference) -> tuple[bytes, Descriptor]:
        self._requests.append(f"GET {reference}")
        descriptor = super().resolve(reference)
        return io.BytesIO(self._blobs[descriptor.digest]).read(), descriptor

    def read(self, descriptor: Descriptor) -> bytes:
        self._requests.append(f"GET {self._path}@{descriptor.digest}")
        return read_verified(MemoryStore.open(self, descriptor), descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        self._requests.append(f"GET blob {descriptor.digest}")
        return MemoryStore.open(self, descriptor, offset)

    def remove(self, reference: Reference) -> None:
        self._names.pop(reference, None)


class MemoryRegistries:
    """Every registry there is: opens the repository of a reference, and keeps the list of ``requests``."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.mounts: dict[str, tuple[str, ...]] = {}  # repository -> paths it was told to mount from
        self._repositories: dict[str, MemoryRepository] = {}

    def __call__(self, reference: Reference, *, mount_from: t.Sequence[str] = ()) -> MemoryRepository:
        self.mounts[reference.repository] = tuple(mount_from)
        made = MemoryRepository(self.requests, reference.repository)
        return self._repositories.setdefault(reference.repository, made)

    def place(self, reference: Reference, repository: MemoryRepository) -> None:
        """Let ``repository`` be the one that ``reference`` lies in."""
        self._repositories[reference.repository] = repository

    def push(self, name: str, image: MadeImage | MadeIndex) -> Reference:
        """Let ``name`` be ``image`` at its registry; return its reference."""
        reference = parse_reference(name)
        repository = self(reference)
        for single in image.images if isinstance(image, MadeIndex) else (image,):
            repository.put(single)
        tag = reference if reference.tag is not None else None
        repository.put_manifest(image.manifest.data, descriptor_of(image.manifest), reference=tag)
        return reference

    def digest(self, name: str) -> str:
        """Return the digest that ``name`` has at its registry, "" when it has none."""
        reference = parse_reference(name)
        found = {stored.reference: stored.descriptor for stored in self(reference).names()}
        return str(found[reference].digest) if reference in found else ""

    def tags(self) -> dict[str, str]:
        """Return every name at every registry with its digest."""
        rows = chain.from_iterable(repository.names() for repository in self._repositories.values())
        return {str(row.reference): str(row.descriptor.digest) for row in rows}


def descriptor_of(blob: Blob) -> Descriptor:
    """Return the descriptor of ``blob``."""
    return Descriptor(blob.media_type, Digest.parse(blob.digest), len(blob.data))


def opening(content: bytes) -> OpenAt:
    """Return what opens ``content`` from an offset."""
    return lambda offset: io.BytesIO(content[offset:])


if t.TYPE_CHECKING:
    _is_store: type[ContentStore] = MemoryRepository
