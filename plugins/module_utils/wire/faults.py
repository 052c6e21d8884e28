# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong below HTTP, told apart by the exceptions' types and numbers, never by their text."""

from __future__ import annotations

import errno
import socket
import ssl
import typing as t

from ..model.errors import ImagesError, PeerError, UnavailableError
from .redact import redact_url

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# OpenSSL's symbols for an answer that is no TLS: what a server of plain HTTP, or of something else, sends back.
_NOT_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "UNKNOWN_PROTOCOL",
        "UNEXPECTED_EOF_WHILE_READING",
    }
)
_HOSTNAME_MISMATCHES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH)


def fault(error: Exception, url: str) -> ImagesError:
    """Return what ``error``, raised while speaking to ``url``, means for the user; the caller raises it."""
    from requests import exceptions
    from urllib3.exceptions import TimeoutError as HttpTimeout

    chain = list(_chain(error))
    subject = redact_url(url)
    for part in chain:
        if isinstance(part, ssl.SSLError):
            return _tls_fault(part, subject)
    if isinstance(error, exceptions.ProxyError):
        return UnavailableError(
            f"The proxy on the way to {subject} does not work",
            code="proxy-failed",
            why=_words(chain),
            fix="check https_proxy, http_proxy and no_proxy in the task's environment",
            subject=subject,
        )
    for part in chain:
        found = _network_fault(part, subject)
        if found is not None:
            return found
    # after the others: urllib3 calls a connection that could not be made a time-out, whatever the reason
    if any(isinstance(part, (HttpTimeout, TimeoutError, socket.timeout)) for part in chain):
        return timed_out(subject, "no byte came within the time-out")
    if isinstance(error, ValueError):  # requests: InvalidURL, InvalidSchema, MissingSchema, InvalidHeader
        return PeerError(
            f"The address {subject} cannot be used",
            code="bad-address",
            why=type(error).__name__,
            fix="check the registry's name, and whether it sends its clients to sensible addresses",
            subject=subject,
        )
    return connection_broken(subject, _words(chain))


def connection_broken(subject: str, why: str) -> UnavailableError:
    """Return the error for a connection that ended before the exchange did."""
    return UnavailableError(
        f"The connection to {subject} broke",
        code="connection-broken",
        why=why,
        fix="try again; if it happens again, look for a proxy or load balancer that cuts long transfers",
        subject=subject,
    )


def timed_out(subject: str, why: str) -> UnavailableError:
    """Return the error for a peer that is silent for too long."""
    return UnavailableError(
        f"{subject} did not answer in time",
        code="timed-out",
        why=why,
        fix="check the network and the registry's load, or raise the time-out",
        subject=subject,
    )


def _network_fault(error: BaseException, subject: str) -> ImagesError | None:
    if isinstance(error, socket.gaierror):
        return _unknown_host(error, subject)
    if isinstance(error, ConnectionRefusedError):
        return UnavailableError(
            f"Nothing listens at {subject}",
            code="connection-refused",
            why="the connection was refused",
            fix="check host and port, and that the registry runs",
            subject=subject,
        )
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return UnavailableError(
            f"There is no way to {subject}",
            code="host-unreachable",
            why=error.strerror or "",
            fix="check the routes and the firewall of the host that runs the task",
            subject=subject,
        )
    return None


def _unknown_host(error: socket.gaierror, subject: str) -> UnavailableError:
    fault = UnavailableError(
        f"The host of {subject} is not known",
        code="host-not-found",
        why=error.strerror or "the name has no address",
        fix="check the spelling of the registry's name and the DNS of the host that runs the task",
        subject=subject,
    )
    fault.retryable = error.errno == socket.EAI_AGAIN
    return fault


def _tls_fault(error: ssl.SSLError, subject: str) -> ImagesError:
    if isinstance(error, ssl.SSLCertVerificationError):
        # urllib3 1.26 compares names itself and raises the class without numbers
        if getattr(error, "verify_code", _HOSTNAME_MISMATCHES[0]) in _HOSTNAME_MISMATCHES:
            return PeerError(
                f"The certificate of {subject} is for another host",
                code="tls-wrong-host",
                why=getattr(error, "verify_message", ""),
                fix="use the name that is in the certificate, or have a certificate made for this name",
                subject=subject,
            )
        return PeerError(
            f"The certificate of {subject} is not trusted",
            code="tls-untrusted",
            why=getattr(error, "verify_message", ""),
            fix="name the certificate of its authority in registry_ca_path, or, only where the network is trusted, "
            "set registry_validate_certs to false",
            subject=subject,
        )
    if isinstance(error, ssl.SSLEOFError) or error.reason in _NOT_TLS:
        return PeerError(
            f"{subject} does not speak TLS",
            code="tls-not-spoken",
            why=error.reason or type(error).__name__,
            fix="if it is a registry of plain HTTP on a trusted network, set registry_validate_certs to false",
            subject=subject,
        )
    return PeerError(
        f"No TLS connection to {subject} could be made",
        code="tls-failed",
        why=error.reason or type(error).__name__,
        fix="compare the TLS versions and ciphers of the registry and of this host's OpenSSL",
        subject=subject,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and everything it wraps: the HTTP libraries nest by argument, by ``reason`` and by cause."""
    waiting, seen = [error], set()
    while waiting:
        part = waiting.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        nested = [*part.args, getattr(part, "reason", None), part.__cause__, part.__context__]
        waiting.extend(item for item in nested if isinstance(item, BaseException))


def _words(chain: list[BaseException]) -> str:
    """Name the innermost cause; library texts may hold whole addresses, so only the system's words are quoted."""
    for part in reversed(chain):
        if isinstance(part, OSError) and part.strerror:
            return part.strerror
    return type(chain[-1]).__name__
