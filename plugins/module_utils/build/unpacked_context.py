# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A context that came as an archive, laid out in a folder."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..model.errors import ImagesError, InputError
from ..wire.streams import pieces
from .archives import Archive
from .spools import Spool
from .tree import Tree, join
from .unpacking import lay_members, read_members

if t.TYPE_CHECKING:
    from .tree import Entry


def unpack_archive(file: t.IO[bytes], *, folder: str, name: str) -> None:
    """Put what the tar archive in ``file`` holds into the empty ``folder``, which nobody else may write into.

    Nothing is written outside of it, wherever links of the archive lead. Permissions of the owner are kept, owners and
    times are not; devices and pipes are left out, and hard links become files of their own.

    Raises:
        InputError: context-not-archive.
        UnsupportedError: sparse-file, zstd-missing.
    """

    def damaged(why: str) -> ImagesError:
        return InputError(
            f"The build context {name} is no tar archive",
            code="context-not-archive",
            why=why,
            fix="give a tar archive, plain or compressed with gzip, bzip2, xz or zstd",
            subject=name,
        )

    file.flush()
    packed = Spool.of(file)
    tree = Tree()
    with contextlib.closing(Archive(packed.open_at, folder=os.path.dirname(folder), damaged=damaged)) as archive:
        for _path in lay_members(tree, read_members(archive), below=()):
            pass
        for parts, entry in tree.root.walk():
            _write(entry, os.path.join(folder, join(parts)))


def _write(entry: Entry, path: str) -> None:
    if entry.kind == "dir":
        os.mkdir(path, entry.mode | 0o700)  # the owner must be able to write into it
    elif entry.kind == "symlink":
        os.symlink(entry.link_target, path)
    elif entry.content is not None:
        with open(path, "xb") as file, contextlib.closing(entry.content.open()) as stream:
            for piece in pieces(stream):
                file.write(piece)
            os.fchmod(file.fileno(), entry.mode & 0o6777 | 0o600)
