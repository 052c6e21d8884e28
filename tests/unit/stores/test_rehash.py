# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stored content is read again as a whole, and each damaged part is named."""

from __future__ import annotations

import io
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ImagesError,
    NotFoundError,
    PeerError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.stores.rehash import (
    Damage,
    Part,
    damages,
    parts_of,
    stored_digest,
)
from ansible_collections.fleet.images.tests.support.images import make_image, make_index

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import ReadStream
    from ansible_collections.fleet.images.tests.support.images import Blob

IMAGE = make_image({"a": b"1"}, layers=3)
INDEX = make_index([IMAGE])
PARTS = {"manifest": IMAGE.manifest, "config": IMAGE.config}
PARTS.update({f"layer {at + 1} of 3": layer for at, layer in enumerate(IMAGE.layers)})
IDENTITY = Identity(Digest.parse(IMAGE.digest), Digest.parse(IMAGE.config.digest), Digest.parse(INDEX.digest))


class Store(dict[str, bytes]):
    """Bytes by the digest that they go by."""

    def open(self, digest: Digest) -> ReadStream:
        if str(digest) not in self:
            raise NotFoundError("It is not there", code="blob-not-found")
        return io.BytesIO(self[str(digest)])

    def damages(self) -> list[Damage]:
        parts = parts_of(IDENTITY, open_blob=self.open)
        found: dict[Digest, Digest | ImagesError] = {}
        for part in parts:
            try:
                found[part.expected] = stored_digest(part.expected, open_blob=self.open)
            except ImagesError as error:
                found[part.expected] = error
        return list(damages(parts, found))


@pytest.fixture
def store() -> Store:
    return Store({blob.digest: blob.data for blob in (INDEX.manifest, *PARTS.values())})


def flipped(blob: Blob) -> bytes:
    middle = len(blob.data) // 2
    return blob.data[:middle] + bytes([blob.data[middle] ^ 1]) + blob.data[middle + 1 :]


def test_a_whole_image_has_no_damage_with_its_index_or_without(store: Store) -> None:
    assert store.damages() == []
    assert [part.name for part in parts_of(IDENTITY, open_blob=store.open)] == ["index", *PARTS]
    del store[INDEX.digest]
    assert store.damages() == []
    assert [part.name for part in parts_of(IDENTITY, open_blob=store.open)] == list(PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_a_flipped_bit_names_its_part_with_both_digests(store: Store, name: str) -> None:
    blob = PARTS[name]
    store[blob.digest] = flipped(blob)
    assert store.damages() == [Damage(name, blob.digest, str(Digest.of(flipped(blob))))]


@pytest.mark.parametrize("name", PARTS)
def test_what_is_not_there_is_damage(store: Store, name: str) -> None:
    del store[PARTS[name].digest]
    assert store.damages() == [Damage(name, PARTS[name].digest, why="it is not there")]


def test_of_a_damaged_index_the_rest_is_checked_nonetheless(store: Store) -> None:
    store[INDEX.digest] = flipped(INDEX.manifest)
    store[IMAGE.layers[2].digest] = b""
    assert [damage.part for damage in store.damages()] == ["index", "layer 3 of 3"]


def test_what_cannot_be_read_has_the_words_of_who_tried() -> None:
    part = Part("config", Digest.of(b""))
    refused = PeerError("The engine failed", code="engine-failed")
    assert list(damages([part], {part.expected: refused})) == [Damage("config", str(part.expected), why=str(refused))]


def test_a_store_that_does_not_answer_is_no_damage() -> None:
    part = Part("config", Digest.of(b""))
    with pytest.raises(UnavailableError):
        list(damages([part], {part.expected: UnavailableError("The disk fails", code="store-io")}))


def test_a_manifest_that_is_no_image_is_read_itself_alone(store: Store) -> None:
    only = Identity(Digest.parse(INDEX.digest))
    assert parts_of(only, open_blob=store.open) == [Part("manifest", Digest.parse(INDEX.digest))]
    assert parts_of(Identity(), open_blob=store.open) == []
