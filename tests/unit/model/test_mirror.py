# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirrors: where they have what, and how they are written."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.mirror import Mirror, mirrored
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference

PIN = "@sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("registry", "location", "name", "expected"),
    [
        ("docker.io", "cache.test:5000/hub", "redis" + PIN, "cache.test:5000/hub/library/redis" + PIN),
        ("docker.io", "cache.test", "redis:7" + PIN, "cache.test/library/redis:7" + PIN),
        ("index.docker.io/", "localhost/a/b/", "team/app:1", "localhost/a/b/team/app:1"),
        ("ghcr.io/team", "cache.test/team", "ghcr.io/team/app:1", "cache.test/team/app:1"),
        ("ghcr.io/team/app", "cache.test/copy", "ghcr.io/team/app:1", "cache.test/copy:1"),
        ("ghcr.io/team", "docker.io/team", "ghcr.io/team/app:1", "docker.io/team/app:1"),
        ("[::1]:5000", "127.0.0.1:5001", "[::1]:5000/app:1", "127.0.0.1:5001/app:1"),
        ("ghcr.io/team", "cache.test", "ghcr.io/teams/app:1", ""),
        ("ghcr.io/team", "cache.test", "quay.io/team/app:1", ""),
        ("ghcr.io", "cache.test", "ghcr.io:444/team/app:1", ""),
        ("ghcr.io/team/app", "cache.test", "ghcr.io/team/app:1", ""),
    ],
)
def test_what_lies_below_the_prefix_lies_below_the_location(
    registry: str, location: str, name: str, expected: str
) -> None:
    place = Mirror.parse(registry, location).of(parse_reference(name))
    assert str(place or "") == expected


@pytest.mark.parametrize(
    "text", ["", "team", "https://cache.test", "cache.test/UP", "cache.test/a:1", "cache.test/a" + PIN, "a b.test"]
)
def test_what_is_no_registry_is_refused_on_either_side(text: str) -> None:
    for pair in ((text, "cache.test"), ("docker.io", text)):
        with pytest.raises(InputError) as caught:
            Mirror.parse(*pair)
        assert caught.value.code == "bad-mirror"
        assert caught.value.subject.endswith(text.partition("@")[2])


def test_a_password_in_a_mirror_is_not_told() -> None:
    with pytest.raises(InputError) as caught:
        Mirror.parse("docker.io", "user:hidden@cache.test")
    assert "hidden" not in str(caught.value.to_json())


def test_mirrors_are_asked_in_order_each_place_once_and_never_the_origin() -> None:
    rows = [
        Mirror("docker.io", "one.test"),
        Mirror("docker.io/library", "one.test/library"),
        Mirror("ghcr.io", "two.test"),
        Mirror("docker.io", "docker.io"),
        Mirror("docker.io", "three.test/hub"),
    ]
    places = mirrored(parse_reference("redis:7"), rows)
    assert list(map(str, places)) == ["one.test/library/redis:7", "three.test/hub/library/redis:7"]
