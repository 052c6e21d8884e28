# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image configs, as tools write them."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config


def config(**values: t.Any) -> bytes:
    return json.dumps({"os": "linux", "architecture": "arm64", "variant": "v8", **values}).encode()


def test_a_config_tells_its_parts() -> None:
    diff_ids = [str(Digest.of(b"lower")), str(Digest.of(b"upper"))]
    raw = config(
        created="2026-01-01T00:00:00Z",
        config={"Labels": {"a": "b"}, "Cmd": ["sh"]},
        rootfs={"type": "layers", "diff_ids": diff_ids},
        history=[{"created_by": "x", "empty_layer": True}],
    )
    found = parse_config(raw)
    assert (found.raw, found.digest, str(found.platform)) == (raw, Digest.of(raw), "linux/arm64")
    assert [str(digest) for digest in found.diff_ids] == diff_ids
    assert (found.labels, found.created) == ({"a": "b"}, "2026-01-01T00:00:00Z")
    assert found.history == ({"created_by": "x", "empty_layer": True},)
    assert found.fields.object("config").texts("Cmd") == ["sh"]


@pytest.mark.parametrize(
    "raw",
    [b"{}", config(), config(config=None, rootfs=None, history=None), config(config={"Labels": None}, rootfs={})],
)
def test_what_is_optional_may_be_missing_or_null(raw: bytes) -> None:
    found = parse_config(raw)
    assert (found.diff_ids, found.labels, found.created, found.history) == ((), {}, "", ())


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (config(config={"Labels": {"a": 1}}), "config.Labels.a"),
        (config(rootfs={"diff_ids": ["x"]}), "rootfs.diff_ids[0]"),
        (config(history=["x"]), "history[0]"),
        (config(os=7), "os"),
        (b"[]", "the top level"),
        (b"", "config of app"),
    ],
)
def test_a_malformed_part_is_named(raw: bytes, subject: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_config(raw, subject="app")
    assert caught.value.subject == subject
    assert "config of app" in caught.value.what
