# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of images as files of the host: opened, read, and replaced in one step."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import typing as t

from ..build.archive_reading import read_archive
from ..model.errors import ConflictError, InputError, NotFoundError, UnavailableError

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..build.archive_reading import ArchiveReader
    from .reader import Reader

_LEFT_SECONDS = 3600.0  # what a task that was killed left behind is older than this
_ROOMY = "/var/tmp"  # noqa: S108  (files without a name are made there; it is for large ones, where /tmp is memory)


def check_path(reader: Reader, path: str, *, option: str) -> None:
    """Keep a problem with a path that is not absolute, or that can only be a folder's."""
    if not os.path.isabs(path):
        reader.problem(option, f"{path!r} depends on where the module runs", fix="write it from / or ~ on")
    elif path.endswith("/"):
        reader.problem(option, f"{path!r} is the path of a folder", fix="add the name of the archive")


def spool_folder() -> str | None:
    """Return where an archive is unpacked to; None: the system's folder for temporary files."""
    return _ROOMY if "TMPDIR" not in os.environ and os.access(_ROOMY, os.W_OK | os.X_OK) else None


@contextlib.contextmanager
def opened(path: str) -> Iterator[t.IO[bytes]]:
    """Yield the file at ``path``.

    Raises:
        NotFoundError: archive-not-found.
        ConflictError: archive-in-the-way: it is no file.
        UnavailableError: archive-unreadable.
    """
    try:
        file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115  (closed below)
    except FileNotFoundError as error:
        raise NotFoundError(
            f"There is no archive {path}",
            code="archive-not-found",
            fix="check the path; it is one of the managed host",
            subject=path,
        ) from error
    except IsADirectoryError as error:
        raise _in_the_way(path, "it is a folder") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise _in_the_way(path, "it is no regular file")
        yield file


@contextlib.contextmanager
def reading(path: str) -> Iterator[ArchiveReader]:
    """Yield a reader of the archive at ``path``, unpacked if it is compressed.

    Raises:
        InputError: bad-image-archive.
        ImagesError: as ``opened``, or it cannot be unpacked.
    """
    with opened(path) as file:
        reader, read = read_archive(file, path=path, folder=spool_folder())
        with read:
            yield reader


def check_folder(path: str) -> None:
    """Do nothing if a file at ``path`` could be written, as far as its folder tells.

    Raises:
        InputError: archive-folder-missing.
    """
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise InputError(
            f"The folder for {path} does not exist",
            code="archive-folder-missing",
            why=f"{folder} is no folder",
            fix="make it first (ansible.builtin.file with state: directory), or correct the path",
            subject=path,
        )


def check_right(path: str) -> None:
    """Do nothing if this user may write to the folder of ``path``, as far as its mode and its file system tell.

    Raises:
        UnavailableError: archive-unwritable.
    """
    folder = os.path.dirname(os.path.realpath(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(path, f"{folder} may not be written to")


def replace(path: str, pieces: Iterable[bytes]) -> None:
    """Let the file at ``path`` hold ``pieces``, in one step: what was there stays until then, and its mode after.

    Raises:
        UnavailableError: archive-unwritable.
        ImagesError: what ``pieces`` raises; all is as before then.
    """
    from ..wire.durable import replacing

    place = os.path.realpath(path)
    try:
        mode = stat.S_IMODE(os.stat(place).st_mode) if os.path.exists(place) else 0o644
        _clear(place)
        with replacing(place, mode=mode) as file:
            file.writelines(pieces)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def _clear(place: str) -> None:
    """Remove what killed tasks left beside an archive. What another task may be writing is younger."""
    folder, base = os.path.split(place)
    ours = re.compile(re.escape(f".{base}.") + r"[a-z0-9_]{8}\.partial")
    for name in os.listdir(folder):
        left = os.path.join(folder, name)
        if ours.fullmatch(name):
            with contextlib.suppress(OSError):  # another task removes it at this moment, or it is somebody else's
                if os.lstat(left).st_mtime < time.time() - _LEFT_SECONDS:
                    os.unlink(left)


def not_an_archive(path: str, why: str) -> ConflictError:
    """Return the error for a file that nobody says may be replaced."""
    error = _in_the_way(path, why)
    error.fix = "name another path, or set force: true to replace it"
    return error


def _open_at_once(path: str, flags: int) -> int:
    """Open what may be a pipe, where opening waits for somebody to write to it, if it is not told otherwise."""
    return os.open(path, flags | os.O_NONBLOCK)


def _in_the_way(path: str, why: str) -> ConflictError:
    return ConflictError(
        f"What is at {path} is no archive",
        code="archive-in-the-way",
        why=why,
        fix="name the path of a file",
        subject=path,
    )


def _unwritable(path: str, why: str) -> UnavailableError:
    return UnavailableError(
        f"The archive {path} cannot be written",
        code="archive-unwritable",
        why=f"{why}, as user {os.geteuid()}",
        fix="give this user the right to write there (become: true), free some space, or name another path",
        subject=path,
    )


def _unreadable(path: str, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"The archive {path} cannot be read",
        code="archive-unreadable",
        why=f"{error.strerror or error}, as user {os.geteuid()}",
        fix="give this user the right to read it (become: true)"
        if isinstance(error, PermissionError)
        else "check the path, and the disk",
        subject=path,
    )
