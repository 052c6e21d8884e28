# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine's daemon in a thread: it reads requests whole and lets each test answer in raw bytes."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import typing as t

from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import EngineConnection

PATIENCE = 60.0


class Request(t.NamedTuple):
    """What the server read: request line, headers with lower-case names, body without its chunks."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = t.Callable[["Daemon", socket.socket, Request], None]


class Daemon:
    """A server in a thread that hands each request on each connection to ``answer``.

    ``answer`` writes raw bytes, so that it can break any rule; it closes the connection by ``shutdown``.
    """

    def __init__(self, listener: socket.socket, answer: Answer, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.released = threading.Event()  # an answer may wait for the test here
        self._answer = answer
        self._tls = tls
        self._listener = listener
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(PATIENCE)
        self._listener.close()
        assert not any(thread.is_alive() for thread in self._threads)

    def _accept(self) -> None:
        while True:
            try:
                sock, _peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(sock)
            if self._tls is not None:
                sock = stack.enter_context(self._tls.wrap_socket(sock, server_side=True))
            reader = stack.enter_context(sock.makefile("rb"))
            while (request := read_request(reader)) is not None:
                self.requests.append(request)
                self._answer(self, sock, request)


def read_request(reader: t.BinaryIO) -> Request | None:
    line = reader.readline().decode().strip()
    if not line:
        return None
    headers: dict[str, str] = {}
    while header := reader.readline().decode().strip():
        name, _colon, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    if headers.get("transfer-encoding") == "chunked":
        while length := int(reader.readline() or b"0", 16):
            body += reader.read(length)
            reader.readline()
        reader.readline()
    return Request(line, headers, body)


def answer_bytes(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answer_json(value: object, *, status: str = "200 OK") -> bytes:
    return answer_bytes(json.dumps(value).encode(), status=status, headers="Content-Type: application/json\r\n")


def sending(raw: bytes, *, ends: bool = False) -> Answer:
    def answer(_daemon: Daemon, sock: socket.socket, _request: Request) -> None:
        sock.sendall(raw)
        if ends:
            sock.shutdown(socket.SHUT_RDWR)

    return answer


def chunks(*parts: bytes, ends: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head + body + (b"0\r\n\r\n" if ends else b"")


Start = t.Callable[..., tuple[Daemon, EngineConnection]]
