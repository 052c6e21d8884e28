# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Layers that were built natively, upon a base with whiteouts, become the same files under umoci, Docker and podman."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BaseImage, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest, parse_manifest
from ansible_collections.fleet.images.tests.integration.build_contexts import CONTEXT, write
from ansible_collections.fleet.images.tests.integration.built_images import HERE, native
from ansible_collections.fleet.images.tests.support import images, skopeo
from ansible_collections.fleet.images.tests.support.programs import require, run

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd
    from ansible_collections.fleet.images.tests.support.podman import Podman

BASE = "example.test/base:1"
DOCKERFILE = f"""\
FROM {BASE}
COPY --from={BASE} /base /copied
COPY app näme* /tree/
ADD odd.tar.gz /added/
COPY --chown=7:8 --chmod=4750 run.sh /tree/owned
COPY a.txt /base/opaque/later
COPY b.txt /base/kept/replaced
FROM {BASE}
COPY --from=0 / /
WORKDIR /made/by/it
"""
LONG = "/".join(["a-folder-with-a-rather-long-name-" + "x" * 60] * 3) + "/file-" + "y" * 120
#: Lets a program use ports below 1024. Source: linux/capability.h, VFS_CAP_REVISION_2.
CAPABILITY = "\x01\x00\x00\x02\x00\x04\x00\x00" + "\x00" * 12


def layer(*rows: tuple[str, int, str, dict[str, t.Any]]) -> bytes:
    """Return a tar of rows: path below ``base``, mode, content, and what else its header says."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, mode, content, more in rows:
            info = tarfile.TarInfo(f"base/{path}" if path else "base")
            info.mode, info.mtime, info.size = mode, 1_400_000_000, len(content.encode())
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content.encode()))
    return raw.getvalue()


def folder(path: str, mode: int = 0o755, **more: t.Any) -> tuple[str, int, str, dict[str, t.Any]]:
    return path, mode, "", {"type": tarfile.DIRTYPE, **more}


def base_layers() -> list[bytes]:
    """Return three layers; the second takes away from the first, the third puts something back."""
    attributes = {"SCHILY.xattr.security.capability": CAPABILITY, "SCHILY.xattr.user.note": "kept"}
    first = layer(
        folder(""),
        *(folder(name) for name in ("kept", "gone", "opaque", "opaque/deep", "turned", "back", "hard", "odd")),
        *((f"{name}/file", 0o644, name, {}) for name in ("kept", "gone", "opaque", "opaque/deep", "turned", "back")),
        ("kept/replaced", 0o644, "old", {}),
        ("kept/hidden", 0o644, "old", {}),
        ("hard/one", 0o640, "linked", {"uid": 3, "gid": 4}),
        ("hard/two", 0o640, "", {"type": tarfile.LNKTYPE, "linkname": "base/hard/one", "uid": 3, "gid": 4}),
        ("hard/three", 0o640, "", {"type": tarfile.LNKTYPE, "linkname": "base/hard/one", "uid": 3, "gid": 4}),
        folder("odd/sticky", 0o1777, uid=9),
        folder("odd/group", 0o2755, gid=9),
        ("odd/set-user-id", 0o4755, "x", {}),
        ("odd/nothing", 0o000, "x", {}),
        ("odd/tool", 0o755, "x", {"pax_headers": attributes}),
        ("odd/pipe", 0o600, "", {"type": tarfile.FIFOTYPE}),
        ("odd/link", 0o777, "", {"type": tarfile.SYMTYPE, "linkname": "../kept/file"}),
        ("odd/dangling", 0o777, "", {"type": tarfile.SYMTYPE, "linkname": "/nowhere/at/all"}),
        ("odd/ünï cøde\t✓", 0o644, "u", {}),
        (f"odd/{LONG}", 0o644, "l", {}),
    )
    second = layer(
        (".wh.gone", 0o644, "", {}),
        ("kept/.wh.hidden", 0o644, "", {}),
        ("opaque/.wh..wh..opq", 0o644, "", {}),
        ("opaque/new", 0o600, "new", {}),
        (".wh.turned", 0o644, "", {}),
        (".wh.back", 0o644, "", {}),
        ("hard/.wh.two", 0o644, "", {}),
    )
    third = layer(("turned", 0o644, "a file now", {}), folder("back"), ("back/other", 0o644, "b", {}))
    return [first, second, third]


class BaseBlobs(t.NamedTuple):
    """The blobs of a base, by digest."""

    blobs: dict[str, bytes]

    def open(self, descriptor: Descriptor, offset: int = 0) -> t.BinaryIO:
        return io.BytesIO(self.blobs[str(descriptor.digest)][offset:])


def base_image() -> BaseImage:
    plain = base_layers()
    layers = [images.Blob(images.OCI_LAYER, gzip.compress(raw, 1, mtime=0)) for raw in plain]
    rootfs = {"type": "layers", "diff_ids": [images.Blob("", raw).digest for raw in plain]}
    document = {"os": "linux", "architecture": HERE.architecture, "config": {}, "rootfs": rootfs}
    config = images.Blob(images.OCI_CONFIG, json.dumps(document).encode())
    rows = {"config": config.descriptor, "layers": [blob.descriptor for blob in layers]}
    raw = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_MANIFEST, **rows}).encode()
    manifest = parse_manifest(raw)
    assert isinstance(manifest, Manifest)
    source = BaseBlobs({blob.digest: blob.data for blob in (config, *layers)})
    return BaseImage(manifest.descriptor.digest, manifest, parse_config(config.data), source)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a layout with the built image under the name ``localhost/case:1``."""
    place = tmp_path_factory.mktemp("built")
    context = write(place / "context", {**CONTEXT, "Dockerfile": DOCKERFILE})
    native(place / "store", BuildSpec(str(context), HERE), {Base(BASE, HERE): base_image()})
    return place / "store"


