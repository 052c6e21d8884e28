# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy that leads every TLS connection to one server, whatever host it asks for, and counts bytes."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
import typing as t


class Tunnel:
    """A context manager: serves on a free loopback port. ``bytes_received`` are those that clients were sent."""

    def __init__(self, target: str) -> None:
        host, _colon, port = target.rpartition(":")
        self.target = (host, int(port))
        self.bytes_received = 0
        self._lock = threading.Lock()
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Connection)
        self._server.daemon_threads = True
        self._server.tunnel = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Tunnel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        """Return "http://127.0.0.1:PORT"."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def count(self, size: int) -> None:
        """Add ``size`` to the bytes that clients were sent."""
        with self._lock:
            self.bytes_received += size


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        tunnel: Tunnel = t.cast("t.Any", self.server).tunnel
        asked = self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        if not asked.startswith(b"CONNECT "):
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(tunnel.target) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {self.connection: upstream, upstream: self.connection}
            while True:
                for readable in select.select(list(ends), [], [])[0]:
                    data = readable.recv(65536)
                    if readable is upstream:
                        tunnel.count(len(data))
                    if not data:
                        return
                    ends[readable].sendall(data)
