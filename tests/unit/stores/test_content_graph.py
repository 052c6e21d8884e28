# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stores say about manifests: their children, and what a name means."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, NotFoundError, PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.base import StoredName
from ansible_collections.fleet.images.plugins.module_utils.stores.content_graph import (
    children,
    children_of,
    image_not_found,
    refuse_missing,
    target_of,
)
from ansible_collections.fleet.images.tests.unit.stores.sample_images import sample_image, sample_index

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor


def test_the_children_of_an_image_are_config_and_layers_each_once() -> None:
    image = sample_image("parts", layers=3)
    assert children_of(image.raw, image.descriptor) == list(image.parts)
    assert children(parse_manifest(image.raw)) == list(image.parts)


def test_the_children_of_an_index_are_its_manifests() -> None:
    images = [sample_image("amd"), sample_image("arm", arch="arm64")]
    raw, index = sample_index(*images)
    assert [child.digest for child in children_of(raw, index)] == [image.descriptor.digest for image in images]


def test_bytes_that_are_no_manifest_are_refused() -> None:
    with pytest.raises(PeerError):
        children_of(b"{}", sample_image("a").descriptor)


def test_all_missing_children_are_named() -> None:
    image = sample_image("missing")
    refuse_missing([], image.descriptor)
    with pytest.raises(ConflictError) as caught:
        refuse_missing(image.layers, image.descriptor)
    assert caught.value.code == "missing-child"
    assert all(str(layer.digest) in caught.value.why for layer in image.layers)


def name(text: str, target: Descriptor) -> StoredName:
    return StoredName(parse_reference(text), target)


def test_a_pin_decides_over_a_tag_and_the_stored_document_over_another_name() -> None:
    old, new = sample_image("old").descriptor, sample_image("new").descriptor
    names = [name("app:1", new), name("other:1", old)]
    assert target_of(parse_reference("app:1"), names, held=None) == new
    assert target_of(parse_reference(f"app:1@{new.digest}"), names, held=None) == new
    assert target_of(parse_reference(f"app:1@{old.digest}"), names, held=None) == old
    assert target_of(parse_reference(f"app:1@{old.digest}"), names, held=old.plain()) == old.plain()
    with pytest.raises(NotFoundError):
        target_of(parse_reference(f"app:1@{Digest.of(b'absent')}"), names, held=None)


def test_who_asks_for_an_unknown_name_is_shown_the_tags_of_that_repository_or_else_the_names_there_are() -> None:
    image = sample_image("shown").descriptor
    names = [name(f"app:{number}", image) for number in range(12)] + [name("quay.io/other:1", image)]
    near = image_not_found(parse_reference("app:99"), names)
    assert near.why == f"it holds {', '.join(f'app:{number}' for number in range(10))} and 2 more"
    assert "quay.io/other:1" in image_not_found(parse_reference("nothing:1"), names[-1:]).why
    assert image_not_found(parse_reference("nothing:1"), []).why == "it holds no names"
