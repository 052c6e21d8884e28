# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds without a daemon: a checked build and its bases become an image in a content store.

The result depends on the inputs only: not on the machine, the user, the umask, the folder or the clock.
"""

from __future__ import annotations

import datetime
import io
import json
import typing as t

from ..model import media_types
from ..model.annotations import INPUTS_LABEL, KEY_LABEL
from ..model.descriptor import Descriptor
from ..model.errors import InputError
from ..model.manifest import Manifest, manifest_json
from .steps import Shop, StageRun

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.digest import Digest
    from .base import Base, BaseImage, BlobSink
    from .inputs import InputsKey
    from .layers import Layer
    from .loading import Build

_DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
#: Docker's names of layers in OCI's words: the bytes are the same, and a manifest speaks one language.
_OCI_LAYERS = {
    media_types.DOCKER_LAYER_GZIP: media_types.OCI_LAYER_GZIP,
    _DOCKER_LAYER: media_types.OCI_LAYER,
    f"{_DOCKER_LAYER}.zstd": media_types.OCI_LAYER_ZSTD,
    _FOREIGN_LAYER: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
}


def build_image(
    build: Build,
    *,
    bases: Mapping[Base, BaseImage],
    sink: BlobSink,
    work_folder: str | None = None,
    inputs: InputsKey | None = None,
) -> Manifest:
    """Build the image and publish it by digest in ``sink``; return its manifest.

    ``bases`` holds every base of ``build.bases``. Layers of bases that ``sink`` lacks are copied from their source.
    Each file of the context is read once here; memory grows with the number of files, not with their sizes.
    Temporary files, at most one layer at a time and the unpacked layers that files are copied out of, lie in
    ``work_folder`` (None: the system's folder for them) and are gone afterwards. The labels KEY_LABEL and INPUTS_LABEL
    hold the inputs key and its fields, or those of ``inputs``. Building again gives the same manifest and moves
    nothing.

    Raises:
        InputError: bad-build-bases; copy-source-missing, copy-source-outside, copy-conflict, unknown-owner,
            dockerfile-syntax or bad-archive, naming the line; context-unreadable.
        UnsupportedError: build-needs-run or onbuild-copy-from (in a trigger of a base), add-url, sparse-file,
            zstd-missing, whiteout-name.
        ConflictError: context-changed, when files change while they are read.
        PeerError: bad-layer, when a base's layer is no archive; IntegrityError: digest-mismatch.
    """
    missing = [base.reference for base in build.bases if base not in bases]
    if missing:
        raise InputError(f"The base {', '.join(missing)} is not resolved", code="bad-build-bases", subject=missing[0])
    shop = Shop(build, bases, folder=work_folder, publish=lambda layer: _publish(layer, sink))
    try:
        result = _run_stages(shop)
    finally:
        shop.close()
    layers = [*_base_layers(result.image, sink), *result.layers]
    raw_config = _config(build, result, inputs=inputs or _inputs(build, bases))
    config = Descriptor.of(raw_config, media_types.OCI_CONFIG)
    _publish_bytes(raw_config, config, sink=sink)
    raw = manifest_json(config, layers)
    manifest = Manifest(raw, Descriptor.of(raw, media_types.OCI_MANIFEST), config, tuple(layers))
    sink.put_manifest(raw, manifest.descriptor)
    return manifest


def _run_stages(shop: Shop) -> StageRun:
    plan = shop.build.plan
    target = plan.needed[-1]
    kept: set[int] = set()
    number: int | None = target
    while number is not None:
        kept.add(number)
        number = plan.stages[number].parent
    for number in plan.needed:
        shop.stages[number] = StageRun(shop, plan.stages[number], keeps_layers=number in kept)
        shop.stages[number].run()
    return shop.stages[target]


def _publish(layer: Layer, sink: BlobSink) -> None:
    sink.write(layer.descriptor, layer.spool.open_at)


def _publish_bytes(raw: bytes, descriptor: Descriptor, *, sink: BlobSink) -> None:
    sink.write(descriptor, lambda offset: io.BytesIO(raw[offset:]))


def _base_layers(image: BaseImage | None, sink: BlobSink) -> list[Descriptor]:
    """Return the base's layers as the new manifest names them, after making sure that ``sink`` has them."""
    layers: list[Descriptor] = []
    for layer in image.manifest.layers if image is not None else ():
        named = Descriptor(_OCI_LAYERS.get(layer.media_type, layer.media_type), layer.digest, layer.size)
        if image is not None and not media_types.is_nondistributable(layer.media_type) and not sink.has(named):
            sink.write(named, lambda offset, image=image, layer=layer: image.source.open(layer, offset))  # type: ignore[misc]
        layers.append(named)
    return layers


def _inputs(build: Build, bases: Mapping[Base, BaseImage]) -> InputsKey:
    digests: dict[Base, Digest] = {base: bases[base].digest for base in build.bases}
    return build.inputs_key(digests, has_triggers=any(bases[base].config.has_triggers for base in build.bases))


def _config(build: Build, result: StageRun, *, inputs: InputsKey) -> bytes:
    """Return the image config: the base's, with what the stages changed."""
    created = _time(build.spec.source_date_epoch)
    base = result.image.config if result.image is not None else None
    platform = base.platform if base is not None else build.plan.stages[build.plan.needed[-1]].platform
    settings = result.settings
    own = {**build.spec.labels, KEY_LABEL: inputs.key, INPUTS_LABEL: inputs.label}
    settings.values["Labels"] = {**(settings.values.get("Labels") or {}), **own}
    diff_ids = [*(base.diff_ids if base is not None else ()), *(layer.digest for layer in result.layers)]
    document: dict[str, t.Any] = {
        **platform.to_json(),
        "created": created,
        "config": settings.to_json(result.scope.env),
        "rootfs": {"type": "layers", "diff_ids": [str(digest) for digest in diff_ids]},
        "history": [
            *(dict(row) for row in (base.history if base is not None else ())),
            *({"created": created, **row} for row in result.history),
        ],
    }
    if settings.author:
        document["author"] = settings.author
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def _time(epoch: int) -> str:
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=epoch)
    return f"{moment.isoformat()}Z"
