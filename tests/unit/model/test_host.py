# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that go together, names by digest beside tags, and what an identity leaves open."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.host import (
    Identity,
    LocalImage,
    Observed,
    going_with,
)
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import ImageId, parse_reference

ONE, TWO = Digest("sha256", "1" * 64), Digest("sha256", "12" * 32)
PIN = f"app@{ONE}"


@pytest.mark.parametrize(
    ("going", "names", "expected"),
    [
        ("app:1", ["app:1", PIN, f"app@{TWO}", "web:1"], [PIN, f"app@{TWO}", "app:1"]),
        ("app:1", ["app:1", "app:2", PIN], ["app:1"]),
        ("app:1", ["app:1", f"web@{ONE}"], ["app:1"]),
        (PIN, [PIN, f"app@{TWO}"], [PIN]),
        ("app:1", [], ["app:1"]),
    ],
)
def test_with_the_last_tag_of_a_repository_go_its_digests(going: str, names: list[str], expected: list[str]) -> None:
    assert going_with(parse_reference(going), map(parse_reference, names)) == tuple(map(parse_reference, expected))


def test_a_digest_beside_a_tag_of_its_repository_is_no_name_of_its_own() -> None:
    texts = (PIN, "app:1", f"web@{ONE}")
    image = LocalImage(str(ONE), Identity()).with_names(map(parse_reference, texts))
    assert image.names == (parse_reference("app:1"), parse_reference(f"web@{ONE}"))
    assert image.digest_names == (parse_reference(PIN),)


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (Identity(index_digest=ONE), True),
        (Identity(manifest_digest=TWO, index_digest=ONE), False),
        (Identity(config_digest=TWO, index_digest=ONE), False),
        (Identity(known_as=(ONE,)), False),
    ],
)
def test_an_index_alone_does_not_tell_which_image_it_is(identity: Identity, expected: bool) -> None:
    assert identity.is_known_by_index_alone is expected


def test_images_are_meant_once_and_by_an_ambiguous_id_not_at_all() -> None:
    name = parse_reference("app:1")
    one, two = LocalImage(str(ONE), Identity(config_digest=ONE), (name,)), LocalImage(str(TWO), Identity(TWO))
    three = LocalImage(f"sha256:{'1' * 63}2", Identity())
    observed = Observed([one, two, three], engine="e", platform=Platform("linux", "amd64"))
    assert observed.meant_by([name, ImageId("1" * 64), ImageId("12" * 32)]) == [one, two]
    assert observed.meant_by([ImageId("1" * 12)]) == []
