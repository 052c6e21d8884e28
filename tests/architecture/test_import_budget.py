# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports are a budget: a target compiles the source it imports at every task."""

from __future__ import annotations

import ast
import typing as t
import zlib

from ansible_collections.fleet.images.tests.architecture.sources import closure, imports, sources

# docs/decisions/0008: what is shipped costs bytes on the wire, what is loaded costs compilation at every task.
SHIPPED_BYTES = 275_000
SHIPPED_BYTES_TO_BUILD = 415_000
BUILDERS = frozenset(
    {
        "plugins/modules/image_build.py",
        "plugins/modules/image_lock.py",  # reads Dockerfiles, and runs where it lies
        "plugins/modules/image_state.py",
    }
)
LOADED_LINES = 3850


class Budget(t.NamedTuple):
    """What one module brings to a target."""

    shipped_bytes: int
    loaded_lines: int


def budgets() -> dict[str, Budget]:
    """Return what every module brings along, itself not counted."""
    found = {}
    for module in sources():
        if module.floor == "modules":
            shipped, loaded = closure(module, loaded=False), closure(module, loaded=True)
            packed = sum(len(zlib.compress(file.text.encode())) for file in shipped)
            found[module.name] = Budget(packed, sum(file.lines for file in loaded))
    return found


def test_no_module_ships_more_than_the_budget() -> None:
    allowed = {name: SHIPPED_BYTES_TO_BUILD if name in BUILDERS else SHIPPED_BYTES for name in budgets()}
    assert {name: b.shipped_bytes for name, b in budgets().items() if b.shipped_bytes > allowed[name]} == {}


def test_no_module_loads_more_than_the_budget_before_it_starts() -> None:
    assert {name: b.loaded_lines for name, b in budgets().items() if b.loaded_lines > LOADED_LINES} == {}


def test_every_module_has_its_payload_compiled_once_before_it_imports_more_of_it() -> None:
    for module in sources():
        if module.floor != "modules":
            continue
        calls = [row.lineno for row in module.tree.body if ast.unparse(row) == "compile_once()"]
        ours = [(found.line, found.target) for found in imports(module) if found.is_ours]
        (called,) = calls
        first, *others = sorted(ours)
        assert first[1].endswith(".task.compile_once"), module.name
        assert first[0] < called < min(others)[0], module.name
