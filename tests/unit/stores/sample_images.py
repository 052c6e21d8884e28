# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images for tests of stores: small, made of random-looking bytes that are the same in each run."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import manifest_json
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
    from ansible_collections.fleet.images.plugins.module_utils.stores.base import ContentStore
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import OpenAt


class SampleImage(t.NamedTuple):
    """One image: its manifest, and the content of everything the manifest refers to."""

    raw: bytes
    descriptor: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    content: dict[Digest, bytes]

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        return (self.config, *self.layers)

    def write_blobs(self, store: ContentStore) -> None:
        for part in self.parts:
            store.write(part, opening(self.content[part.digest]))

    def put(self, store: ContentStore, reference: Reference | None = None) -> None:
        self.write_blobs(store)
        store.put_manifest(self.raw, self.descriptor, reference=reference)


def opening(content: bytes) -> OpenAt:
    """Return what opens ``content`` from an offset."""
    return lambda offset: io.BytesIO(content[offset:])


def noise(seed: str, size: int) -> bytes:
    """Return ``size`` bytes that do not compress, always the same for one seed."""
    return hashlib.shake_128(seed.encode()).digest(size)


def layer_of(files: dict[str, bytes]) -> tuple[bytes, Digest]:
    """Return a gzip'd tar of ``files`` and its diff ID."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    plain = buffer.getvalue()
    return gzip.compress(plain, mtime=0), Digest.of(plain)


def sample_image(seed: str, *, layers: int = 2, layer_bytes: int = 2000, arch: str = "amd64") -> SampleImage:
    """Return an OCI image of ``layers`` layers; images of one seed share no layer with those of another."""
    made = [layer_of({f"file-{at}": noise(f"{seed}-{at}", layer_bytes)}) for at in range(layers)]
    config_raw = json.dumps(
        {
            "architecture": arch,
            "os": "linux",
            "config": {"Labels": {"seed": seed}},
            "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for _, diff_id in made]},
        }
    ).encode()
    config = Descriptor.of(config_raw, media_types.OCI_CONFIG)
    parts = tuple(Descriptor.of(blob, media_types.OCI_LAYER_GZIP) for blob, _ in made)
    raw = manifest_json(config, parts)
    descriptor = Descriptor.of(raw, media_types.OCI_MANIFEST)
    content = {config.digest: config_raw, **{part.digest: blob for part, (blob, _) in zip(parts, made)}}
    return SampleImage(raw, descriptor, config, parts, content)


def sample_index(*images: SampleImage) -> tuple[bytes, Descriptor]:
    """Return an OCI index over ``images``, the platforms taken from their configs."""
    entries = [
        image.descriptor._replace(
            platform=Platform("linux", json.loads(image.content[image.config.digest])["architecture"])
        ).to_json()
        for image in images
    ]
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries}).encode()
    return raw, Descriptor.of(raw, media_types.OCI_INDEX)
