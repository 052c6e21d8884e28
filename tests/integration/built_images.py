# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that are built without a daemon, and read back with Python's own tools only."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BaseImage, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.build.native import build_image
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest, parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.support.programs import run

HERE = Platform.of("linux", os.uname().machine)


class Image(t.NamedTuple):
    """An image as its layout directory holds it: parsed config, and every path with kind, mode, owner and content."""

    config: dict[str, t.Any]
    files: dict[str, tuple[object, ...]]


def files_of(layers: t.Sequence[bytes]) -> dict[str, tuple[object, ...]]:
    """Lay tar layers over each other; hard links become copies of what they name."""
    files: dict[str, tuple[object, ...]] = {}
    for raw in layers:
        plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            for info in tar:
                path = info.name.strip("/")
                content = tar.extractfile(info) if info.isreg() else None
                body = content.read() if content is not None else info.linkname if info.issym() else None
                row = (info.type, info.mode & 0o7777, info.uid, info.gid, body)
                if info.islnk():
                    row = t.cast("tuple[bytes, int, int, int, bytes]", files[info.linkname.strip("/")])
                if not info.isdir():
                    for below in [name for name in files if name.startswith(f"{path}/")]:
                        del files[below]
                if path:
                    files[path] = row
    return files


def read_layout(root: Path, manifest: Manifest) -> Image:
    blobs = root / "blobs/sha256"
    layers = [(blobs / layer.digest.encoded).read_bytes() for layer in manifest.layers]
    config = json.loads((blobs / manifest.config.digest.encoded).read_bytes())
    assert config["rootfs"]["diff_ids"] == [
        str(Digest.of(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)) for raw in layers
    ]
    assert len(layers) == sum(not row.get("empty_layer") for row in config["history"])
    return Image(config, files_of(layers))


def native(
    root: Path, spec: BuildSpec, bases: t.Mapping[Base, BaseImage] | None = None
) -> tuple[LayoutStore, Manifest]:
    """Build into a new layout at ``root`` and name the result ``case:1``."""
    store = LayoutStore(root, create=True)
    manifest = build_image(load_build(spec), bases=bases or {}, sink=store)
    store.put_manifest(manifest.raw, manifest.descriptor, reference=parse_reference("localhost/case:1"))
    return store, manifest


class Buildah:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        storage = folder / "storage.conf"
        storage.write_text(f'[storage]\ndriver="vfs"\nrunroot="{folder}/run"\ngraphroot="{folder}/graph"\n')
        self._environment = {"HOME": str(folder), "CONTAINERS_STORAGE_CONF": str(storage)}
        self._count = 0

    def run(self, *arguments: str | Path) -> None:
        run(["buildah", *arguments], environment=self._environment)

    def build(self, context: Path, *options: str) -> Path:
        """Build ``context`` and return the image as an OCI layout with the one name ``image``."""
        self._count += 1
        name, layout = f"localhost/case:{self._count}", self.folder / f"layout-{self._count}"
        # Docker's format: OCI's has no place for Healthcheck, Shell and OnBuild.
        build = ["bud", "--isolation", "chroot", "--format", "docker", "--timestamp", "0", *options, "-t", name]
        self.run(*build, "-f", context / "Dockerfile", context)
        self.run("push", "-q", "--format", "v2s2", name, f"dir:{layout}")
        return layout


class FolderSource:
    """A base image in a ``dir:`` folder of containers tools: every blob in a file named by its digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, descriptor: Descriptor, offset: int = 0) -> t.BinaryIO:
        return io.BytesIO(self._read(descriptor)[offset:])

    def image(self) -> BaseImage:
        manifest = parse_manifest((self.folder / "manifest.json").read_bytes())
        assert isinstance(manifest, Manifest)
        config = parse_config(self._read(manifest.config))
        return BaseImage(manifest.descriptor.digest, manifest, config, self)

    def _read(self, descriptor: Descriptor) -> bytes:
        return (self.folder / descriptor.digest.encoded).read_bytes()

    def read(self) -> Image:
        """Read the whole image with Python's own tools only."""
        manifest = json.loads((self.folder / "manifest.json").read_bytes())
        blobs = [(self.folder / layer["digest"].partition(":")[2]).read_bytes() for layer in manifest["layers"]]
        config = json.loads((self.folder / manifest["config"]["digest"].partition(":")[2]).read_bytes())
        return Image(config, files_of(blobs))
