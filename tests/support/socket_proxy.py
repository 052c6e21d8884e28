# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A unix socket before a daemon's own, which notes the requests that pass."""

from __future__ import annotations

import re
import socket
import threading
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_REQUEST = re.compile(rb"^(GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1\.1\r\n")


class SocketProxy:
    """Passes everything on. ``requests`` are "METHOD TARGET" in the order of their arrival."""

    def __init__(self, address: Path, *, target: Path) -> None:
        self.address = f"unix://{address}"
        self.requests: list[str] = []
        self._target = target
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(address))
        self._server.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no further connection."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._server.accept()[0]
                daemon = socket.socket(socket.AF_UNIX)
                daemon.connect(str(self._target))
                threading.Thread(target=self._pass, args=(client, daemon), kwargs={"notes": True}, daemon=True).start()
                threading.Thread(target=self._pass, args=(daemon, client), kwargs={"notes": False}, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, *, notes: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                request = _REQUEST.match(piece) if notes else None
                if request is not None:
                    self.requests.append(f"{request[1].decode()} {request[2].decode()}")
                target.sendall(piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def socket_proxy(address: Path, *, target: Path) -> Iterator[SocketProxy]:
    """Listen at ``address`` for the daemon at ``target`` until the block ends."""
    proxy = SocketProxy(address, target=target)
    try:
        yield proxy
    finally:
        proxy.close()
