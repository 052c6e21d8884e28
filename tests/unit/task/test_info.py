# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a host's images, and what that costs its engine."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.host import Container, Look
from ansible_collections.fleet.images.plugins.module_utils.task.info import inform, read_names
from ansible_collections.fleet.images.plugins.module_utils.task.session import Session
from ansible_collections.fleet.images.tests.support.memory_engine import DOCKER, MemoryEngine
from ansible_collections.fleet.images.tests.unit.plan.stories import image
from ansible_collections.fleet.images.tests.unit.task import params

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.plugins.module_utils.model.host import Observed


class CountingEngine(MemoryEngine):
    """A host whose list does not tell everything; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(abilities=DOCKER)
        self.looks: list[Look] = []

    def observe(self, look: Look = Look()) -> Observed:  # noqa: B008 (immutable)
        self.looks.append(look)
        return super().observe(look)


@pytest.fixture
def engine() -> CountingEngine:
    made = CountingEngine()
    used = made.hold(image(1), "app:1")
    made.hold(image(2), "other:1")
    made.hold(image(3))
    made.containers[used.id] = (Container("web-2"), Container("web-1", holds_image=False))
    return made


def told(engine: CountingEngine, tmp_path: Path, *names: str, **given: t.Any) -> list[dict[str, t.Any]]:
    """Return the rows of what is asked for."""
    options = params.info(*names, engine="layout", store=str(tmp_path), **given)
    session = Session(options)
    session.engine = engine
    rows: list[dict[str, t.Any]] = inform(read_names(options), params=options, session=session)["images"]
    return rows


def test_a_list_costs_one_reading(engine: CountingEngine, tmp_path: Path) -> None:
    rows = told(engine, tmp_path)
    assert engine.looks == [Look()]
    assert len(rows) == 3
    assert all("used_by" not in row and "config" not in row for row in rows)


def test_details_of_what_is_asked_for_are_asked_for_alone(engine: CountingEngine, tmp_path: Path) -> None:
    (row,) = told(engine, tmp_path, "app:1", detail=True)
    assert [(look.containers, look.parents, len(look.details_of)) for look in engine.looks] == [(True, False, 1)]
    assert row["used_by"] == ["web-1", "web-2"]
    assert row["platform"] == "linux/amd64"
    assert "config" in row


def test_details_of_all_images_are_those_of_nameless_ones_too(engine: CountingEngine, tmp_path: Path) -> None:
    rows = told(engine, tmp_path, detail=True)
    assert [len(look.details_of) for look in engine.looks] == [0, 3]
    assert [row["platform"] for row in rows] == ["linux/amd64"] * 3
    assert sorted(len(row["used_by"]) for row in rows) == [0, 0, 2]
