# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many exchanges one registry gets at a time."""

from __future__ import annotations

import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


class Budget:
    """Hands out ``size`` places. Thread-safe.

    A thread that holds a place gets further ones for nothing: it pushes from one repository to another of the same
    registry while it reads, and waiting for itself would never end.
    """

    def __init__(self, size: int) -> None:
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._held: dict[int, int] = {}

    def take(self) -> Callable[[], None]:
        """Wait for a place; return the call that gives it back, which any thread may make, and more than once."""
        owner = threading.get_ident()
        with self._lock:
            is_nested = self._held.get(owner, 0) > 0
            if is_nested:
                self._held[owner] += 1
        if not is_nested:
            self._free.acquire()
            with self._lock:
                self._held[owner] = 1
        return _once(lambda: self._give_back(owner))

    def _give_back(self, owner: int) -> None:
        with self._lock:
            self._held[owner] -= 1
            is_last = not self._held[owner]
            if is_last:
                del self._held[owner]
        if is_last:
            self._free.release()


def _once(action: Callable[[], None]) -> Callable[[], None]:
    pending = [action]
    lock = threading.Lock()

    def run() -> None:
        with lock:
            todo = pending.pop() if pending else None
        if todo is not None:
            todo()

    return run
