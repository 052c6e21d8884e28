# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a registry sends us, and whose address that is."""

from __future__ import annotations

import typing as t
from urllib.parse import urljoin, urlsplit

from ..model.errors import PeerError
from .redact import redact_url

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(t.NamedTuple):
    """What must be equal for two addresses to be one server's; ``port`` is never left out."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """Return whose address ``url`` is.

    Raises:
        PeerError: bad-address, when it is none of http or https.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad_address(url) from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise _bad_address(url)
    return Origin(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme])


def next_address(base: str, target: str) -> str:
    """Return ``target`` seen from ``base``: escapes and query stay exactly as they are written.

    Raises:
        PeerError: redirect-downgrade, from TLS to plain HTTP; bad-address.
    """
    is_absolute = target.lower().startswith(("https://", "http://"))
    try:
        url = target if is_absolute else urljoin(base, target)
    except ValueError as error:
        raise _bad_address(target) from error
    if origin(base).scheme == "https" and origin(url).scheme == "http":
        raise PeerError(
            f"{redact_url(base)} sends us from TLS to plain HTTP",
            code="redirect-downgrade",
            why=f"the new address is {redact_url(url)}",
            fix="let the proxy before the registry set X-Forwarded-Proto, or correct the registry's http.host",
            subject=redact_url(base),
        )
    return url


def _bad_address(url: str) -> PeerError:
    subject = redact_url(url)
    return PeerError(
        f"The address {subject} cannot be used",
        code="bad-address",
        fix="check the registry's name, and whether it sends its clients to sensible addresses",
        subject=subject,
    )
