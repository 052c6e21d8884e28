# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock's file on the control node: read whole, replaced in one step."""

from __future__ import annotations

import os
import typing as t

from ..model.errors import InputError
from ..model.lock import Lock, parse_lock
from ..wire.durable import replacing


class LockFile(t.NamedTuple):
    """A lock as it lies on disk; ``text`` is None where there is no file yet. ``path`` leads to no link."""

    path: str
    text: str | None
    lock: Lock


def read_lock_file(path: str) -> LockFile:
    """Return the lock at ``path``; without a file an empty one.

    Raises:
        InputError: lock-unreadable; or as ``parse_lock``.
    """
    place = os.path.realpath(path)
    try:
        with open(place, encoding="utf-8", newline="") as stream:
            text = stream.read()
    except FileNotFoundError:
        return LockFile(place, None, Lock({}))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(
            f"The lock {path} cannot be read",
            code="lock-unreadable",
            why=why,
            fix="name a text file that this user may read, or one that is not there yet",
            subject=path,
        ) from error
    return LockFile(place, text, parse_lock(text, subject=path))


def write_lock_file(file: LockFile, text: str) -> None:
    """Give the file new content in one step that survives a crash; it keeps its mode.

    Raises:
        InputError: lock-unwritable. The file is as before then.
    """
    try:
        mode = os.stat(file.path).st_mode & 0o7777 if file.text is not None else _mode_of_new_files()
        with replacing(file.path, mode=mode) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise InputError(
            f"The lock {file.path} cannot be written",
            code="lock-unwritable",
            why=error.strerror or str(error),
            fix="name a file in a folder of the control node that is there, and that this user may write to",
            subject=file.path,
        ) from error


def _mode_of_new_files() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
