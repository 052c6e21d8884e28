# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes as people write them, in bytes."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.task.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1073741824", 1 << 30),
        ("12B", 12),
        ("512MiB", 512 << 20),
        ("512 mib", 512 << 20),
        ("512m", 512 << 20),
        ("1GB", 10**9),
        ("1.5gb", 1_500_000_000),
        ("0.5KiB", 512),
        ("2T", 2 << 40),
        ("1PB", 10**15),
        (" 3k ", 3 << 10),
        ("-1GiB", -(1 << 30)),
    ],
)
def test_a_size_is_its_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1 XB", "1MiBs", "1e9", "one", "1.", ".5G", "--1", "0x10", "1 0", "1bb"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_size(text)
    assert (caught.value.code, caught.value.subject) == ("bad-size", text)
