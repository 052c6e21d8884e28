# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stores do what a plain dictionary would do, over any history of puts, moves, removals and collections."""

from __future__ import annotations

import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.plugins.module_utils.stores.memory import MemoryStore
from ansible_collections.fleet.images.tests.unit.stores.sample_images import sample_image, sample_index
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
    from ansible_collections.fleet.images.plugins.module_utils.stores.base import ContentStore

# The second shares its layer with the first.
IMAGES = (sample_image("shared", layers=1), sample_image("shared", layers=2), sample_image("own", arch="arm64"))
INDEX_RAW, INDEX = sample_index(IMAGES[0], IMAGES[2])
TARGETS = (*range(len(IMAGES)), "index")
NAMES = tuple(Reference("docker.io", path, tag) for path in ("library/a", "team/b") for tag in ("1", "latest"))


def put(store: ContentStore, target: int | str, name: Reference | None) -> None:
    """Store an image, or the index with its images, under ``name``."""
    if isinstance(target, int):
        IMAGES[target].put(store, name)
        return
    for image in (IMAGES[0], IMAGES[2]):
        image.put(store)
    store.put_manifest(INDEX_RAW, INDEX, reference=name)


def descriptor_of(target: int | str) -> Descriptor:
    return IMAGES[target].descriptor if isinstance(target, int) else INDEX


def digests_of(target: int | str) -> set[Digest]:
    """Return all that ``target`` needs."""
    if isinstance(target, int):
        return {part.digest for part in (*IMAGES[target].parts, IMAGES[target].descriptor)}
    return digests_of(0) | digests_of(2) | {INDEX.digest}


class Stores(RuleBasedStateMachine):
    """Drives a memory store and a layout beside a dictionary of names and a set of digests."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.layout = LayoutStore(self.folder / "store", create=True)
        self.stores: tuple[ContentStore, ...] = (MemoryStore(), self.layout)
        self.names: dict[Reference, int | str] = {}
        self.held: set[Digest] = set()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(content=st.sampled_from(TARGETS), name=st.sampled_from((*NAMES, None)))
    def store(self, content: int | str, name: Reference | None) -> None:
        for store in self.stores:
            put(store, content, name)
        self.held |= digests_of(content)
        if name is not None:
            self.names[name] = content

    @rule(name=st.sampled_from(NAMES))
    def untag(self, name: Reference) -> None:
        for store in self.stores:
            if name in self.names:
                store.untag(name)
            else:
                with pytest.raises(NotFoundError):
                    store.untag(name)
        self.names.pop(name, None)

    @rule()
    def open_again(self) -> None:
        self.layout = LayoutStore(self.folder / "store")
        self.stores = (self.stores[0], self.layout)

    @rule(kept=st.sampled_from((*TARGETS, None)))
    def collect(self, kept: int | str | None) -> None:
        keep = [descriptor_of(kept).digest] if kept is not None else []
        reached = {digest for target in self.names.values() for digest in digests_of(target)}
        if kept is not None and descriptor_of(kept).digest in self.held:
            reached |= digests_of(kept)
        collected = self.layout.collect(0, keep=keep)
        assert set(collected.digests) == self.held - reached
        self.held &= reached

    @invariant()
    def names_mean_what_was_put_last(self) -> None:
        wanted = {name: descriptor_of(target) for name, target in self.names.items()}
        for store in self.stores:
            assert {stored.reference: stored.descriptor for stored in store.names()} == wanted
            for name, descriptor in wanted.items():
                assert store.resolve(name) == descriptor
                assert store.read(descriptor)

    @invariant()
    def the_layout_holds_exactly_what_was_stored_and_not_collected(self) -> None:
        blobs = {f"sha256:{path.name}" for path in (self.folder / "store/blobs/sha256").iterdir()}
        assert blobs == {str(digest) for digest in self.held}
        assert all(row.missing == () for row in self.layout.images())

    @invariant()
    def the_index_depends_on_the_names_alone(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fresh = LayoutStore(Path(folder), create=True)
            for name in sorted(self.names, key=str, reverse=True):
                put(fresh, self.names[name], name)
            assert (Path(folder) / "index.json").read_bytes() == (self.folder / "store/index.json").read_bytes()


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
