# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Places for exchanges: never more than there are, and no thread waits for itself."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.fleet.images.plugins.module_utils.wire.budget import Budget


def test_no_more_threads_hold_a_place_than_there_are() -> None:
    budget, lock, held, most = Budget(3), threading.Lock(), [0], [0]

    def work(_number: int) -> None:
        give_back = budget.take()
        with lock:
            held[0] += 1
            most[0] = max(most[0], held[0])
        with lock:
            held[0] -= 1
        give_back()

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(work, range(300)))
    assert 1 <= most[0] <= 3
    assert held == [0]


def test_a_thread_that_holds_a_place_gets_more_and_frees_it_with_the_last() -> None:
    budget = Budget(1)
    outer, inner = budget.take(), budget.take()
    outer()
    taken = threading.Event()

    def take_in_another_thread() -> None:
        give_back = budget.take()
        taken.set()
        give_back()

    thread = threading.Thread(target=take_in_another_thread)
    thread.start()
    assert not taken.wait(0.05)
    inner()
    assert taken.wait(30)
    thread.join(30)


def test_a_place_is_given_back_once_however_often_it_is_said_and_by_whom() -> None:
    budget = Budget(1)
    give_back = budget.take()
    other = threading.Thread(target=give_back)
    other.start()
    other.join(30)
    give_back()
    again = budget.take()
    give_back()
    again()
    budget.take()()
