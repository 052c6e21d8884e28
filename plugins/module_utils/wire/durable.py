# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that get new content in one step, and names that survive a loss of power."""

from __future__ import annotations

import contextlib
import os
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PARTIAL = ".partial"


@contextlib.contextmanager
def replacing(path: str, *, mode: int) -> Iterator[t.IO[bytes]]:
    """Yield a new file, which is at ``path`` with ``mode`` after the block. After a failure all is as before.

    Until then it is beside it, as ``.NAME.….partial``. ``path`` is no link.

    Raises:
        OSError: it cannot be written.
    """
    import tempfile

    folder, name = os.path.split(path)
    handle, draft = tempfile.mkstemp(PARTIAL, f".{name}.", folder)
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise
    sync_directory(folder)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Make the names in directory ``path`` survive a loss of power.

    Raises:
        OSError: the disk refuses.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
