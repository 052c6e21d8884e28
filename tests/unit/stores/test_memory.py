# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The store in memory; its contract is in tests/contract/test_content_store.py."""

from __future__ import annotations

from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.memory import MemoryStore
from ansible_collections.fleet.images.tests.unit.stores.sample_images import sample_image


def test_two_stores_share_nothing() -> None:
    image, first, second = sample_image("own"), MemoryStore(), MemoryStore()
    image.put(first, parse_reference("own:1"))
    assert first.has(image.descriptor)
    assert not second.has(image.descriptor)
    assert second.names() == []


def test_annotations_and_platform_of_the_descriptor_come_back() -> None:
    image, store = sample_image("told"), MemoryStore()
    told = image.descriptor._replace(annotations={"x": "y"})
    image.write_blobs(store)
    store.put_manifest(image.raw, told, reference=parse_reference("told:1"))
    assert store.resolve(parse_reference("told:1")) == told
