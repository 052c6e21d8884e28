# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to speak to one registry."""

from __future__ import annotations

import typing as t

_LOOPBACK_NAMES = ("localhost", "ip6-localhost")


class RegistrySettings(t.NamedTuple):
    """How to speak to one registry.

    ``validate_certs``: None checks certificates, and allows plain HTTP to loopback hosts whose server does not speak
    TLS; False checks none and allows plain HTTP to any host whose server does not speak TLS; True checks, and never
    speaks plain HTTP. ``ca_path``: a file or a folder of certificates that are trusted beside the system's.
    ``timeout``: seconds without any byte. ``retry``, ``retry_delay``, ``deadline``: see RetryPolicy; the deadline is
    one for each exchange, with the body of its answer. ``parallel``: most exchanges with this registry at a time.
    ``minimum_rate``: bytes per second, averaged over ``timeout``, below which a body is given up.
    ``connect_timeout``: seconds until there is a connection.
    """

    validate_certs: bool | None = None
    ca_path: str | None = None
    timeout: float = 60.0
    retry: int = 3
    retry_delay: float = 1.0
    deadline: float | None = None
    parallel: int = 6
    minimum_rate: int = 512
    connect_timeout: float = 15.0


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` (a name or a literal, without port) is this machine by its spelling alone."""
    import ipaddress

    if host.lower() in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def hostname(authority: str) -> str:
    """Return the host of ``host:port`` or ``[v6]:port``, lower-case, without brackets."""
    from urllib.parse import urlsplit

    return urlsplit(f"//{authority}").hostname or ""


def allows_plain_http(settings: RegistrySettings, host: str) -> bool:
    """Tell whether plain HTTP may be spoken to ``host`` after its server turned out not to speak TLS."""
    if settings.validate_certs is None:
        return is_loopback(host)
    return not settings.validate_certs
