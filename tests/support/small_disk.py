# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file system of a few megabytes, in a file, on which a test can fill the disk and nobody else's."""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

from .programs import MISSING, require, run

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class SmallDisk(t.NamedTuple):
    """``folder`` is where it is mounted; the path is short enough for sockets."""

    folder: Path

    @property
    def free(self) -> int:
        """Return the bytes that may still be written."""
        figures = os.statvfs(self.folder)
        return figures.f_bavail * figures.f_frsize

    def leave(self, size: int) -> None:
        """Take all space but ``size`` bytes."""
        with (self.folder / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, self.free - size)

    def clear(self) -> None:
        """Give the space back that ``leave`` took."""
        (self.folder / "filler").unlink()


@contextmanager
def small_disk(size: int) -> Iterator[SmallDisk]:
    """Mount an empty file system of ``size`` bytes until the block ends. Skips the test where that is not allowed."""
    require("mkfs.ext4", "mount", "umount")
    if os.geteuid() != 0:
        pytest.skip(f"{MISSING} file systems are mounted by root")
    outer = Path(tempfile.mkdtemp(prefix="disk-"))
    image, folder = outer / "image", outer / "d"
    try:
        folder.mkdir()
        with image.open("wb") as file:
            file.truncate(size)
        run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image])
        run(["mount", "-o", "loop", image, folder])
        try:
            yield SmallDisk(folder)
        finally:
            # Lazily: a daemon that was just ended may have left mounts below, which end with it.
            run(["umount", "--recursive", "--lazy", folder])
    finally:
        shutil.rmtree(outer, ignore_errors=True)
