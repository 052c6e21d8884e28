# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a store on disk: published whole and durable, and failures told in words a user can act on."""

from __future__ import annotations

import contextlib
import errno
import os
import typing as t

from ..model.errors import ConflictError, ImagesError, InputError, UnavailableError
from ..wire.durable import sync_directory

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORBIDDEN = (errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def explained(path: Path, *, needed: int = 0) -> Iterator[None]:
    """Turn an OSError of the block into an error of ours; ``needed`` is how many bytes it wants to add.

    Raises:
        InputError: store-permission.
        ConflictError: disk-full.
        UnavailableError: store-io, for anything else.
    """
    try:
        yield
    except OSError as error:
        raise _explain(error, path, needed=needed) from error


def make_directory(path: Path) -> None:
    """Make ``path`` and its parents where missing, mode 0755 whatever the umask says, and make them durable.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        path.chmod(0o755)
        sync_directory(path.parent)


def replace_file(path: Path, content: bytes, *, through: Path) -> None:
    """Give ``path`` new content in one step that survives a crash; ``through`` is a free name in the same file system.

    Raises:
        OSError: it cannot be written. ``path`` has its old content then.
    """
    handle = os.open(through, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(handle, 0o644)
        write_all(handle, memoryview(content))
        os.fsync(handle)
    finally:
        os.close(handle)
    through.replace(path)
    sync_directory(path.parent)


def write_all(handle: int, piece: memoryview) -> None:
    """Write every byte of ``piece``: the system may take fewer at a time.

    Raises:
        OSError: it cannot be written.
    """
    while piece:
        piece = piece[os.write(handle, piece) :]


def free_bytes(path: Path) -> int:
    """Return how many bytes this user may still add to the file system that holds ``path``."""
    told = os.statvfs(path)
    return told.f_frsize * (told.f_bfree if os.geteuid() == 0 else told.f_bavail)


def disk_full(path: Path, needed: int) -> ConflictError:
    """Return the error for a file system that cannot take ``needed`` more bytes at ``path``, which need not exist."""
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    return ConflictError(
        "The disk that holds the store is full",
        code="disk-full",
        why=f"{needed} bytes are needed, {free_bytes(existing)} are free",
        fix="free some space, remove images that are not listed (unlisted: remove), or put the store elsewhere",
        subject=str(path),
    )


def _explain(error: OSError, path: Path, *, needed: int) -> ImagesError:
    if error.errno in _FULL:
        return disk_full(path, needed)
    if error.errno == errno.EROFS:
        return InputError(
            f"The store at {path} cannot be changed",
            code="store-permission",
            why=f"{error.strerror}: {error.filename or path}",
            fix="mount the file system for writing, or name another directory as store",
            subject=str(path),
        )
    if error.errno in _FORBIDDEN:
        return InputError(
            f"The store at {path} may not be used by this user",
            code="store-permission",
            why=f"{error.strerror}: {error.filename or path}, as user {os.geteuid()}",
            fix="run the task as the store's owner (become: true), or name another directory as store",
            subject=str(path),
        )
    return UnavailableError(
        f"The store at {path} cannot be read or written",
        code="store-io",
        why=f"{error.strerror or error}: {error.filename or path}",
        fix="check the disk and its mount (dmesg tells), then run the task again",
        subject=str(path),
    )
