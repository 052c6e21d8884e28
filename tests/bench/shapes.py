# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the rows work on: images with large layers, many small images, folders to build from."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import typing as t
import zlib

from ansible_collections.fleet.images.tests.support import images

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.registry import Registry

KIB = 1024
MIB = 1024 * KIB
DOCKERFILE = "FROM scratch\nCOPY . /files/\n"


class _Noise:
    """A file of ``size`` bytes that do not compress, a MiB in memory at a time."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        piece = os.urandom(min(size, self._left))
        self._left -= len(piece)
        return piece


class _Stored:
    """Writes what it is given as gzip that stores, to a file; knows both digests and the size at the end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._packer = zlib.compressobj(0, wbits=31)
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take bytes of the layer."""
        self._plain.update(data)
        self._put(self._packer.compress(data))
        return len(data)

    def close(self) -> tuple[str, str]:
        """Close the file and return the hexadecimal digests of the layer as it is stored, and unpacked."""
        self._put(self._packer.flush())
        self._file.close()
        return self._packed.hexdigest(), self._plain.hexdigest()

    def _put(self, data: bytes) -> None:
        self._packed.update(data)
        self.size += len(data)
        self._file.write(data)


def write_large(folder: Path, *, layers: int, size: int) -> str:
    """Write a layout with one image, "1", of so many layers of ``size`` bytes; return the digest of its manifest.

    Layers are gzip as everywhere, but stored: making them would take longer than all that is measured.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    rows, diff_ids = [], []
    for number in range(layers):
        stored = _Stored(folder / "layer")
        with tarfile.open(fileobj=t.cast("t.BinaryIO", stored), mode="w|", bufsize=MIB) as archive:
            member = tarfile.TarInfo(f"noise-{number}")
            member.size = size
            archive.addfile(member, t.cast("t.BinaryIO", _Noise(size)))
        packed, plain = stored.close()
        (folder / "layer").rename(blobs / packed)
        rows.append({"mediaType": images.OCI_LAYER, "digest": f"sha256:{packed}", "size": stored.size})
        diff_ids.append(f"sha256:{plain}")
    return _write_documents(folder, rows, diff_ids=diff_ids)


def _write_documents(folder: Path, rows: list[dict[str, t.Any]], *, diff_ids: list[str]) -> str:
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    configured = images.Blob(images.OCI_CONFIG, json.dumps(config).encode())
    manifest = {
        "schemaVersion": 2,
        "mediaType": images.OCI_MANIFEST,
        "config": configured.descriptor,
        "layers": rows,
    }
    document = images.Blob(images.OCI_MANIFEST, json.dumps(manifest).encode())
    for blob in (configured, document):
        (folder / "blobs" / "sha256" / blob.digest.partition(":")[2]).write_bytes(blob.data)
    named = {**document.descriptor, "annotations": {"org.opencontainers.image.ref.name": "1"}}
    index = {"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": [named]}
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}), encoding="utf-8")
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return document.digest


def push_many(registry: Registry, count: int, *, layers: int = 1, size: int = 0) -> dict[str, str]:
    """Push so many images, each with a config of its own; return their names with their digests.

    With a ``size`` each also has layers of its own, of so many bytes that do not compress. Without one they share them.
    """
    found = {}
    for number in range(count):
        seed = number + 1 if size else 0
        labels = {"number": str(number)}
        made = images.make_image(layers=layers, random_bytes=size, seed=seed, labels=labels)
        images.push(registry, f"bench/image-{number}", made, tag="1")
        found[registry.reference(f"bench/image-{number}", "1")] = made.digest
    return found


def write_context(folder: Path, *, files: int, size: int) -> Path:
    """Write a folder of so many files of ``size`` random bytes, fifty to a folder, with a Dockerfile without RUN."""
    for number in range(files):
        path = folder / f"part-{number // 50}" / f"file-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(os.urandom(size))
    (folder / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    return folder
