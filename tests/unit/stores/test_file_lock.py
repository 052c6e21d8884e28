# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One holder at a time, among threads, also when the locked file is removed or renamed."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.fleet.images.plugins.module_utils.stores.file_lock import locked

if t.TYPE_CHECKING:
    from pathlib import Path


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []
    together = threading.Barrier(4)

    def enter(number: int) -> None:
        together.wait(timeout=30)
        for _ in range(50):
            with locked(tmp_path / "lock"):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(enter, range(4)))
    assert (len(most), max(most)) == (200, 1)


def test_who_does_not_want_to_wait_is_told(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(BlockingIOError), locked(tmp_path / "lock", wait=False):
        pytest.fail("two holders")
    with locked(tmp_path / "lock", wait=False):
        pass


@pytest.mark.parametrize("act", ["unlink", "rename"])
def test_who_waited_for_a_file_that_lost_its_name_holds_the_file_that_has_it(tmp_path: Path, act: str) -> None:
    path = tmp_path / "lock"
    waits = threading.Event()

    def second() -> bool:
        waits.set()
        with locked(path):
            # A third one must be kept out now: it would not be, were the lock on the nameless file.
            with pytest.raises(BlockingIOError), locked(path, wait=False):
                pytest.fail("two holders")
            return path.exists()

    with ThreadPoolExecutor(max_workers=1) as pool:
        with locked(path):
            waiter = pool.submit(second)
            waits.wait(timeout=30)
            path.unlink() if act == "unlink" else path.rename(tmp_path / "published")
        assert waiter.result(timeout=30) is True


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "lock"):
        raise KeyError
    with locked(tmp_path / "lock", wait=False):
        pass
