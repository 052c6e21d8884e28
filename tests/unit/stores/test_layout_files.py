# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with files is told in words a user can act on."""

from __future__ import annotations

import errno
import multiprocessing
import os
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.plugins.module_utils.stores.layout_files import (
    explained,
    make_directory,
    replace_file,
)
from ansible_collections.fleet.images.tests.unit.stores.sample_images import sample_image

if t.TYPE_CHECKING:
    from collections.abc import Callable

FORK = multiprocessing.get_context("fork")
NOBODY = 65534


@pytest.mark.parametrize(
    ("number", "code", "is_retryable"),
    [
        (errno.EACCES, "store-permission", False),
        (errno.EPERM, "store-permission", False),
        (errno.EROFS, "store-permission", False),
        (errno.ENOSPC, "disk-full", False),
        (errno.EDQUOT, "disk-full", False),
        (errno.EIO, "store-io", True),
        (errno.ESTALE, "store-io", True),
    ],
)
def test_each_failure_of_the_disk_has_its_code_and_a_remedy(
    tmp_path: Path, number: int, code: str, is_retryable: bool
) -> None:
    with pytest.raises(ImagesError) as caught, explained(tmp_path / "not/there", needed=7):
        raise OSError(number, os.strerror(number))
    assert (caught.value.code, caught.value.retryable) == (code, is_retryable)
    assert caught.value.fix
    assert caught.value.subject == str(tmp_path / "not/there")


def test_what_is_mounted_for_reading_is_not_for_another_user_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ImagesError) as caught, explained(tmp_path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    assert "become" not in caught.value.fix
    assert "mount" in caught.value.fix


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"first", through=tmp_path / "new")
    (tmp_path / "is-a-directory").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(path, b"second", through=tmp_path / "is-a-directory")
    assert path.read_bytes() == b"first"
    replace_file(path, b"third", through=tmp_path / "new")
    assert path.read_bytes() == b"third"
    assert not (tmp_path / "new").exists()


def test_directories_are_made_with_their_parents_and_twice_is_once(tmp_path: Path) -> None:
    make_directory(tmp_path / "a/b/c")
    make_directory(tmp_path / "a/b/c")
    assert (tmp_path / "a/b/c").is_dir()


def as_nobody(act: Callable[[], object]) -> str:
    """Do something without root's privileges, in a process of its own; return the error's code or ``done``."""
    answers: multiprocessing.SimpleQueue[str] = FORK.SimpleQueue()

    def run() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            act()
            answers.put("done")
        except ImagesError as error:
            answers.put(error.code)

    child = FORK.Process(target=run)
    child.start()
    child.join()
    assert child.exitcode == 0
    return answers.get()


def test_a_user_who_may_only_read_reads_all_and_is_told_when_writing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        Path(folder).chmod(0o755)
        image = sample_image("read-only")
        image.put(LayoutStore(root, create=True), parse_reference("a:1"))
        if os.geteuid() != 0:
            for path in (root, *root.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)

        def look() -> None:
            store = LayoutStore(root, create=True)
            (row,) = store.images()
            if row.missing or not store.has(image.config) or store.missing_blobs(image.descriptor):
                raise AssertionError(row)
            store.collectable(0)

        other = sample_image("other")
        assert as_nobody(look) == "done"
        assert as_nobody(lambda: other.put(LayoutStore(root))) == "store-permission"
        assert as_nobody(lambda: LayoutStore(root).untag(parse_reference("a:1"))) == "store-permission"
        assert as_nobody(lambda: LayoutStore(root).collect(0)) == "store-permission"
        root.chmod(0o700 if os.geteuid() == 0 else 0o000)
        assert as_nobody(lambda: LayoutStore(root)) == "store-permission"
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)
