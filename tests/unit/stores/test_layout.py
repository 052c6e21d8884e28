# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image layout directory: what is its own beside the contract of all stores."""

from __future__ import annotations

import itertools
import json
import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.annotations import INDEX_DIGEST
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.errors import IntegrityError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.unit.stores.sample_images import sample_image, sample_index

if t.TYPE_CHECKING:
    from pathlib import Path


def test_the_same_images_give_the_same_index_in_any_order_of_arrival(tmp_path: Path) -> None:
    images = {parse_reference(f"{name}:1"): sample_image(name) for name in ("a", "b", "c")}
    written = set()
    for number, order in enumerate(itertools.permutations(images)):
        store = LayoutStore(tmp_path / str(number), create=True)
        for reference in order:
            images[reference].put(store, reference)
        written.add((tmp_path / str(number) / "index.json").read_bytes())
    assert len(written) == 1


def test_putting_what_is_there_leaves_the_index_file_untouched(tmp_path: Path) -> None:
    store, image = LayoutStore(tmp_path, create=True), sample_image("same")
    image.put(store, parse_reference("same:1"))
    before = (tmp_path / "index.json").stat()
    image.put(LayoutStore(tmp_path), parse_reference("same:1"))
    after = (tmp_path / "index.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_platform_and_annotations_of_the_descriptor_come_back(tmp_path: Path) -> None:
    store, image = LayoutStore(tmp_path, create=True), sample_image("told", arch="arm64")
    _, index = sample_index(image)
    told = image.descriptor._replace(
        platform=Platform("linux", "arm64"), annotations={INDEX_DIGEST: str(index.digest), "x": "y"}
    )
    image.write_blobs(store)
    store.put_manifest(image.raw, told, reference=parse_reference("told:1"))
    assert store.resolve(parse_reference("told:1")) == told
    (entry,) = json.loads((tmp_path / "index.json").read_bytes())["manifests"]
    assert entry["platform"] == {"architecture": "arm64", "os": "linux"}


def test_a_pin_to_the_index_an_image_was_chosen_from_finds_the_image(tmp_path: Path) -> None:
    store, image = LayoutStore(tmp_path, create=True), sample_image("chosen")
    _, index = sample_index(image, sample_image("not here", arch="arm64"))
    told = image.descriptor._replace(annotations={INDEX_DIGEST: str(index.digest)})
    image.write_blobs(store)
    store.put_manifest(image.raw, told, reference=parse_reference("chosen:1"))
    for text in (f"chosen:1@{index.digest}", f"chosen:other@{index.digest}", f"elsewhere/chosen@{index.digest}"):
        assert store.resolve(parse_reference(text)).digest == image.descriptor.digest


def test_a_pinned_reference_is_stored_under_its_tag_and_a_bare_pin_under_its_digest(tmp_path: Path) -> None:
    store, image = LayoutStore(tmp_path, create=True), sample_image("pinned")
    image.put(store, parse_reference(f"app:1@{image.descriptor.digest}"))
    image.put(store, parse_reference(f"app@{image.descriptor.digest}"))
    names = [str(stored.reference) for stored in store.names()]
    assert names == ["docker.io/library/app:1", f"docker.io/library/app@{image.descriptor.digest}"]
    store.untag(parse_reference(f"app@{image.descriptor.digest}"))
    assert [str(stored.reference) for stored in store.names()] == ["docker.io/library/app:1"]


def test_files_and_directories_have_the_same_modes_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        sample_image("modes").put(LayoutStore(tmp_path / "a/store", create=True), parse_reference("modes:1"))
    finally:
        os.umask(old)
    for path in (tmp_path / "a").rglob("*"):
        if ".fleet-images" not in path.parts or path.is_dir():
            assert oct(path.stat().st_mode & 0o777) == ("0o755" if path.is_dir() else "0o644"), path


@pytest.mark.parametrize("content", [b"", b'{"schemaVersion":2,"manifests":[{"media', b"[]", b'{"manifests":[{}]}'])
def test_a_damaged_index_is_told_with_file_and_remedy_and_nothing_is_removed(tmp_path: Path, content: bytes) -> None:
    store, image = LayoutStore(tmp_path, create=True), sample_image("safe")
    image.put(store, parse_reference("safe:1"))
    (tmp_path / "index.json").write_bytes(content)
    for use in (store.names, store.images, lambda: store.collect(0), lambda: store.untag(parse_reference("safe:1"))):
        with pytest.raises(IntegrityError) as caught:
            use()
        assert caught.value.code == "store-damaged"
        assert caught.value.subject == str(tmp_path / "index.json")
        assert "remove the directory" in caught.value.fix
    assert all(store.has(part) for part in (*image.parts, image.descriptor))


def test_a_missing_index_is_damage(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path, create=True)
    (tmp_path / "index.json").unlink()
    with pytest.raises(IntegrityError) as caught:
        store.names()
    assert caught.value.code == "store-damaged"


def test_a_damaged_manifest_or_config_counts_as_missing_and_is_repaired_by_putting_it_again(tmp_path: Path) -> None:
    store, image = LayoutStore(tmp_path, create=True), sample_image("repair")
    image.put(store, parse_reference("repair:1"))
    for descriptor in (image.descriptor, image.config):
        path = tmp_path / "blobs/sha256" / descriptor.digest.encoded
        path.write_bytes(b"x" * descriptor.size)
        assert store.missing_blobs(image.descriptor) == [descriptor]
        image.put(store, parse_reference("repair:1"))
        assert store.missing_blobs(image.descriptor) == []


def test_missing_blobs_of_an_index_are_those_of_its_images(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path, create=True)
    images = [sample_image("amd"), sample_image("arm", arch="arm64")]
    for image in images:
        image.put(store)
    raw, index = sample_index(*images)
    store.put_manifest(raw, index, reference=parse_reference("multi:1"))
    lost = images[1].layers[0]
    (tmp_path / "blobs/sha256" / lost.digest.encoded).unlink()
    assert store.missing_blobs(index) == [lost]
    assert store.missing_blobs(Descriptor.of(b"absent", media_types.OCI_MANIFEST)) == [
        Descriptor.of(b"absent", media_types.OCI_MANIFEST)
    ]
