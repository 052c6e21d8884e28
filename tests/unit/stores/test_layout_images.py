# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A layout seen as images, the damaged ones included."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.annotations import INDEX_DIGEST
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.unit.stores.sample_images import opening, sample_image, sample_index

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store", create=True)


def blob_path(store: LayoutStore, descriptor: Descriptor) -> Path:
    return store.root / "blobs/sha256" / descriptor.digest.encoded


def test_an_image_with_several_names_is_one_row_with_manifest_and_config(store: LayoutStore) -> None:
    image = sample_image("named", arch="arm64", layers=3)
    for name in ("b:1", "a:1"):
        image.put(store, parse_reference(name))
    (row,) = store.images()
    assert [str(name) for name in row.names] == ["docker.io/library/a:1", "docker.io/library/b:1"]
    assert (row.descriptor.digest, row.index_digest, row.missing) == (image.descriptor.digest, None, ())
    assert row.manifest is not None
    assert row.manifest.raw == image.raw
    assert row.config is not None
    assert row.config.platform == Platform("linux", "arm64")


def test_the_index_an_image_was_chosen_from_is_told(store: LayoutStore) -> None:
    image = sample_image("chosen")
    _, index = sample_index(image)
    image.write_blobs(store)
    told = image.descriptor._replace(annotations={INDEX_DIGEST: str(index.digest)})
    store.put_manifest(image.raw, told, reference=parse_reference("chosen:1"))
    (row,) = store.images()
    assert row.index_digest == index.digest


def test_of_an_index_stored_whole_each_image_is_a_row(store: LayoutStore) -> None:
    images = [sample_image("amd"), sample_image("arm", arch="arm64")]
    for image in images:
        image.put(store)
    raw, index = sample_index(*images)
    store.put_manifest(raw, index, reference=parse_reference("multi:1"))
    rows = store.images()
    assert [row.descriptor.digest for row in rows] == [image.descriptor.digest for image in images]
    assert {row.index_digest for row in rows} == {index.digest}
    assert {row.names for row in rows} == {(parse_reference("multi:1"),)}
    blob_path(store, images[0].descriptor).unlink()
    assert [row.descriptor.digest for row in store.images()] == [images[1].descriptor.digest]


@pytest.mark.parametrize("damage", ["removed", "cut", "changed"])
def test_a_damaged_image_is_a_row_that_says_what_is_missing_and_hides_no_other(store: LayoutStore, damage: str) -> None:
    sound, image = sample_image("sound"), sample_image("broken")
    sound.put(store, parse_reference("sound:1"))
    image.put(store, parse_reference("broken:1"))
    for descriptor in (image.layers[0], image.config, image.descriptor):
        content = blob_path(store, descriptor).read_bytes()
        if damage == "removed":
            blob_path(store, descriptor).unlink()
        else:
            blob_path(store, descriptor).write_bytes(content[:-1] if damage == "cut" else b"x" * len(content))
        broken, whole = store.images()
        assert whole.missing == ()
        assert broken.names == (parse_reference("broken:1"),)
        is_seen = damage != "changed" or descriptor != image.layers[0]
        assert broken.missing == ((descriptor.digest,) if is_seen else ())
        assert (broken.manifest is None) == (descriptor == image.descriptor)
        assert (broken.config is None) == (descriptor in (image.descriptor, image.config))
        blob_path(store, descriptor).write_bytes(content)
    assert [row.missing for row in store.images()] == [(), ()]


def test_a_damaged_index_is_a_row_too(store: LayoutStore) -> None:
    image = sample_image("child")
    image.put(store)
    raw, index = sample_index(image)
    store.put_manifest(raw, index, reference=parse_reference("multi:1"))
    blob_path(store, index).write_bytes(b"{}")
    (row,) = store.images()
    assert (row.manifest, row.missing, row.names) == (None, (index.digest,), (parse_reference("multi:1"),))


def test_an_artifact_is_complete_without_an_image_config(store: LayoutStore) -> None:
    empty = Descriptor.of(b"{}", media_types.EMPTY_JSON)
    store.write(empty, opening(b"{}"))
    raw = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "artifactType": "application/vnd.example",
            "config": empty.to_json(),
            "layers": [empty.to_json()],
        }
    ).encode()
    store.put_manifest(raw, Descriptor.of(raw, media_types.OCI_MANIFEST), reference=parse_reference("artifact:1"))
    (row,) = store.images()
    assert (row.config, row.missing) == (None, ())


def test_an_empty_store_has_no_images(store: LayoutStore) -> None:
    assert store.images() == []
