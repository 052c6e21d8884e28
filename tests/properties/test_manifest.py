# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of manifests: the digest is of the bytes as they came; whatever comes, only the peer's fault leaves."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model import media_types as mt
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.fields import Fields
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.index import Index
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest, manifest_json, parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from hypothesis import given
from hypothesis import strategies as st

TEXT_MAPS = st.dictionaries(st.text(), st.text(), max_size=3)
PLATFORMS = st.builds(
    Platform.of,
    st.just("linux"),
    st.sampled_from(["amd64", "arm64", "arm"]),
    variant=st.sampled_from(["", "v6"]),
)
DESCRIPTORS = st.builds(
    Descriptor,
    st.sampled_from([mt.OCI_LAYER, mt.OCI_LAYER_GZIP, mt.OCI_CONFIG, mt.OCI_MANIFEST, "application/x"]),
    st.binary(max_size=4).map(Digest.of),
    st.integers(min_value=0, max_value=1 << 62),
    st.none() | PLATFORMS,
    TEXT_MAPS,
    st.sampled_from(["", "application/y"]),
    st.lists(st.text(min_size=1), max_size=2).map(tuple),
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
KEYS = st.sampled_from(
    [
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "subject",
        "annotations",
        "digest",
        "size",
        "platform",
        "os",
        "rootfs",
        "diff_ids",
        "history",
        "Labels",
        "created",
        "variant",
        "urls",
    ]
)
DOCUMENTS = st.recursive(
    SCALARS
    | st.sampled_from([2, mt.OCI_MANIFEST, mt.OCI_INDEX, mt.DOCKER_LIST])
    | DESCRIPTORS.map(lambda descriptor: descriptor.to_json()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
ANNOUNCED = st.sampled_from(["", mt.OCI_MANIFEST, mt.OCI_INDEX, mt.DOCKER_MANIFEST, mt.DOCKER_LIST, "text/html"])


@given(DESCRIPTORS)
def test_json_keeps_a_descriptor(descriptor: Descriptor) -> None:
    assert Descriptor.from_json(Fields(json.loads(json.dumps(descriptor.to_json())))) == descriptor


@given(DESCRIPTORS, st.lists(DESCRIPTORS, max_size=4), TEXT_MAPS)
def test_a_written_manifest_is_read_back(
    config: Descriptor, layers: list[Descriptor], annotations: dict[str, str]
) -> None:
    raw = manifest_json(config, layers, annotations=annotations)
    manifest = parse_manifest(raw, media_type=mt.OCI_MANIFEST)
    assert isinstance(manifest, Manifest)
    assert manifest.config == config.plain()
    assert manifest.layers == tuple(layer.plain() for layer in layers)
    assert manifest.annotations == annotations
    shuffled = dict(reversed(annotations.items()))
    assert manifest_json(config, layers, annotations=shuffled) == raw


@given(DESCRIPTORS, st.sampled_from([None, 1, 4]), st.booleans(), st.text(" \n\t", max_size=3))
def test_the_digest_is_of_the_bytes_as_they_came(
    part: Descriptor, indent: int | None, sort_keys: bool, space: str
) -> None:
    document: dict[str, t.Any] = {"schemaVersion": 2, "config": part.to_json(), "layers": [part.to_json()]}
    raw = (space + json.dumps(document, indent=indent, sort_keys=sort_keys) + space).encode()
    parsed = parse_manifest(raw)
    assert (parsed.raw, parsed.descriptor.digest, parsed.descriptor.size) == (raw, Digest.of(raw), len(raw))


@given(st.lists(DESCRIPTORS, max_size=5), PLATFORMS)
def test_an_index_chooses_one_of_its_images(entries: list[Descriptor], wanted: Platform) -> None:
    document = {"schemaVersion": 2, "manifests": [entry.to_json() for entry in entries]}
    index = parse_manifest(json.dumps(document).encode())
    assert isinstance(index, Index)
    assert list(index.manifests) == entries
    chosen = index.choose(wanted)
    if chosen is None:
        assert not any(entry.platform is None or entry.platform.satisfies(wanted) for entry in index.images())
    else:
        assert chosen in index.images()
        assert chosen.platform is None or chosen.platform.satisfies(wanted)


@given(st.dictionaries(KEYS, DOCUMENTS, max_size=6) | JSON, ANNOUNCED)
def test_any_document_is_a_manifest_an_index_or_the_peers_fault(document: object, announced: str) -> None:
    raw = json.dumps(document).encode()
    try:
        parsed = parse_manifest(raw, media_type=announced)
    except PeerError as error:
        assert error.code
    else:
        assert parsed.descriptor.digest == Digest.of(raw)
        assert mt.is_index(parsed.descriptor.media_type) == isinstance(parsed, Index)


@given(st.dictionaries(KEYS, DOCUMENTS, max_size=6) | JSON)
def test_any_document_is_a_config_or_the_peers_fault(document: object) -> None:
    raw = json.dumps(document).encode()
    try:
        assert parse_config(raw).digest == Digest.of(raw)
    except PeerError as error:
        assert error.code in ("not-json", "wrong-shape")
