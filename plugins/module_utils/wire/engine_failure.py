# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failed conversation with an engine's daemon means, and who must act. Imported when something failed."""

from __future__ import annotations

import json
import socket
import typing as t

from ..model.errors import (
    AuthError,
    ConflictError,
    ImagesError,
    NotFoundError,
    PeerError,
    UnavailableError,
    UnsupportedError,
)
from .redact import redact

_MESSAGE_CHARACTERS = 2000


class _Row(t.NamedTuple):
    error: type[ImagesError]
    code: str
    what: str
    fix: str


_PERMISSION = _Row(
    AuthError,
    "engine-permission",
    "The engine refuses this user",
    "Use become, put the user into the group of the socket (docker), or give the client certificate it asks for",
)
_FAILED = _Row(PeerError, "engine-failed", "The engine failed", "Look at the engine's own log on the host")
_REFUSED = _Row(
    UnsupportedError,
    "engine-refused",
    "The engine cannot do this",
    "Check the value it names; a newer engine may know it",
)
_BUSY = _Row(UnavailableError, "engine-unavailable", "The engine is not ready", "Try again in a moment")
_STATUSES = {
    401: _PERMISSION,
    403: _PERMISSION,
    404: _Row(NotFoundError, "engine-not-found", "The engine does not have this", "Check the name in the task"),
    408: _BUSY,
    409: _Row(
        ConflictError, "engine-conflict", "The engine finds it in use", "Remove what uses it first, or use force"
    ),
    429: _BUSY,
    502: _BUSY,
    503: _BUSY,
    504: _BUSY,
}


def refusal(status: int, body: bytes, *, request: str, endpoint: str) -> ImagesError:
    """Return the error for an answer of ``status``; what the daemon says about it goes into ``why``.

    401 and 403 ``engine-permission``, 404 ``engine-not-found``, 409 ``engine-conflict``, 408, 429 and 502 to 504
    ``engine-unavailable``, other 4xx ``engine-refused``, the rest ``engine-failed``.
    """
    row = _STATUSES.get(status) or (_REFUSED if 400 <= status < 500 else _FAILED)
    said = redact(_message(body))[:_MESSAGE_CHARACTERS].strip()
    why = f"{request}: status {status}" + (f": {said}" if said else "")
    return row.error(row.what, code=row.code, why=why, fix=row.fix, subject=endpoint)


def unreachable(error: OSError | UnicodeError, *, endpoint: str, start_hint: str) -> ImagesError:
    """Return the error for a connection that was not made.

    Codes: ``engine-unreachable``, ``engine-permission``, ``engine-timeout``, ``engine-tls``.
    """
    what = f"The engine at {endpoint} cannot be reached"
    if isinstance(error, PermissionError):
        return _PERMISSION.error(
            _PERMISSION.what, code=_PERMISSION.code, why=_said(error), fix=_PERMISSION.fix, subject=endpoint
        )
    if isinstance(error, FileNotFoundError):
        return NotFoundError(what, code="engine-unreachable", why=_said(error), fix=start_hint, subject=endpoint)
    if isinstance(error, UnicodeError):
        return UnavailableError(what, code="engine-unreachable", why="bad host name", fix=start_hint, subject=endpoint)
    return (
        _of_tls(error, endpoint)
        or _of_silence(error, endpoint, request="connecting")
        or UnavailableError(what, code="engine-unreachable", why=_said(error), fix=start_hint, subject=endpoint)
    )


def lost(error: Exception, *, endpoint: str, request: str) -> ImagesError:
    """Return the error for a conversation that broke.

    Codes: ``engine-timeout``, ``engine-tls``, ``engine-not-http``, ``engine-connection-lost``.
    """
    from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected, UnknownProtocol

    if isinstance(error, (BadStatusLine, UnknownProtocol)) and not isinstance(error, RemoteDisconnected):
        return PeerError(
            f"What listens at {endpoint} does not speak HTTP",
            code="engine-not-http",
            why=f"{request}: no HTTP status line",
            fix="Check docker_host; where the engine wants TLS, write https:// or set tls",
            subject=endpoint,
        )
    why = "the answer ends early" if isinstance(error, (IncompleteRead, RemoteDisconnected)) else _said(error)
    return (
        _of_tls(error, endpoint)
        or _of_silence(error, endpoint, request=request)
        or UnavailableError(
            f"The connection to the engine at {endpoint} was lost",
            code="engine-connection-lost",
            why=f"{request}: {why}",
            fix="Look whether the engine was restarted, then run again",
            subject=endpoint,
        )
    )


def _of_tls(error: Exception, endpoint: str) -> ImagesError | None:
    import ssl

    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        fix = "Name its authority in ca_path (or have it as ca.pem in DOCKER_CERT_PATH), its name in tls_hostname"
    elif "_ALERT_" in reason:  # the other side says so: hardly anything but our certificate can displease it
        fix = "The engine wants a certificate that it trusts: set client_cert and client_key, or DOCKER_CERT_PATH"
    else:
        fix = "Check that the engine wants TLS at all: else write tcp:// and leave tls and validate_certs out"
    return AuthError(
        f"TLS with the engine at {endpoint} failed",
        code="engine-tls",
        why=getattr(error, "verify_message", "") or reason or _said(error),
        fix=fix,
        subject=endpoint,
    )


def _of_silence(error: Exception, endpoint: str, *, request: str) -> ImagesError | None:
    if not isinstance(error, socket.timeout):
        return None
    return UnavailableError(
        f"The engine at {endpoint} did not answer in time",
        code="engine-timeout",
        why=request,
        fix="Raise timeout, or look what keeps the engine busy",
        subject=endpoint,
    )


def _said(error: Exception) -> str:
    return redact(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _message(body: bytes) -> str:
    """Return the text of an error answer: Docker's ``message``, podman's ``cause`` beside it, or the plain body."""
    text = body.decode(errors="replace")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(fields, dict) or not isinstance(fields.get("message"), str):
        return text
    return str(fields["message"])
