# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to one engine for any number of threads."""

from __future__ import annotations

import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .engine_socket import EngineConnection


class EngineConnections:
    """Each thread has a connection of its own, made by ``connect`` when it first asks; ``close`` closes them all."""

    def __init__(self, connect: Callable[[], EngineConnection]) -> None:
        """Connect later."""
        self._connect = connect
        self._of_thread = threading.local()
        self._made: list[EngineConnection] = []
        self._lock = threading.Lock()

    @property
    def own(self) -> EngineConnection:
        """The connection of the thread that asks. Raises as ``connect``."""
        connection: EngineConnection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self._of_thread.connection = self._connect()
            with self._lock:
                self._made.append(connection)
        return connection

    def close(self) -> None:
        """Close every connection, of all threads. Idempotent."""
        with self._lock:
            for connection in self._made:
                connection.close()
