# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One writer at a time, among threads and processes alike."""

from __future__ import annotations

import contextlib
import fcntl
import os
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[int]:
    """Hold the exclusive lock on the file at ``path``, made when missing, and yield the open file.

    The kernel frees the lock when its holder dies, however it dies. Each call opens the file anew: flock(2) locks
    belong to the open file, so threads of one process exclude each other too. Who waited may find that the holder
    before it removed or renamed the file; a lock on a file that lost its name is worth nothing, so it is opened again.

    Raises:
        BlockingIOError: somebody else holds the lock, and ``wait`` is False.
        OSError: the file cannot be opened or locked.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, path):
                yield handle
                return
        finally:
            os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Tell whether the open file is the one that ``path`` names now."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
