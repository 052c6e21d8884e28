# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is pushed: one image, or an index with all of its images, children before what names them."""

from __future__ import annotations

import io
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.pushing import push_content
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.memory import MemoryStore
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.unit.apply.carrying import NO_RETRY

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.images import Blob, MadeImage, MadeIndex

NAME = parse_reference("registry.example.com/app:1")
INDEX = make_index([make_image({"a": b"1"}), make_image({"a": b"2"}, platform="linux/arm64")])


def put(store: MemoryStore, image: MadeImage) -> Descriptor:
    for blob in (image.config, *image.layers):
        store.write(_descriptor(blob), lambda offset, blob=blob: io.BytesIO(blob.data[offset:]))  # type: ignore[misc]
    store.put_manifest(image.manifest.data, _descriptor(image.manifest))
    return _descriptor(image.manifest)


def stored(index: MadeIndex) -> MemoryStore:
    store = MemoryStore()
    for image in index.images:
        put(store, image)
    store.put_manifest(index.manifest.data, _descriptor(index.manifest))
    return store


def _descriptor(blob: Blob) -> Descriptor:
    return Descriptor(blob.media_type, Digest.parse(blob.digest), len(blob.data))


def push(digest: str, content: MemoryStore, target: MemoryStore) -> int:
    return push_content(Digest.parse(digest), content=content, target=target, reference=NAME, patience=NO_RETRY)


def test_an_index_goes_with_all_of_its_images() -> None:
    target = MemoryStore()
    moved = push(INDEX.manifest.digest, stored(INDEX), target)
    assert target.resolve(NAME).digest == Digest.parse(INDEX.manifest.digest)
    parts = [blob for image in INDEX.images for blob in (image.manifest, image.config, *image.layers)]
    assert all(target.has(_descriptor(blob)) for blob in parts)
    assert moved == sum(len(blob.data) for image in INDEX.images for blob in (image.config, *image.layers))
    assert push(INDEX.manifest.digest, stored(INDEX), target) == 0


def test_one_image_goes_without_the_others() -> None:
    target, one = MemoryStore(), INDEX.images[0]
    push(one.manifest.digest, stored(INDEX), target)
    assert target.resolve(NAME).digest == Digest.parse(one.manifest.digest)
    assert not target.has(_descriptor(INDEX.images[1].config))
    assert not target.has(_descriptor(INDEX.manifest))


def test_an_index_with_a_lost_image_gets_no_name() -> None:
    content, target = MemoryStore(), MemoryStore()
    put(content, INDEX.images[0])
    content.write(_descriptor(INDEX.manifest), lambda offset: io.BytesIO(INDEX.manifest.data[offset:]))
    with pytest.raises(NotFoundError):
        push(INDEX.manifest.digest, content, target)
    assert target.names() == []
