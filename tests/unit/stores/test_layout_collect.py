# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collection removes what no name leads to, and nothing that somebody is about to name."""

from __future__ import annotations

import json
import os
import time
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.file_lock import locked
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.plugins.module_utils.stores.layout_blobs import BlobDirectory
from ansible_collections.fleet.images.plugins.module_utils.wire.streams import ReadStream
from ansible_collections.fleet.images.tests.unit.stores.sample_images import SampleImage, sample_image, sample_index

if t.TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store", create=True)


def make_old(store: LayoutStore) -> None:
    """Let all that is in the store be two hours old."""
    then = time.time() - 2 * HOUR
    for path in store.root.rglob("*"):
        os.utime(path, (then, then))


def all_digests(image: SampleImage) -> set[str]:
    return {str(part.digest) for part in (*image.parts, image.descriptor)}


def test_what_a_name_leads_to_stays_and_all_else_goes(store: LayoutStore) -> None:
    kept, dropped = sample_image("kept"), sample_image("dropped")
    children = [sample_image("amd"), sample_image("arm", arch="arm64")]
    for image in (dropped, *children):
        image.put(store)
    raw, index = sample_index(*children)
    store.put_manifest(raw, index, reference=parse_reference("multi:1"))
    kept.put(store, parse_reference("kept:1"))
    make_old(store)
    told = store.collectable(HOUR)
    assert store.has(dropped.descriptor._replace(size=-1)), "asking removes nothing"
    make_old(store)
    collected = store.collect(HOUR)
    assert collected == told
    assert {str(digest) for digest in collected.digests} == all_digests(dropped)
    assert collected.bytes == len(dropped.raw) + sum(part.size for part in dropped.parts)
    assert store.collect(0) == ((), 0)
    assert [row.missing for row in store.images()] == [(), (), ()]


def test_what_is_younger_than_the_grace_period_stays(store: LayoutStore) -> None:
    image = sample_image("young")
    image.put(store)
    assert store.collect(HOUR) == ((), 0)
    make_old(store)
    assert {str(digest) for digest in store.collect(HOUR).digests} == all_digests(image)


def test_a_writer_that_finds_a_blob_makes_it_young_so_that_a_collection_before_it_publishes_takes_nothing(
    store: LayoutStore,
) -> None:
    image = sample_image("again")
    image.put(store)
    make_old(store)
    image.write_blobs(store)
    store.collect(HOUR)
    store.put_manifest(image.raw, image.descriptor, reference=parse_reference("again:1"))
    assert store.images()[0].missing == ()


def test_a_writer_slower_than_the_grace_period_is_told_and_names_nothing_incomplete(store: LayoutStore) -> None:
    image = sample_image("slow")
    image.write_blobs(store)
    store.collect(0)
    with pytest.raises(ConflictError) as caught:
        store.put_manifest(image.raw, image.descriptor, reference=parse_reference("slow:1"))
    assert caught.value.code == "missing-child"
    assert store.names() == []


def test_kept_digests_stay_with_what_they_refer_to(store: LayoutStore) -> None:
    kept, dropped, alone = sample_image("kept"), sample_image("dropped"), sample_image("alone")
    for image in (kept, dropped, alone):
        image.put(store)
    (layer, *_) = alone.layers
    store.collect(0, keep=[kept.descriptor.digest, layer.digest])
    assert store.missing_blobs(kept.descriptor) == []
    assert store.has(layer)
    assert not any(store.has(part) for part in (*dropped.parts, *alone.layers[1:], alone.descriptor))


def test_layers_that_another_image_shares_stay(store: LayoutStore) -> None:
    small, large = sample_image("shared", layers=1), sample_image("shared", layers=2)
    small.put(store, parse_reference("small:1"))
    large.put(store)
    assert {str(digest) for digest in store.collect(0).digests} == all_digests(large) - all_digests(small)


def test_old_unfinished_blobs_go_and_young_or_held_ones_stay(store: LayoutStore) -> None:
    image = sample_image("partial", layers=3)

    class Breaking:
        def __init__(self, content: bytes) -> None:
            self.pieces = [content]

        def read(self, _size: int, /) -> bytes:
            if not self.pieces:
                raise UnavailableError("lost", code="connection-lost")
            return self.pieces.pop()

        def close(self) -> None:
            """Nothing is held."""

    def break_off(offset: int) -> ReadStream:
        return Breaking(b"12345")

    for layer in image.layers:
        with pytest.raises(UnavailableError):
            store.write(layer, break_off)
    old, held, young = sorted((store.root / ".fleet-images/partial").iterdir())
    make_old(store)
    os.utime(young)
    with locked(held):
        assert store.collect(HOUR) == ((), 5)
    assert [path.exists() for path in (old, held, young)] == [False, True, True]


def test_files_that_are_no_blobs_of_ours_are_left_alone(store: LayoutStore) -> None:
    foreign = store.root / "blobs/sha256/oci-put-blob123"
    foreign.write_bytes(b"in the making")
    (store.root / "blobs/README").write_bytes(b"a file among directories")
    assert store.collect(0) == ((), 0)
    assert foreign.exists()


def put_entry(store: LayoutStore, image: SampleImage, name: str) -> None:
    """Let an entry lead to an image as another tool writes it, without a name or with one that we cannot read."""
    image.put(store)
    path = store.root / "index.json"
    document = json.loads(path.read_bytes())
    annotations = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
    document["manifests"].append({**image.descriptor.to_json(), **annotations})
    path.write_bytes(json.dumps(document).encode())


def test_what_another_task_collects_meanwhile_is_no_failure(
    store: LayoutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = store.root / "blobs" / "sha256" / ("0" * 64)
    monkeypatch.setattr(BlobDirectory, "files", lambda _blobs: iter([gone]))
    assert store.collectable(0.0) == store.collect(0.0) == ((), 0)


def test_an_image_without_a_name_can_go_and_one_whose_name_cannot_be_read_stays(store: LayoutStore) -> None:
    images = sample_image("named"), sample_image("nameless"), sample_image("unreadable")
    images[0].put(store, parse_reference("named:1"))
    put_entry(store, images[1], "")
    put_entry(store, images[2], "no tag")
    named, nameless, unreadable = (image.descriptor.digest for image in images)
    rows = {row.descriptor.digest: row.is_nameless for row in store.images()}
    assert rows == {named: False, nameless: True, unreadable: False}
    make_old(store)
    told = store.collectable(HOUR, nameless=[nameless, unreadable])
    assert {str(digest) for digest in told.digests} == all_digests(images[1])
    store.drop([nameless, unreadable])
    assert {row.descriptor.digest for row in store.images()} == {named, unreadable}
    before = (store.root / "index.json").stat()
    store.drop([nameless])
    assert (store.root / "index.json").stat() == before, "what is gone already is written anew"
    make_old(store)
    assert store.collect(HOUR) == told


def test_what_goes_with_names_is_told_without_touching_them(store: LayoutStore) -> None:
    one, two = sample_image("one"), sample_image("two")
    one.put(store, parse_reference("one:1"))
    one.put(store, parse_reference("one:2"))
    two.put(store, parse_reference("two:1"))
    make_old(store)
    assert store.collectable(HOUR, names=[parse_reference("one:1")]) == ((), 0)
    told = store.collectable(HOUR, names=[parse_reference("one:1"), parse_reference("one:2")])
    assert {str(digest) for digest in told.digests} == all_digests(one)
    assert store.collectable(HOUR) == ((), 0)
