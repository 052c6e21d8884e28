# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and indexes: which documents are believed, and what they say."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types as mt
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.index import Index
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import (
    MANIFEST_LIMIT,
    Manifest,
    manifest_json,
    parse_manifest,
)
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform

CONFIG = Descriptor.of(b"{}", mt.OCI_CONFIG)
LAYERS = [Descriptor.of(b"lower", mt.OCI_LAYER_GZIP), Descriptor.of(b"upper", mt.OCI_LAYER_ZSTD)]


def image(**changes: t.Any) -> bytes:
    """Return an image manifest with fields replaced; a field that is None is left out."""
    document = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_MANIFEST,
        "config": CONFIG.to_json(),
        "layers": [layer.to_json() for layer in LAYERS],
        **changes,
    }
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def index(*entries: Descriptor, **changes: t.Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": mt.OCI_INDEX,
        "manifests": [entry.to_json() for entry in entries],
        **changes,
    }
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def entry(platform: str | None, content: str, **changes: t.Any) -> Descriptor:
    descriptor = Descriptor.of(content.encode(), mt.OCI_MANIFEST)
    return descriptor._replace(platform=Platform.parse(platform) if platform else None, **changes)


def test_a_manifest_keeps_its_bytes_and_tells_its_parts() -> None:
    raw = b" " + image(annotations={"a": "b"}, subject=CONFIG.to_json())
    manifest = parse_manifest(raw)
    assert isinstance(manifest, Manifest)
    assert manifest.raw == raw
    assert manifest.descriptor == Descriptor(mt.OCI_MANIFEST, Digest.of(raw), len(raw))
    assert manifest.config == manifest.subject == CONFIG
    assert list(manifest.layers) == LAYERS
    assert manifest.annotations == {"a": "b"}
    assert manifest.size == 2 + 5 + 5


def test_blobs_name_each_digest_once() -> None:
    manifest = parse_manifest(image(layers=[layer.to_json() for layer in (*LAYERS, LAYERS[0])]))
    assert isinstance(manifest, Manifest)
    assert len(manifest.layers) == 3
    assert manifest.blobs() == [CONFIG, *LAYERS]


def test_a_written_manifest_is_read_back_and_always_the_same() -> None:
    annotated = [layer._replace(annotations={"x": "y"}) for layer in LAYERS]
    raw = manifest_json(CONFIG, annotated, annotations={"b": "2", "a": "1"})
    assert raw == manifest_json(CONFIG, LAYERS, annotations={"a": "1", "b": "2"})
    manifest = parse_manifest(raw, media_type=mt.OCI_MANIFEST)
    assert isinstance(manifest, Manifest)
    assert (manifest.config, list(manifest.layers), manifest.annotations) == (CONFIG, LAYERS, {"a": "1", "b": "2"})
    assert b"annotations" not in manifest_json(CONFIG, LAYERS)


@pytest.mark.parametrize(
    ("raw", "announced", "actual"),
    [
        (image(), "", mt.OCI_MANIFEST),
        (image(), mt.OCI_MANIFEST, mt.OCI_MANIFEST),
        (image(), f"{mt.OCI_MANIFEST.upper()}; charset=utf-8", mt.OCI_MANIFEST),
        (image(), "application/octet-stream", mt.OCI_MANIFEST),
        (image(mediaType=mt.DOCKER_MANIFEST), mt.DOCKER_MANIFEST, mt.DOCKER_MANIFEST),
        (image(mediaType=None), mt.DOCKER_MANIFEST, mt.DOCKER_MANIFEST),
        (image(mediaType=None), "", mt.OCI_MANIFEST),
        (image(mediaType=None), "application/json", mt.OCI_MANIFEST),
        (index(), "", mt.OCI_INDEX),
        (index(mediaType=None), "", mt.OCI_INDEX),
        (index(mediaType=None), mt.DOCKER_LIST, mt.DOCKER_LIST),
        (index(mediaType=mt.DOCKER_LIST), mt.DOCKER_LIST, mt.DOCKER_LIST),
    ],
)
def test_the_type_is_what_sender_document_and_shape_agree_on(raw: bytes, announced: str, actual: str) -> None:
    parsed = parse_manifest(raw, media_type=announced)
    assert parsed.descriptor.media_type == actual
    assert isinstance(parsed, Index) == mt.is_index(actual)


