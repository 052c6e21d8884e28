# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine in memory that speaks to registries in memory itself, as Docker and Podman do."""

from __future__ import annotations

import json
import threading
import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import UNKNOWN_SIZE, Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import NotFoundError, PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.index import Index
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import parse_image_manifest, parse_manifest
from ansible_collections.fleet.images.tests.support.memory_engine import AMD64, DOCKER, ImageKey, MemoryEngine

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.engines.base import Daemon, Heard
    from ansible_collections.fleet.images.plugins.module_utils.model.host import Abilities, Identity
    from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
    from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
    from ansible_collections.fleet.images.tests.support.memory_engine import MemoryRegistries, MemoryRepository


class MemoryDaemon(MemoryEngine):
    """Implements Engine and Daemon. ``pulls`` and ``pushes`` are what it was told to fetch and send, in order."""

    def __init__(
        self, registries: MemoryRegistries, *, platform: Platform = AMD64, abilities: Abilities = DOCKER
    ) -> None:
        super().__init__(platform, abilities=abilities)
        self.registries = registries
        self.pulls: list[str] = []
        self.pushes: list[str] = []
        self._changing = threading.Lock()

    def pull(
        self,
        reference: Reference,
        *,
        source: Reference,
        platform: Platform | None,
        deadline: float | None,
        heard: Heard | None = None,
    ) -> int:
        if source.digest is None:
            raise AssertionError("a daemon is told a digest")
        with self._changing:
            self.pulls.append(str(source))
            repository = self.registries(source)
            try:
                key, moved = self._fetch(repository, source.digest, platform)
            except NotFoundError as error:
                raise PeerError(
                    f"{source} cannot be pulled", code="engine-pull-failed", why=str(error), subject=str(source)
                ) from error
            self._name(reference.without_digest(), key)
            if self.abilities.pins_by_pull:
                self._name(reference.with_digest(source.digest), key)
            return moved

    def push(self, reference: Reference, *, identity: Identity, deadline: float | None) -> None:
        with self._changing:
            self.pushes.append(str(reference))
            key = self._key_of(identity)
            manifest = self._manifest(key.manifest) if key is not None else None
            if key is None or manifest is None:
                raise NotFoundError(f"no image for {reference}", code="image-not-found", subject=str(reference))
            anew = json.dumps(json.loads(manifest.raw), indent=3).encode()
            raw = manifest.raw if self.abilities.sends_exact else anew
            repository = self.registries(reference)
            for blob in manifest.blobs():
                repository.write(blob, lambda offset, blob=blob: self.content.open(blob, offset))  # type: ignore[misc]
            made = manifest.descriptor._replace(digest=Digest.of(raw), size=len(raw))
            repository.put_manifest(raw, made, reference=reference)
            names = [name for name, other in self.names.items() if self.image_id(other) == self.image_id(key)]
            is_tagged = any(name.tag is not None and name.repository == reference.repository for name in names)
            if is_tagged and self.abilities.pins_by_pull:
                self._name(reference.with_digest(made.digest), key)

    def _fetch(
        self, repository: MemoryRepository, digest: Digest, platform: Platform | None
    ) -> tuple[ImageKey, int]:
        raw = repository.read(Descriptor("", digest, UNKNOWN_SIZE))
        document, chosen_from = parse_manifest(raw), None
        if isinstance(document, Index):
            entry = document.choose(platform or self.platform)
            if entry is None:
                raise NotFoundError("no matching manifest", code="platform-missing", subject=str(digest))
            chosen_from, raw = digest, repository.read(entry)
        manifest = parse_image_manifest(raw)
        moved = 0
        for blob in manifest.moved_blobs():
            source = repository.open(blob)
            if self.content.write(blob, lambda offset, source=source: source):  # type: ignore[misc]
                moved += blob.size
        self.content.put_manifest(raw, manifest.descriptor)
        return ImageKey(manifest.descriptor.digest, chosen_from), moved


if t.TYPE_CHECKING:
    _fits: type[Daemon] = MemoryDaemon
