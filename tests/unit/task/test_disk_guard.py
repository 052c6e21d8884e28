# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Before anything is pulled: is there room for it?"""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity, Space
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Action, Push, Untag
from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
from ansible_collections.fleet.images.plugins.module_utils.task.disk_guard import check_room

NAME = parse_reference("app:1")
MIB = 1 << 20


class Fetch(Action):
    """A pull as the guard sees it."""

    kind = "pull"


def of_size(kind: t.Callable[..., Action], size: int, **more: t.Any) -> Action:
    basics: dict[str, t.Any] = {"cause": "", "needs": (), "digest": None, "previous_digest": None}
    return kind(id=1, reference=NAME, before="", after="", size=size, **basics, **more)


def plan(*sizes: int) -> Plan:
    return Plan(tuple(of_size(Fetch, size) for size in sizes), ())


def test_pulls_that_leave_the_margin_free_may_begin() -> None:
    check_room(plan(60 * MIB, 30 * MIB), margin=10 * MIB, space=lambda: Space("/data", 100 * MIB))


def test_one_byte_too_few_is_told_with_its_figures() -> None:
    with pytest.raises(ConflictError) as caught:
        check_room(plan(60 * MIB, 30 * MIB), margin=10 * MIB, space=lambda: Space("/data", 100 * MIB - 1))
    error = caught.value
    assert (error.code, error.subject, error.retryable) == ("not-enough-space", "/data", False)
    assert error.why == "90.0 MiB to fetch and 10.0 MiB to leave free (disk_margin), 100.0 MiB are free"
    assert "disk_margin" in error.fix


def test_a_negative_margin_lets_a_pull_begin_all_the_same() -> None:
    check_room(plan(60 * MIB), margin=-50 * MIB, space=lambda: Space("/data", 10 * MIB))


def test_a_place_that_cannot_be_seen_stops_nothing() -> None:
    check_room(plan(1 << 60), margin=0, space=lambda: None)


def test_the_engine_is_not_asked_when_nothing_is_fetched() -> None:
    others = (of_size(Untag, 0, deletes=()), of_size(Push, 1 << 60, source=Identity()))
    for quiet in (plan(), plan(0), Plan(others, ())):
        check_room(quiet, margin=1 << 60, space=lambda: pytest.fail("asked"))
