# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which hosts are this machine, and where plain HTTP may be spoken."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import (
    RegistrySettings,
    allows_plain_http,
    hostname,
    is_loopback,
)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "[::1]"])
def test_loopback_is_known_by_its_spelling(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example.com", "128.0.0.1", "10.0.0.1", "::2", "127.0.0.1.nip.io", ""])
def test_what_only_looks_like_loopback_is_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("authority", "host"),
    [("Quay.IO", "quay.io"), ("localhost:5000", "localhost"), ("[::1]:5000", "::1"), ("[::1]", "::1")],
)
def test_a_port_is_no_part_of_the_host(authority: str, host: str) -> None:
    assert hostname(authority) == host


@pytest.mark.parametrize(
    ("validate_certs", "on_loopback", "elsewhere"), [(None, True, False), (True, False, False), (False, True, True)]
)
def test_plain_http_is_for_loopback_unless_the_task_decides(
    validate_certs: bool | None, on_loopback: bool, elsewhere: bool
) -> None:
    settings = RegistrySettings(validate_certs=validate_certs)
    assert allows_plain_http(settings, "127.0.0.1") == on_loopback
    assert allows_plain_http(settings, "registry.example.com") == elsewhere
