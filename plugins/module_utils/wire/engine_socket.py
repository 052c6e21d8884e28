# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to an engine's daemon over its unix socket, TCP or TLS, with Python's own http.client."""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t
from urllib.parse import quote, urlencode, urlsplit

from ..model.errors import InputError, PeerError, UnsupportedError

if t.TYPE_CHECKING:
    import http.client
    import ssl
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from .engine_stream import EngineStream

ANSWER_LIMIT_BYTES = 64 << 20
START_HINT = "Start the engine's service on the host, or name its address in docker_host"

_PLAIN_PORT, _TLS_PORT = 2375, 2376
_ERROR_BODY_BYTES = 64 << 10
_REPEATABLE = frozenset({"GET", "HEAD"})


class EngineEndpoint(t.NamedTuple):
    """Where a daemon listens: ``scheme`` is ``unix`` (``address`` is a path), ``tcp``, ``http`` or ``https``.

    ``port`` 0 stands for 2375, or 2376 with TLS.
    """

    scheme: str
    address: str
    port: int = 0

    def __str__(self) -> str:
        """Return the address as one writes it in ``docker_host``."""
        host = f"[{self.address}]" if ":" in self.address and self.scheme != "unix" else self.address
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    @classmethod
    def parse(cls, text: str) -> EngineEndpoint:
        """Return the endpoint of ``unix:///run/docker.sock``, ``/run/docker.sock``, ``tcp://host:2375`` or ``https://…``.

        Raises:
            InputError: ``bad-engine-address``: none of these, or with user info.
            UnsupportedError: ``engine-address-unsupported``: ``ssh://``, ``npipe://`` or ``fd://``.
        """
        if text.startswith("/"):
            return cls("unix", text)
        scheme, separator, rest = text.partition("://")
        if scheme == "unix" and rest:
            return cls(scheme, rest if rest.startswith("/") else f"/{rest}")
        from .redact import redact_url

        if scheme in ("ssh", "npipe", "fd"):
            raise UnsupportedError(
                f"Engines cannot be reached over {scheme}://",
                code="engine-address-unsupported",
                fix="Run the task on the engine's own host and use its unix socket",
                subject=redact_url(text),
            )
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port or 0
        except ValueError:
            host, port = "", 0
        if scheme not in ("tcp", "http", "https") or not separator or not host or "@" in text:
            raise InputError(
                f"{redact_url(text)!r} is not the address of an engine",
                code="bad-engine-address",
                fix="Write it like unix:///var/run/docker.sock, tcp://192.0.2.1:2375 or https://engine.example.com:2376",
                subject=redact_url(text),
            )
        return cls(scheme, host, port)


class EngineTls(t.NamedTuple):
    """How to speak TLS to a daemon. Empty paths are not used; ``hostname`` is the name the certificate must bear."""

    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    validate_certs: bool = True
    hostname: str = ""