@pytest.mark.parametrize(
    ("raw", "announced", "code"),
    [
        (image(manifests=[]), "", "ambiguous-manifest"),
        (index(layers=[]), mt.OCI_INDEX, "ambiguous-manifest"),
        (index(config={}), mt.OCI_INDEX, "ambiguous-manifest"),
        (image(), mt.DOCKER_MANIFEST, "mediatype-mismatch"),
        (image(), mt.OCI_INDEX, "mediatype-mismatch"),
        (image(mediaType=None), mt.OCI_INDEX, "mediatype-mismatch"),
        (image(mediaType=mt.OCI_INDEX), "", "mediatype-mismatch"),
        (index(mediaType=None), mt.OCI_MANIFEST, "mediatype-mismatch"),
        (index(mediaType=mt.OCI_MANIFEST), "", "mediatype-mismatch"),
        (image(mediaType="application/vnd.example+json"), "", "unknown-manifest-type"),
        (
            image(schemaVersion=1, mediaType=None),
            "application/vnd.docker.distribution.manifest.v1+json",
            "unknown-manifest-type",
        ),
        (b'{"schemaVersion": 1, "fsLayers": []}', "", "unknown-manifest-type"),
        (b"{}", "", "wrong-shape"),
        (image(config=None), "", "wrong-shape"),
        (image(layers=[{"mediaType": mt.OCI_LAYER, "size": 1}]), "", "wrong-shape"),
        (image(layers=[{**LAYERS[0].to_json(), "size": -1}]), "", "wrong-shape"),
        (image(layers=[{**LAYERS[0].to_json(), "digest": "sha256:short"}]), "", "wrong-shape"),
        (image(annotations={"a": 1}), "", "wrong-shape"),
        (image(mediaType=7), "", "wrong-shape"),
        (b"<html>", mt.OCI_MANIFEST, "not-json"),
        (b" " * (MANIFEST_LIMIT + 1), "", "manifest-too-large"),
    ],
)
def test_a_document_that_cannot_be_trusted_is_refused(raw: bytes, announced: str, code: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_manifest(raw, media_type=announced, subject="quay.io/app")
    assert caught.value.code == code
    assert "quay.io/app" in caught.value.what


def test_a_document_of_the_limit_is_read() -> None:
    raw = image()
    assert parse_manifest(raw + b" " * (MANIFEST_LIMIT - len(raw))).descriptor.size == MANIFEST_LIMIT


def test_the_fault_in_a_layer_is_named_by_its_path() -> None:
    with pytest.raises(PeerError) as caught:
        parse_manifest(image(layers=[LAYERS[0].to_json(), {**LAYERS[1].to_json(), "digest": "x"}]))
    assert caught.value.subject == "layers[1].digest"


ATTESTATION = entry(None, "attestation", annotations={"vnd.docker.reference.type": "attestation-manifest"})
UNKNOWN = entry("unknown/unknown", "unknown")


@pytest.mark.parametrize(
    ("entries", "wanted", "chosen"),
    [
        ([UNKNOWN, entry("linux/amd64", "a")], "linux/amd64", "a"),
        ([ATTESTATION, entry(None, "any")], "linux/amd64", "any"),
        ([entry(None, "any"), entry("linux/amd64", "a")], "linux/amd64", "a"),
        ([entry(None, "any"), entry("linux/arm64", "a")], "linux/amd64", "any"),
        ([entry("linux/arm64/v8", "a")], "linux/arm64", "a"),
        ([ATTESTATION, UNKNOWN, entry("linux/arm64", "a")], "linux/amd64", None),
        ([], "linux/amd64", None),
    ],
)
def test_an_index_offers_images_only(entries: list[Descriptor], wanted: str, chosen: str | None) -> None:
    parsed = parse_manifest(index(*entries))
    assert isinstance(parsed, Index)
    assert len(parsed.manifests) == len(entries)
    found = parsed.choose(Platform.parse(wanted))
    assert (found.digest if found else None) == (Digest.of(chosen.encode()) if chosen else None)
