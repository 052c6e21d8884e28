# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names in ``index.json``, ours and those of other tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout_index import LayoutEntry, LayoutIndex
from ansible_collections.fleet.images.tests.unit.stores.sample_images import sample_image

PATH = Path("index.json")
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD = "io.containerd.image.name"


def index_of(*annotations: dict[str, str], **others: object) -> LayoutIndex:
    """Return an index with an entry for each of ``annotations``, each with a manifest of its own."""
    entries = [
        {**sample_image(str(at)).descriptor.to_json(), "annotations": texts} for at, texts in enumerate(annotations)
    ]
    return LayoutIndex.parse(json.dumps({"schemaVersion": 2, "manifests": entries, **others}).encode(), path=PATH)


@pytest.mark.parametrize(
    ("annotations", "name"),
    [
        ({REF_NAME: "docker.io/library/redis:7"}, "docker.io/library/redis:7"),
        ({REF_NAME: "redis:7"}, "docker.io/library/redis:7"),
        ({REF_NAME: "7", CONTAINERD: "quay.io/team/app:7"}, "quay.io/team/app:7"),
        ({REF_NAME: "v1.2"}, "localhost/layout:v1.2"),
        ({CONTAINERD: f"a/b:1@sha256:{'0' * 64}"}, "docker.io/a/b:1"),
        ({REF_NAME: f"a/b@sha256:{'0' * 64}"}, f"docker.io/a/b@sha256:{'0' * 64}"),
        ({REF_NAME: "Not A Name"}, None),
        ({REF_NAME: "a+b"}, None),
        ({REF_NAME: "a/UPPER:1"}, None),
        ({"other": "text"}, None),
        ({}, None),
    ],
)
def test_the_name_of_an_entry_is_read_from_either_annotation(annotations: dict[str, str], name: str | None) -> None:
    (entry,) = index_of(annotations).entries
    assert (str(entry.reference) if entry.reference else None) == name


def test_names_do_not_show_among_the_annotations_of_the_target() -> None:
    (entry,) = index_of({REF_NAME: "a:1", CONTAINERD: "docker.io/library/a:1", "kept": "yes"}).entries
    assert entry.descriptor.annotations == {"kept": "yes"}


def test_of_two_entries_with_one_name_the_last_counts_and_one_is_left_when_we_write() -> None:
    index = index_of({REF_NAME: "a:1"}, {REF_NAME: "docker.io/library/a:1"}, {REF_NAME: "b:1"})
    first, last, _ = index.entries
    assert {str(stored.reference): stored.descriptor for stored in index.names()}["docker.io/library/a:1"] == (
        last.descriptor
    )
    written = index.with_entry(LayoutEntry.named(parse_reference("a:1"), first.descriptor))
    assert {str(stored.reference): stored.descriptor for stored in written.names()}["docker.io/library/a:1"] == (
        first.descriptor
    )
    assert len(written.entries) == 2


def test_what_we_do_not_know_survives_a_change() -> None:
    index = index_of({REF_NAME: "Not A Name", "note": "kept"}, {}, annotations={"owner": "me"}, extra=[1])
    changed = index.with_entry(LayoutEntry.named(parse_reference("a:1"), sample_image("a").descriptor))
    document = json.loads(changed.to_bytes())
    assert document["annotations"] == {"owner": "me"}
    assert document["extra"] == [1]
    assert {REF_NAME: "Not A Name", "note": "kept"} in [entry["annotations"] for entry in document["manifests"]]
    assert len(document["manifests"]) == 3


def test_an_index_reads_back_as_it_was_written() -> None:
    index = LayoutIndex()
    for text in ("b:1", "a:1", "quay.io/c@sha256:" + "1" * 64):
        index = index.with_entry(LayoutEntry.named(parse_reference(text), sample_image(text).descriptor))
    again = LayoutIndex.parse(index.to_bytes(), path=PATH)
    assert again.names() == index.names()
    assert again.to_bytes() == index.to_bytes()
