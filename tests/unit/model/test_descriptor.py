# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Descriptors: what they keep, and what they leave out."""

from __future__ import annotations

from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.fields import Fields
from ansible_collections.fleet.images.plugins.module_utils.model.media_types import EMPTY_JSON
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform

FULL = Descriptor(
    "application/x",
    Digest.of(b"x"),
    1,
    platform=Platform("windows", "amd64", os_version="10.0"),
    annotations={"b": "2", "a": "1"},
    artifact_type="application/y",
    urls=("https://example.com/x",),
)


def test_the_empty_descriptor_is_the_specifications() -> None:
    assert Descriptor.of(b"{}", EMPTY_JSON).to_json() == {
        "mediaType": EMPTY_JSON,
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }


def test_json_keeps_everything() -> None:
    assert Descriptor.from_json(Fields(FULL.to_json())) == FULL
    assert list(FULL.to_json()["annotations"]) == ["a", "b"]


def test_the_plain_form_says_type_digest_and_size() -> None:
    assert FULL.plain() == Descriptor("application/x", Digest.of(b"x"), 1)
