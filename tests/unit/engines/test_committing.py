# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a container's files are, by digest: content and metadata count, the order of an archive does not."""

from __future__ import annotations

import io
import tarfile

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.committing import contents_digest

PATHS = frozenset({"/etc/a", "/etc/b", "/etc", "/link"})


def archive(*members: tuple[str, bytes], mtime: int = 0, mode: int = 0o644, owner: int = 0) -> io.BytesIO:
    """Return a tar of these files; those with empty content and a slash behind their name are folders."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.size, info.mtime, info.mode, info.uid = len(content), mtime, mode, owner
            tar.addfile(info, io.BytesIO(content))
    return io.BytesIO(written.getvalue())


A, B, FOLDER = ("etc/a", b"a"), ("etc/b", b"b"), ("etc/", b"")


def test_the_order_of_the_archive_and_files_beside_do_not_count() -> None:
    one = contents_digest(archive(FOLDER, A, B, ("etc/c", b"c")), PATHS)
    assert one == contents_digest(archive(("./etc/b", b"b"), ("./etc/a", b"a"), ("./etc/", b"")), PATHS)


@pytest.mark.parametrize(
    "other",
    [
        archive(FOLDER, A, ("etc/b", b"B")),
        archive(FOLDER, A),
        archive(FOLDER, ("etc/a", b"b"), ("etc/b", b"a")),
        archive(FOLDER, A, B, mtime=1),
        archive(FOLDER, A, B, mode=0o600),
        archive(FOLDER, A, B, owner=1),
    ],
)
def test_content_names_times_modes_and_owners_count(other: io.BytesIO) -> None:
    assert contents_digest(other, PATHS) != contents_digest(archive(FOLDER, A, B), PATHS)


def test_hidden_names_keep_their_dot() -> None:
    assert contents_digest(archive((".env", b"x")), {"/.env"}) != contents_digest(archive((".env", b"y")), {"/.env"})
