# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits: what they leave, what they stop, and which time-outs they own up to."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import NotFoundError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.wire.process import run
from ansible_collections.fleet.images.plugins.module_utils.wire.time_limit import TimeLimit


def test_without_an_end_a_part_may_take_all_its_own_time() -> None:
    limit = TimeLimit(None, subject="x")
    assert limit.left(7.5) == 7.5
    assert list(limit.guard([b"a", b"b"])) == [b"a", b"b"]


def test_a_part_may_take_no_more_than_what_is_left() -> None:
    limit = TimeLimit(1000, subject="x")
    assert limit.left(7.5) == 7.5
    assert 0 < limit.left(10**6) <= 1000


def test_nothing_more_is_given_once_it_is_over() -> None:
    limit = TimeLimit(0, subject="the build")
    with pytest.raises(UnavailableError) as raised:
        next(limit.guard([b"a"]))
    assert (raised.value.code, raised.value.subject) == ("deadline-passed", "the build")


def test_a_time_out_at_the_end_is_told_as_the_deadline_and_others_as_they_are() -> None:
    with pytest.raises(UnavailableError) as raised, TimeLimit(0.05, subject="x") as limit:
        run(["sleep", "100"], timeout=limit.left(60))
    assert raised.value.code == "deadline-passed"
    with pytest.raises(UnavailableError) as raised, TimeLimit(1000, subject="x"):
        run(["sleep", "100"], timeout=0.05)
    assert raised.value.code == "program-timeout"
    with pytest.raises(NotFoundError), TimeLimit(0, subject="x"):
        run(["no-such-program"], timeout=1)
