# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network link of limited speed before a server: it counts what arrives at the client, and tells how far it is."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t
from urllib.parse import urlsplit

_PIECE = 32 * 1024


class SlowLink:
    """A context manager: forwards TCP connections to ``upstream``, answers at most at ``rate`` bytes per second in all.

    A server that writes into the kernel's buffers of a loopback connection runs megabytes ahead of its client. What
    passes here is taken by the client at once, so ``passed`` is what the client got, to some kilobytes. ``rate`` may be
    set to another one at any time.
    """

    def __init__(self, upstream: str, *, rate: float, address: str = "127.0.0.1") -> None:
        server = urlsplit(upstream)
        self._upstream = (server.hostname or "", server.port or 80)
        self.rate = rate
        self._progress = threading.Condition()
        self._free_at = 0.0
        self.passed = 0
        self._listener = socket.create_server((address, 0))
        self.host = f"{address}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> SlowLink:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def wait_for(self, total: int, *, unless: t.Callable[[], bool]) -> bool:
        """Wait until ``total`` bytes passed and say so; False as soon as ``unless()`` holds before that."""
        with self._progress:
            while self.passed < total:
                if unless():
                    return False
                self._progress.wait(0.02)
            return True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECE)
                server = socket.create_connection(self._upstream)
                threading.Thread(target=_copy, args=(client, server), daemon=True).start()
                threading.Thread(target=self._slow_copy, args=(server, client), daemon=True).start()

    def _slow_copy(self, source: socket.socket, target: socket.socket) -> None:
        _copy(source, target, before=self._take_turn)

    def _take_turn(self, size: int) -> None:
        with self._progress:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + size / self.rate
            pause = self._free_at - now
        time.sleep(pause)
        with self._progress:
            self.passed += size
            self._progress.notify_all()


def _copy(source: socket.socket, target: socket.socket, *, before: t.Callable[[int], None] = lambda size: None) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            before(len(piece))
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    target.close()