class EngineConnection:
    """Requests to one daemon, kept alive between them. Only errors of the collection leave it.

    One thread at a time: give each thread a connection of its own. A request made while a stream is still open gets a
    connection of its own. A kept connection that the daemon has closed meanwhile is replaced; a GET or HEAD that
    fails on a kept connection is sent once more on a new one.
    """

    def __init__(
        self,
        endpoint: EngineEndpoint,
        *,
        timeout: float,
        tls: EngineTls | None = None,
        start_hint: str = START_HINT,
    ) -> None:
        """Connect later, at the first request.

        ``timeout`` is in seconds, for connecting and for each wait for bytes. ``tls`` turns ``tcp`` into TLS too.
        ``start_hint`` is what a user can do when nobody listens (``systemctl start docker``).
        """
        self.endpoint = endpoint
        self._timeout = timeout
        self.tls = tls or (EngineTls() if endpoint.scheme == "https" else None)
        self._start_hint = start_hint
        self._context: ssl.SSLContext | None = None
        self._idle: http.client.HTTPConnection | None = None
        self._is_closed = False

    def __enter__(self) -> EngineConnection:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connection and keep none from now on; open streams stay usable until they are closed."""
        self._is_closed = True
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def request_json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: t.Any = None,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] = (200, 201, 204),
        timeout: float | None = None,
    ) -> tuple[int, t.Any, dict[str, str]]:
        """Send one request and return (status, parsed JSON or None for an empty body, headers with lower-case names).

        ``body`` is sent as JSON unless None. ``timeout`` replaces the connection's for this request.

        Raises:
            ImagesError: the status is not in ``expect`` (see engine_failure.py) or the daemon cannot be talked to.
            PeerError: ``engine-not-json``; ``engine-answer-too-large``: more than 64 MiB.
        """
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})} if data is not None else headers
        with self.stream(method, path, query=query, body=data, headers=sent, expect=expect, timeout=timeout) as answer:
            raw = answer.read_whole(ANSWER_LIMIT_BYTES)
        try:
            return answer.status, json.loads(raw) if raw.strip() else None, answer.headers
        except (ValueError, RecursionError) as error:
            raise PeerError(
                f"The answer of the engine at {self.endpoint} is not JSON",
                code="engine-not-json",
                why=f"{method} {path}: {answer.status}, {len(raw)} bytes",
                fix="Check that docker_host names a container engine",
                subject=str(self.endpoint),
            ) from error

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] = (200, 201, 204),
        timeout: float | None = None,
    ) -> EngineStream:
        """Send one request and return its answer with the body unread; the caller closes it (or uses ``with``).

        An iterable ``body`` is sent in chunks as it comes. ``timeout`` limits each wait for bytes, not the whole.

        Raises:
            ImagesError: the status is not in ``expect`` (see engine_failure.py) or the daemon cannot be talked to.
                What the iterable raises passes through.
        """
        from .engine_stream import EngineStream

        target = quote(path, safe="/:@%") + (f"?{urlencode(query, doseq=True)}" if query else "")
        connection, response = self._exchange(
            method, target, body=body, headers=headers or {}, timeout=timeout or self._timeout
        )
        answer = EngineStream(connection, response, endpoint=str(self.endpoint), give_back=self._keep)
        if response.status in expect:
            return answer
        with answer:
            raw = answer.read(_ERROR_BODY_BYTES)
        from .engine_failure import refusal

        raise refusal(response.status, raw, request=f"{method} {path}", endpoint=str(self.endpoint))

    def _exchange(
        self,
        method: str,
        target: str,
        *,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        from http.client import HTTPException

        kept = self._take_idle()
        try:
            if kept is not None:
                try:
                    return kept, _converse(kept, (method, target), body=body, headers=headers, timeout=timeout)
                except (ConnectionError, HTTPException):
                    if method not in _REPEATABLE:
                        raise
            fresh = self._connect(timeout)
            return fresh, _converse(fresh, (method, target), body=body, headers=headers, timeout=timeout)
        except _BodyFailed as failed:
            raise failed.error from None
        except (OSError, HTTPException) as error:
            from .engine_failure import lost
            from .redact import redact_url

            raise lost(error, endpoint=str(self.endpoint), request=f"{method} {redact_url(target)}") from error

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        from http.client import HTTPConnection

        is_unix = self.endpoint.scheme == "unix"
        port = self.endpoint.port or (_PLAIN_PORT if self.tls is None else _TLS_PORT)
        try:
            sock = _unix_socket(self.endpoint.address, timeout) if is_unix else self._network_socket(port, timeout)
        except (OSError, UnicodeError) as error:
            from .engine_failure import unreachable

            raise unreachable(error, endpoint=str(self.endpoint), start_hint=self._start_hint) from error
        connection = HTTPConnection("localhost" if is_unix else self.endpoint.address, port)
        connection.auto_open = 0
        connection.sock = sock
        return connection

    def _network_socket(self, port: int, timeout: float) -> socket.socket:
        sock = socket.create_connection((self.endpoint.address, port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is None:
                return sock
            self._context = self._context or _tls_context(self.tls)
            return self._context.wrap_socket(sock, server_hostname=self.tls.hostname or self.endpoint.address)
        except BaseException:
            sock.close()
            raise

    def _take_idle(self) -> http.client.HTTPConnection | None:
        kept, self._idle = self._idle, None
        if kept is None or not _has_something_to_read(kept.sock):
            return kept
        kept.close()  # between requests only an end of the connection can be there to read
        return None

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        if self._is_closed or self._idle is not None:
            connection.close()
        elif connection.sock is not None:  # http.client closes it itself when the daemon asked for that
            self._idle = connection


class _BodyFailed(Exception):  # noqa: N818 - it never leaves this file
    """Carries an error of the body's source past the handlers of errors of the connection."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error


def _converse(
    connection: http.client.HTTPConnection,
    request: tuple[str, str],
    *,
    body: bytes | Iterable[bytes] | None,
    headers: Mapping[str, str],
    timeout: float,
) -> http.client.HTTPResponse:
    """Send a request and return its answer up to the body; the connection is closed when that fails."""
    try:
        connection.sock.settimeout(timeout)
        guarded = body if body is None or isinstance(body, bytes) else _guarded(body)
        # A daemon that refuses a long body closes its side early; its answer is still there to read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(*request, body=guarded, headers=dict(headers))
        return connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _guarded(body: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from body
    except OSError as error:
        raise _BodyFailed(error) from error


def _unix_socket(path: str, timeout: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def _tls_context(tls: EngineTls) -> ssl.SSLContext:
    import ssl

    option, path = "ca_path", tls.ca_path
    try:
        context = ssl.create_default_context(cafile=tls.ca_path or None)
        if tls.client_cert:
            option, path = "client_cert", f"{tls.client_cert} with {tls.client_key or 'no client_key'}"
            context.load_cert_chain(tls.client_cert, tls.client_key or None)
    except OSError as error:  # what the ssl module raises for files is one, too
        said = getattr(error, "reason", "") or error.strerror or str(error)
        raise InputError(
            "The TLS files for the engine cannot be used",
            code="bad-tls-files",
            why=f"{option} {path}: {said}",
            fix="ca_path, client_cert and client_key (else ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH) name PEM "
            "files on the managed host; the last two belong together",
            subject=option,
        ) from error
    if not tls.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _has_something_to_read(sock: socket.socket) -> bool:
    import select

    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