Row = tuple[object, ...]
TOPS = ("base", "copied", "tree", "added", "made")


def files_below(root: Path) -> dict[str, Row]:
    """Return every path of the image with kind, mode, owner, content, attributes, time and its other names."""
    found: dict[str, Row] = {}
    names: dict[int, list[str]] = {}
    for top in TOPS:
        for path in [root / top, *sorted((root / top).rglob("*"))]:
            status = path.lstat()
            name = str(path.relative_to(root))
            content: object = None
            if path.is_symlink():
                content = os.readlink(path)
            elif path.is_file():
                content = path.read_bytes()
                names.setdefault(status.st_ino, []).append(name)
            kept = [key for key in os.listxattr(path, follow_symlinks=False) if key == "security.capability"]
            attributes = [(key, os.getxattr(path, key, follow_symlinks=False)) for key in kept]
            time = None if path.is_dir() and not path.is_symlink() else int(status.st_mtime)
            mode = 0 if path.is_symlink() else stat.S_IMODE(status.st_mode)
            kind = stat.S_IFMT(status.st_mode)
            found[name] = (kind, mode, status.st_uid, status.st_gid, content, attributes, time)
    linked = {name: same for same in names.values() for name in same}
    return {name: (*row, linked.get(name)) for name, row in found.items()}


def unpacked_by_umoci(store: Path, place: Path) -> dict[str, Row]:
    run(["umoci", "unpack", "--image", f"{store}:case", place / "bundle"])
    return files_below(place / "bundle" / "rootfs")


def loaded_by_docker(store: Path, place: Path, *, daemon: Dockerd) -> dict[str, Row]:
    skopeo.copy(f"oci:{store}:case", f"docker-archive:{place}/archive.tar:case:1")
    daemon.cli("load", "-i", f"{place}/archive.tar")
    container = daemon.cli("create", "--network=none", "case:1", "/nothing").decode().strip()
    (place / "exported").mkdir()
    exported = daemon.cli("export", container)
    daemon.cli("rm", container)
    daemon.cli("rmi", "case:1")
    command = ["tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", f"{place}/exported"]
    run(command, input_bytes=exported)
    return files_below(place / "exported")


def mounted_by_podman(store: Path, *, podman: Podman) -> dict[str, Row]:
    copied = ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{store}:case", "containers-storage:localhost/case:1"]
    run(copied, environment=podman.environment)
    image = podman.cli("images", "--quiet", "localhost/case:1").decode().strip()
    place = podman.cli("image", "mount", image).decode().strip()
    try:
        return files_below(Path(place))
    finally:
        podman.cli("image", "umount", image)
        podman.cli("rmi", image)


def test_umoci_docker_and_podman_make_the_same_files_of_what_was_built(
    store: Path, dockerd: Dockerd, podman: Podman, tmp_path: Path
) -> None:
    require("umoci", "skopeo", "tar")
    # umoci takes no name with a slash or colon.
    skopeo.copy(f"oci:{store}:localhost/case:1", f"oci:{tmp_path}/named:case")
    layout = tmp_path / "named"
    by_umoci = unpacked_by_umoci(layout, tmp_path)
    assert {"base/kept/file", "base/opaque/new", "base/opaque/later", "base/back/other", f"base/odd/{LONG}"} <= set(
        by_umoci
    )
    gone = ("gone", "gone/file", "kept/hidden", "opaque/file", "opaque/deep", "turned/file", "back/file", "hard/two")
    assert {f"{top}/{name}" for top in ("base", "copied") for name in gone} & set(by_umoci) == set()
    assert by_umoci["base/hard/one"][-1] == ["base/hard/one", "base/hard/three"]
    assert by_umoci["added/d/file"][-1] == ["added/d/file", "added/d/hard"]
    assert by_umoci["base/odd/tool"][5] == [("security.capability", CAPABILITY.encode())]
    assert by_umoci["tree/owned"][1:4] == (0o4750, 7, 8)
    by_docker = loaded_by_docker(layout, tmp_path, daemon=dockerd)
    assert by_docker == by_umoci
    assert mounted_by_podman(layout, podman=podman) == by_umoci
