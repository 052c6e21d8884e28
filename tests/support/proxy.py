# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy before a registry that counts every request and byte, and fails on demand.

Clients speak plain HTTP to ``proxy.host``; ``Host`` is handed on, so that upload addresses lead back through it.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

if t.TYPE_CHECKING:
    from email.message import Message

_CHUNK = 64 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Exchange(t.NamedTuple):
    """One request: the question, the answer's status (0: cut), body bytes sent to and received from the client."""

    method: str
    path: str
    status: int
    bytes_sent: int
    bytes_received: int
    headers: t.Mapping[str, str]


class Fault(t.NamedTuple):
    """What to do to the first ``times`` requests that match ``method`` ("" is any) and ``path`` (a regular expression).

    ``status`` answers with that status and does not ask upstream, with ``headers`` and ``body``. ``cut_after``
    forwards that many body bytes, then drops the connection. ``delay`` waits that many seconds first. ``tamper``
    changes the body's bytes. ``skip`` lets that many matching requests pass before the first fault.
    """

    path: str = ""
    method: str = ""
    times: int = 1
    status: int = 0
    headers: t.Mapping[str, str] = {}
    body: bytes = b""
    cut_after: int | None = None
    delay: float = 0
    tamper: t.Callable[[bytes], bytes] | None = None
    skip: int = 0


class CountingProxy:
    """A context manager: serves on a free port of ``address`` from ``with`` to its end. Thread-safe."""

    def __init__(self, upstream: str, *, context: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> None:
        self.upstream = urlsplit(upstream)
        self.context = context
        self._address = address
        self.peak_concurrency = 0
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._faults: list[tuple[Fault, list[int]]] = []
        self._running = 0
        self._is_dead = False
        self._server = ThreadingHTTPServer((address, 0), _Forwarder)
        self._server.daemon_threads = True
        self._server.proxy = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> CountingProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def die(self) -> None:
        """Be gone: nobody listens any more, and no further question is answered on connections that are open."""
        self._is_dead = True
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        """Return "ADDRESS:PORT"."""
        return f"{self._address}:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Return "http://ADDRESS:PORT"."""
        return f"http://{self.host}"

    def fail(self, fault: Fault) -> None:
        """Apply ``fault`` from the next request on. Several may be set; the first that matches is used."""
        with self._lock:
            self._faults.append((fault, [fault.skip, fault.times]))

    def reset(self) -> None:
        """Forget what was counted and which faults were set."""
        with self._lock:
            self._exchanges.clear()
            self._faults.clear()
            self.peak_concurrency = 0

    def exchanges(self, *, method: str = "", path: str = "") -> list[Exchange]:
        """Return the finished requests, oldest first; ``path`` is a regular expression that is searched."""
        with self._lock:
            return [e for e in self._exchanges if method in ("", e.method) and re.search(path, e.path)]

    def count(self, *, method: str = "", path: str = "") -> int:
        """Return how many requests finished that match."""
        return len(self.exchanges(method=method, path=path))

    def bytes_sent(self, *, method: str = "", path: str = "") -> int:
        """Return how many body bytes clients received in the answers that match."""
        return sum(exchange.bytes_sent for exchange in self.exchanges(method=method, path=path))

    def _begin(self, method: str, path: str) -> Fault | None:
        with self._lock:
            self._running += 1
            self.peak_concurrency = max(self.peak_concurrency, self._running)
            for fault, left in self._faults:
                if fault.method not in ("", method) or not re.search(fault.path, path):
                    continue
                if left[0]:
                    left[0] -= 1
                elif left[1]:
                    left[1] -= 1
                    return fault
        return None

    def _end(self, exchange: Exchange) -> None:
        with self._lock:
            self._running -= 1
            self._exchanges.append(exchange)


class _Forwarder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _forward(self) -> None:
        proxy: CountingProxy = self.server.proxy  # type: ignore[attr-defined]
        fault = proxy._begin(self.command, self.path)
        self._status = self._sent = self._received = 0
        # Counted before the last byte leaves: a client that has its answer finds it counted.
        self._count = _once(
            lambda: proxy._end(
                Exchange(self.command, self.path, self._status, self._sent, self._received, _combined(self.headers))
            )
        )
        try:
            body = self._body()
            if proxy._is_dead:
                raise ConnectionError("nobody is here any more")
            if fault and fault.delay:
                time.sleep(fault.delay)
            if fault and fault.status:
                for _ in body:
                    pass
                self._answer(fault.status, list(fault.headers.items()), [fault.body], length=len(fault.body))
            else:
                self._ask(proxy, body, fault)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            self._count()

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = _forward

    def _ask(self, proxy: CountingProxy, body: t.Iterator[bytes], fault: Fault | None) -> None:
        upstream = proxy.upstream
        kind = http.client.HTTPSConnection if upstream.scheme == "https" else http.client.HTTPConnection
        options: dict[str, t.Any] = {"context": proxy.context} if upstream.scheme == "https" else {}
        connection = kind(upstream.hostname or "", upstream.port, timeout=60, **options)
        try:
            sent = _combined(self.headers).items()
            headers = {name: value for name, value in sent if name.lower() not in _HOP_BY_HOP}
            length = self.headers.get("Content-Length")
            has_body = length is not None or self.headers.get("Transfer-Encoding")
            if length is not None:
                headers["Content-Length"] = length
            connection.request(
                self.command,
                self.path,
                body=body if has_body else None,
                headers=headers,
                encode_chunked=bool(has_body and length is None),
            )
            answer = connection.getresponse()
            chunks: t.Iterable[bytes] = iter(lambda: answer.read(_CHUNK), b"")
            if fault and fault.tamper:
                chunks = [fault.tamper(b"".join(chunks))]
            stated = answer.headers.get("Content-Length")
            self._answer(
                answer.status,
                [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP],
                chunks,
                length=None if stated is None else int(stated),
                cut_after=fault.cut_after if fault else None,
            )
        finally:
            connection.close()

    def _answer(
        self,
        status: int,
        headers: t.Sequence[tuple[str, str]],
        chunks: t.Iterable[bytes],
        *,
        length: int | None,
        cut_after: int | None = None,
    ) -> None:
        self._status = status
        has_body = self.command != "HEAD" and status not in (204, 304)
        if cut_after is None and not (has_body and length):
            self._count()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        elif has_body:
            self.send_header("Connection", "close")
        self.end_headers()
        if has_body:
            self._stream(chunks, length=length, cut_after=cut_after)

    def _stream(self, chunks: t.Iterable[bytes], *, length: int | None, cut_after: int | None) -> None:
        for chunk in chunks:
            whole = len(chunk)
            if cut_after is not None:
                chunk = chunk[: max(0, cut_after - self._sent)]
            self._sent += len(chunk)
            if length is not None and cut_after is None and self._sent >= length:
                self._count()
            self.wfile.write(chunk)
            if len(chunk) < whole:
                self._status = 0
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return

    def _body(self) -> t.Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self._received += size
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            chunk = self.rfile.read(min(left, _CHUNK))
            if not chunk:
                raise ConnectionError("the client went away")
            left -= len(chunk)
            self._received += len(chunk)
            yield chunk


def _combined(headers: Message) -> dict[str, str]:
    """Return headers by name; one that was sent several times, as Docker sends Accept, means the list of its values."""
    return {name: ", ".join(headers.get_all(name, ())) for name in headers}


def _once(effect: t.Callable[[], None]) -> t.Callable[[], None]:
    pending = [effect]

    def call() -> None:
        if pending:
            pending.pop()()

    return call
