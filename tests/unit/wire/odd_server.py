# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry on loopback that answers whatever a test wants, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential, CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_client import RegistryClient
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping


class Asked(t.NamedTuple):
    """One request; the names of ``headers`` are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @property
    def login(self) -> str:
        return self.headers.get("authorization", "")


class Reply(t.NamedTuple):
    """One answer. ``length`` replaces the true Content-Length, ``None`` leaves it out; ``pieces`` are flushed."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    length: int | None = -1
    pieces: Iterable[bytes] = ()


Rule = t.Callable[[Asked], Reply]


class OddServer:
    """A context manager: answers by ``rule`` from ``with`` to its end; ``released`` is set then, for rules that wait.

    ``drop_body_after`` may return a number of body bytes after which the connection is dropped instead of answered.
    """

    def __init__(self, rule: Rule, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        self.rule = rule
        self.asked: list[Asked] = []
        self.connections = 0
        self.released = threading.Event()
        self.drop_body_after: Callable[[Asked], int | None] = lambda _asked: None
        self._server = ThreadingHTTPServer((address, 0), _Answering)
        self._server.daemon_threads = True
        self._server.odd = self  # type: ignore[attr-defined]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> OddServer:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        return f"{self._server.server_address[0]!s}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def asked_for(self, method: str = "", path: str = "") -> list[Asked]:
        return [asked for asked in self.asked if method in ("", asked.method) and path in asked.target]


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _odd(self) -> OddServer:
        odd: OddServer = self.server.odd  # type: ignore[attr-defined]
        return odd

    def setup(self) -> None:
        super().setup()
        self._odd.connections += 1

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client went away, or its TLS failed: what the test is about
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers)
        limit = self._odd.drop_body_after(asked)
        length = int(headers.get("content-length", 0))
        if limit is not None:
            self._odd.asked.append(asked._replace(body=self.rfile.read(min(length, limit))))
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        asked = asked._replace(body=self.rfile.read(length))
        if len(asked.body) < length:  # the client gave up: as if it had never asked
            self.close_connection = True
            return
        self._odd.asked.append(asked)
        self._send(self._odd.rule(asked))

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _answer

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        is_framed = any(name.lower() in ("content-length", "transfer-encoding") for name, _value in reply.headers)
        if reply.length is not None and not is_framed:
            self.send_header("Content-Length", str(len(reply.body) if reply.length < 0 else reply.length))
        is_whole = (is_framed or reply.length == -1) and not reply.pieces
        if not is_whole:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
            for piece in reply.pieces:
                self.wfile.write(piece)
                self.wfile.flush()


class Patience:
    """Stands in for ``time.sleep`` and remembers how long somebody wanted to wait."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.pauses.append(seconds)


def client_for(
    host: str,
    *,
    settings: RegistrySettings = RegistrySettings(),  # noqa: B008 (immutable)
    login: Credential | None = None,
    sleep: Callable[[float], None] | None = None,
    clock: Callable[[], float] | None = None,
) -> RegistryClient:
    """Return a client that knows ``login`` only and never really sleeps."""
    credentials = CredentialSource({host: login} if login is not None else {}, environ={})
    return RegistryClient(
        host, settings=settings, credentials=credentials, sleep=sleep or Patience(), clock=clock or time.monotonic
    )


def bearer_challenge(realm: str, **parameters: str) -> tuple[tuple[str, str], ...]:
    """Return the header of a 401 that sends its client to ``realm``."""
    rest = "".join(f',{name}="{value}"' for name, value in parameters.items())
    return (("WWW-Authenticate", f'Bearer realm="{realm}"{rest}'),)
