# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What builds remember on a host, and may forget: states of contexts, and contexts that were fetched.

Records of outputs lie in the same folder and are none of it: a folder without its record is nobody's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_STATES, _FETCHED = ".context", "contexts"  # as stat_cache.py and remote_context.py name them


class Cached(t.NamedTuple):
    """What lies at ``path``, a file or a folder, and how many bytes the files there have."""

    path: str
    size: int


def forgettable(folder: str, *, grace_seconds: float) -> list[Cached]:
    """Return what in the cache ``folder`` nobody wrote or used for ``grace_seconds``, sorted; nothing where it is "".

    A fetched context is young again whenever a build uses it. What cannot be seen is left out.
    """
    oldest = time.time() - grace_seconds
    found = []
    for path in sorted(_entries(folder)):
        with contextlib.suppress(FileNotFoundError):
            told = os.lstat(path)
            if told.st_mtime <= oldest:
                found.append(Cached(path, told.st_size if stat.S_ISREG(told.st_mode) else _size_below(path)))
    return found


def forget(cached: Cached) -> None:
    """Remove it; what cannot be removed stays for the next time. Idempotent."""
    if os.path.isdir(cached.path) and not os.path.islink(cached.path):
        shutil.rmtree(cached.path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        os.unlink(cached.path)


def _entries(folder: str) -> Iterator[str]:
    if not folder:  # "contexts" would be a folder of whoever started this
        return
    for place, ending in ((folder, _STATES), (os.path.join(folder, _FETCHED), "")):
        with contextlib.suppress(OSError):
            yield from (os.path.join(place, name) for name in os.listdir(place) if name.endswith(ending))


def _size_below(folder: str) -> int:
    size = 0
    for place, _folders, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(place, name)).st_size
    return size
