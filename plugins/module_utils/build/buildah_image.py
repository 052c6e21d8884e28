# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What buildah made, as an image of the content store: OCI's words, the bytes of the bases, nothing drawn at random."""

from __future__ import annotations

import io
import json
import os
import typing as t

from ..model import media_types
from ..model.descriptor import Descriptor
from ..model.fields import Fields
from ..model.manifest import Manifest, manifest_json

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..model.digest import Digest
    from ..wire.streams import OpenAt, ReadStream
    from .base import BaseImage, BlobSink

#: Layers of bases that keep their bytes, and the type that they have in OCI's words.
_KEPT = {
    media_types.OCI_LAYER: media_types.OCI_LAYER,
    media_types.OCI_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
    media_types.OCI_LAYER_ZSTD: media_types.OCI_LAYER_ZSTD,
    media_types.DOCKER_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
}
_SETTINGS = (
    *("User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal"),
    *("Healthcheck", "OnBuild", "Shell", "ArgsEscaped"),
)


class _Found(t.NamedTuple):
    """A layer as the image names it, and who opens its bytes."""

    descriptor: Descriptor
    open_at: OpenAt


def publish(folder: str, *, bases: Iterable[BaseImage], sink: BlobSink) -> Manifest:
    """Publish the image that lies in ``folder`` in ``sink``, verified, and return its manifest.

    ``folder`` is as containers/image's transport ``dir`` writes it, layers uncompressed.

    Raises:
        ImagesError: as ``sink`` and the sources of ``bases``.
        PeerError: what buildah wrote is no image.
    """
    told = Fields.of_bytes(_read(folder, "manifest.json"), what="manifest of buildah")
    settings = Fields.of_bytes(_read(folder, told.object("config").digest("digest").encoded), what="config of buildah")
    raw_config = _config(settings.values)
    config = Descriptor.of(raw_config, media_types.OCI_CONFIG)
    sink.write(config, lambda offset: io.BytesIO(raw_config[offset:]))
    known = _layers_of(bases)
    layers: list[Descriptor] = []
    for row in told.objects("layers"):
        digest = row.digest("digest")
        layer = known.get(digest) or _made(folder, digest)
        if not sink.has(layer.descriptor):
            sink.write(layer.descriptor, layer.open_at)
        layers.append(layer.descriptor)
    raw = manifest_json(config, layers)
    manifest = Manifest(raw, Descriptor.of(raw, media_types.OCI_MANIFEST), config, tuple(layers))
    sink.put_manifest(raw, manifest.descriptor)
    return manifest


def _layers_of(bases: Iterable[BaseImage]) -> dict[Digest, _Found]:
    """Return the layers of ``bases`` that keep their bytes, by diff ID."""
    found: dict[Digest, _Found] = {}
    for image in bases:
        if len(image.config.diff_ids) == len(image.manifest.layers):
            for diff_id, layer in zip(image.config.diff_ids, image.manifest.layers):
                if layer.media_type in _KEPT:
                    named = Descriptor(_KEPT[layer.media_type], layer.digest, layer.size)
                    found[diff_id] = _Found(named, _opener(image, layer))
    return found


def _opener(image: BaseImage, layer: Descriptor) -> OpenAt:
    return lambda offset: image.source.open(layer, offset)


def _made(folder: str, digest: Digest) -> _Found:
    path = os.path.join(folder, digest.encoded)

    def open_at(offset: int) -> ReadStream:
        stream = open(path, "rb")  # noqa: SIM115 (the reader closes)
        stream.seek(offset)
        return stream

    return _Found(Descriptor(media_types.OCI_LAYER, digest, os.path.getsize(path)), open_at)


def _config(told: Mapping[str, t.Any]) -> bytes:
    """Return the config in OCI's form and with Docker's settings beside, less the IDs that buildah draws."""
    settings = told.get("config") or {}
    document = {name: told[name] for name in ("created", "author", "architecture", "variant", "os") if told.get(name)}
    document["config"] = {name: settings[name] for name in _SETTINGS if settings.get(name)}
    document["rootfs"] = told["rootfs"]
    document["history"] = [_step(row) for row in told.get("history") or ()]
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _step(row: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a row of the history without buildah's remark which image, by its ID, the step began with."""
    is_remark = str(row.get("comment") or "").startswith("FROM ")
    return {name: value for name, value in row.items() if not (is_remark and name == "comment")}


def _read(folder: str, name: str) -> bytes:
    with open(os.path.join(folder, name), "rb") as stream:
        return stream.read()
