# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of images: names in lines, and the same document as the option ``images``."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.image_sources import Sources

LINES = f"# all\nredis:7\n\n  quay.io/team/app:1@sha256:{'b' * 64} # pinned\nlocalhost:5000/x\n"


@pytest.mark.parametrize("name", ["images.txt", "images", "images.lst"])
def test_a_name_a_line_is_a_list(sources: Sources, name: str) -> None:
    sources.write({name: LINES})
    assert sources.places(name) == {
        "redis:7": [f"{name}: line 2"],
        f"quay.io/team/app:1@sha256:{'b' * 64}": [f"{name}: line 4"],
        "localhost:5000/x": [f"{name}: line 5"],
    }


@pytest.mark.parametrize(("head", "path"), [("", ""), ("images:\n", "images"), ("other: 1\nimages:\n", "images")])
def test_a_document_of_the_option_is_taken_with_all_its_options(sources: Sources, head: str, path: str) -> None:
    text = "- redis:7\n- {name: app:1.10, tags: [app:current], pull_policy: newer, push: true}\n"
    text += "- {image: old, state: absent}\n- {image: made, build: {path: /srv}, platform: 'amd64,arm64'}\n"
    sources.write({"images.yml": head + text})
    found = sources.read("images.yml")
    assert found.images == [
        {"image": "redis:7"},
        {"image": "app:1.10", "tags": ["app:current"], "pull": "newer", "push": True},
        {"image": "old", "state": "absent"},
        {"image": "made", "build": {"path": "/srv"}, "platform": "amd64,arm64"},
    ]
    assert found.sources[1]["found"] == [f"images.yml: {path}[1]"]


def test_what_is_wrong_with_an_entry_is_told_with_its_file(sources: Sources) -> None:
    sources.write(
        {"a.yml": "images:\n- {image: a, pul: b}\n- [x]\n- {tags: [a]}\n", "b.txt": "redis:7\nno name here\nNo\n"}
    )
    assert sources.problems("a.yml", {"path": "b.txt", "format": "list"}) == [
        "a.yml: images[0].pul: unknown option",
        "a.yml: images[1]: must be a text that names an image",
        "a.yml: images[2]: has no image",
        "b.txt: line 2: 'no name here' is not an image reference: 'library/no name here' is not a repository path: "
        "each part is letters and digits joined by '.', '_', '__' or '-'",
        "b.txt: line 3: 'No' is not an image reference: 'library/No' is not a repository path: each part must be "
        "lower-case",
    ]


def test_yaml_in_a_file_without_ending_is_yaml(sources: Sources) -> None:
    sources.write({"images": "[redis, app]"})
    for row in ("images", {"path": "images", "format": "list"}):
        assert [item["image"] for item in sources.read(row).images] == ["redis", "app"]
