# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small images made from nothing, and a pusher that shares no code with the collection it tests."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import random
import tarfile
import typing as t
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urljoin

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .registry import Registry

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCUMENT_TYPES = (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)


class Blob(t.NamedTuple):
    """Bytes with the media type they go under."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """Return "sha256:…"."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()

    @property
    def descriptor(self) -> dict[str, t.Any]:
        """Return the descriptor as JSON has it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


class MadeImage(t.NamedTuple):
    """An image of one platform: its manifest, config, and layers, oldest first."""

    manifest: Blob
    config: Blob
    layers: tuple[Blob, ...]
    platform: str

    @property
    def digest(self) -> str:
        """Return the manifest's digest."""
        return self.manifest.digest


class MadeIndex(t.NamedTuple):
    """An index (or Docker manifest list) over images."""

    manifest: Blob
    images: tuple[MadeImage, ...]

    @property
    def digest(self) -> str:
        """Return the index's digest."""
        return self.manifest.digest


class Answer(t.NamedTuple):
    """What a registry answered; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def make_layer(files: Mapping[str, bytes], *, media_type: str = OCI_LAYER) -> tuple[Blob, str]:
    """Return a gzip layer with these files (path to content; same input, same bytes) and its diff ID."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(files[name]), 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(files[name]))
    plain = buffer.getvalue()
    return Blob(media_type, gzip.compress(plain, 1, mtime=0)), "sha256:" + hashlib.sha256(plain).hexdigest()


def make_image(
    files: Mapping[str, bytes] | None = None,
    *,
    platform: str = "linux/amd64",
    layers: int = 1,
    random_bytes: int = 0,
    seed: int = 0,
    labels: Mapping[str, str] | None = None,
    command: Sequence[str] = ("/bin/sh",),
    docker: bool = False,
) -> MadeImage:
    """Return an image of ``layers`` layers. Same arguments, same bytes.

    ``files`` go into the first layer; ``random_bytes`` incompressible bytes (drawn from ``seed``) into each.
    ``docker`` uses Docker's media types instead of OCI's.
    """
    blobs, diff_ids = [], []
    for number in range(layers):
        content = dict(files or {"hello.txt": b"hello\n"}) if number == 0 else {f"layer-{number}.txt": b"%d\n" % number}
        if random_bytes:
            content[f"noise-{number}"] = random.Random(f"{seed}/{number}").randbytes(random_bytes)
        elif seed:
            content[f"seed-{number}"] = str(seed).encode()
        blob, diff_id = make_layer(content, media_type=DOCKER_LAYER if docker else OCI_LAYER)
        blobs.append(blob)
        diff_ids.append(diff_id)
    os_name, architecture, *variant = platform.split("/")
    config = {
        "created": "2026-01-01T00:00:00Z",
        "architecture": architecture,
        **({"variant": variant[0]} if variant else {}),
        "os": os_name,
        "config": {"Cmd": list(command), **({"Labels": dict(labels)} if labels else {})},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "2026-01-01T00:00:00Z", "created_by": f"layer {n}"} for n in range(layers)],
    }
    config_blob = Blob(DOCKER_CONFIG if docker else OCI_CONFIG, _json(config))
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config_blob.descriptor,
        "layers": [blob.descriptor for blob in blobs],
    }
    return MadeImage(Blob(media_type, _json(manifest)), config_blob, tuple(blobs), platform)


def make_index(images: Sequence[MadeImage], *, docker: bool = False) -> MadeIndex:
    """Return an index over ``images``, in their order, each with its platform."""
    media_type = DOCKER_LIST if docker else OCI_INDEX
    entries = [{**image.manifest.descriptor, "platform": _platform(image.platform)} for image in images]
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return MadeIndex(Blob(media_type, _json(document)), tuple(images))


def request(
    registry: Registry,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    accept_status: Sequence[int] = (200, 201, 202),
) -> Answer:
    """Send one request with the registry's first account; raises ``AssertionError`` on another status."""
    # Not build_opener: its handler for HTTPS reads every certificate of the system, for plain HTTP as well.
    opener, context = urllib.request.OpenerDirector(), registry.ssl_context()
    opener.add_handler(urllib.request.HTTPSHandler(context=context) if context else urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPRedirectHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    address = urljoin(registry.url, path)
    question = urllib.request.Request(address, data=body, method=method, headers=dict(headers or {}))
    for name, password in list(registry.users.items())[:1]:
        question.add_header("Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())
    try:
        with opener.open(question, timeout=60) as reply:
            answer = Answer(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read())
    except urllib.error.HTTPError as error:
        with error:
            answer = Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())
    if answer.status not in accept_status:
        raise AssertionError(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
    return answer


def push_blob(registry: Registry, repository: str, blob: Blob) -> None:
    """Upload one blob in a single piece, unless it is there."""
    if request(registry, "HEAD", f"/v2/{repository}/blobs/{blob.digest}", accept_status=(200, 404)).status == 200:
        return
    location = request(registry, "POST", f"/v2/{repository}/blobs/uploads/", body=b"").headers["location"]
    target = f"{location}{'&' if '?' in location else '?'}digest={blob.digest}"
    request(registry, "PUT", target, body=blob.data, headers={"Content-Type": "application/octet-stream"})


def push_manifest(registry: Registry, repository: str, document: Blob, *, tag: str = "") -> None:
    """Upload a manifest or index whose children are there, under ``tag`` or else by digest."""
    path = f"/v2/{repository}/manifests/{tag or document.digest}"
    request(registry, "PUT", path, body=document.data, headers={"Content-Type": document.media_type})


def push(registry: Registry, repository: str, image: MadeImage | MadeIndex, *, tag: str = "latest") -> str:
    """Push an image, or an index with its images, under ``tag`` and return its digest."""
    for single in image.images if isinstance(image, MadeIndex) else (image,):
        for blob in (single.config, *single.layers):
            push_blob(registry, repository, blob)
        if isinstance(image, MadeIndex):
            push_manifest(registry, repository, single.manifest)
    push_manifest(registry, repository, image.manifest, tag=tag)
    return image.digest


def push_image(
    registry: Registry,
    repository: str,
    tag: str = "latest",
    *,
    files: Mapping[str, bytes] | None = None,
    **options: t.Any,
) -> MadeImage:
    """Make an image (options of ``make_image``), push it, and return it."""
    image = make_image(files, **options)
    push(registry, repository, image, tag=tag)
    return image


def push_index(
    registry: Registry,
    repository: str,
    tag: str = "latest",
    *,
    platforms: Sequence[str] = ("linux/amd64", "linux/arm64"),
) -> MadeIndex:
    """Make one small image per platform and an index over them, push all, and return the index."""
    index = make_index([make_image({"arch": name.encode()}, platform=name) for name in platforms])
    push(registry, repository, index, tag=tag)
    return index


def delete(registry: Registry, repository: str, digest: str) -> None:
    """Delete a manifest by digest."""
    request(registry, "DELETE", f"/v2/{repository}/manifests/{digest}")


def write_layout(folder: Path, named: Mapping[str, MadeImage | MadeIndex]) -> Path:
    """Write an OCI image layout that holds ``named`` (reference name to image) and return ``folder``."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, image in named.items():
        for single in image.images if isinstance(image, MadeIndex) else (image,):
            for blob in (single.manifest, single.config, *single.layers):
                (blobs / blob.digest.partition(":")[2]).write_bytes(blob.data)
        (blobs / image.digest.partition(":")[2]).write_bytes(image.manifest.data)
        entries.append({**image.manifest.descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
    (folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}))
    return folder


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/")))  # the variant is optional


def _json(document: t.Mapping[str, t.Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
