# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a registry may send us."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.wire.addresses import next_address, origin


@pytest.mark.parametrize(
    ("left", "right", "are_one"),
    [
        ("https://h/a", "https://H:443/b", True),
        ("http://h/", "http://h:80/", True),
        ("https://h/", "https://h:5000/", False),
        ("https://h/", "http://h/", False),
        ("https://h/", "https://h.evil/", False),
        ("https://h/", "https://h@evil/", False),
        ("https://[::1]:5/", "https://[::1]:5/x", True),
    ],
)
def test_two_addresses_are_one_servers_when_scheme_host_and_port_are(left: str, right: str, are_one: bool) -> None:
    assert (origin(left) == origin(right)) == are_one


@pytest.mark.parametrize(
    ("base", "target", "result"),
    [
        ("https://h/v2/a/uploads/", "/v2/x?state=a%2Db", "https://h/v2/x?state=a%2Db"),
        ("https://h/v2/a/uploads/", "b?u=https://x", "https://h/v2/a/uploads/b?u=https://x"),
        ("http://h:5000/a", "HTTPS://k/b", "HTTPS://k/b"),
        ("https://h/a", "//k/b", "https://k/b"),
        ("http://h/a", "http://k/b", "http://k/b"),
    ],
)
def test_the_next_address_is_taken_as_it_is_written(base: str, target: str, result: str) -> None:
    assert next_address(base, target) == result


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://h/", "redirect-downgrade"),
        ("ftp://h/", "bad-address"),
        ("//[", "bad-address"),
        ("data:x", "bad-address"),
    ],
)
def test_what_leads_out_of_tls_or_the_web_is_refused_without_its_query(target: str, code: str) -> None:
    with pytest.raises(PeerError) as caught:
        next_address("https://h/a", f"{target}?secret")
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
