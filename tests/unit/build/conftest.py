# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the build tests share: contexts written in one line, and images read with Python's own tar reader."""

from __future__ import annotations

import io
import json
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BaseImage, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import Build, load_build
from ansible_collections.fleet.images.plugins.module_utils.build.native import build_image
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.stores.memory import MemoryStore

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AMD64 = Platform.of("linux", "amd64")


class Workshop:
    """A context folder and a store in memory to build into."""

    def __init__(self, context: Path) -> None:
        self.context = context
        self.store = MemoryStore()
        self.bases: dict[Base, BaseImage] = {}
        context.mkdir()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files; a text that starts with -> makes a symbolic link."""
        for name, content in files.items():
            path = self.context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str) and content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)

    def load(self, dockerfile: str, **options: t.Any) -> Build:
        return load_build(BuildSpec(str(self.context), AMD64, dockerfile_inline=dockerfile, **options))

    def build(self, dockerfile: str, **options: t.Any) -> Manifest:
        """Build with every base that add_base knows."""
        return build_image(self.load(dockerfile, **options), bases=self.bases, sink=self.store)

    def add_base(self, reference: str, dockerfile: str) -> BaseImage:
        """Build an image and let later builds start from it under this name."""
        manifest = self.build(dockerfile)
        config = parse_config(self.store.read(manifest.config))
        image = BaseImage(manifest.descriptor.digest, manifest, config, self.store)
        self.bases[Base(reference, AMD64)] = image
        return image

    def config(self, manifest: Manifest) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(self.store.read(manifest.config)))

    def members(self, layer: Descriptor) -> list[tarfile.TarInfo]:
        with tarfile.open(fileobj=t.cast("t.IO[bytes]", self.store.open(layer))) as tar:
            return tar.getmembers()

    def files(self, manifest: Manifest) -> dict[str, str]:
        """Return the content of every regular file by path, later layers over earlier ones."""
        found: dict[str, str] = {}
        for layer in manifest.layers:
            with tarfile.open(fileobj=t.cast("t.IO[bytes]", self.store.open(layer))) as tar:
                for info in tar:
                    stream = tar.extractfile(info) if info.isfile() or info.islnk() else None
                    if stream is not None:
                        found[info.name] = stream.read().decode()
        return found


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path / "context")


@pytest.fixture
def tar_of() -> Callable[..., bytes]:
    """Return a function that packs members (name, type, fields) into a tar archive."""

    def pack(
        *members: tuple[str, bytes, dict[str, t.Any]], mode: t.Literal["w:", "w:gz", "w:bz2", "w:xz"] = "w:"
    ) -> bytes:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode=mode) as tar:
            for name, kind, fields in members:
                info = tarfile.TarInfo(name)
                info.type = kind
                body = fields.pop("body", b"")
                info.size = len(body)
                for key, value in fields.items():
                    setattr(info, key, value)
                tar.addfile(info, io.BytesIO(body))
        return raw.getvalue()

    return pack
