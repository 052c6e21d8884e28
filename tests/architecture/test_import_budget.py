# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports are a budget: a target compiles the source it imports at every task."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.tests.architecture.sources import closure, sources

SHIPPED_LINES = 6000
SHIPPED_FILES = 45
LOADED_LINES = 4000


class Budget(t.NamedTuple):
    """What one module brings to a target."""

    shipped_lines: int
    shipped_files: int
    loaded_lines: int


def budgets() -> dict[str, Budget]:
    """Return what every module brings along, itself not counted."""
    found = {}
    for module in sources():
        if module.floor == "modules":
            shipped, loaded = closure(module, loaded=False), closure(module, loaded=True)
            lines = sum(file.lines for file in shipped), len(shipped), sum(file.lines for file in loaded)
            found[module.name] = Budget(*lines)
    return found


def test_no_module_ships_more_than_the_budget() -> None:
    over = {n: b for n, b in budgets().items() if b.shipped_lines > SHIPPED_LINES or b.shipped_files > SHIPPED_FILES}
    assert over == {}


def test_no_module_loads_more_than_the_budget_before_it_starts() -> None:
    assert {name: b.loaded_lines for name, b in budgets().items() if b.loaded_lines > LOADED_LINES} == {}
