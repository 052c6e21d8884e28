# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check mode prints the plan that a real run executes, so exactly one line of the collection looks at it."""

from __future__ import annotations

import ast

from ansible_collections.fleet.images.tests.architecture.sources import sources

WORDS = ("check_mode", "_ansible_check_mode")


def looks_at_check_mode(node: ast.AST) -> bool:
    """Say whether a node reads check mode: as an attribute, or as a key of some mapping."""
    if isinstance(node, ast.Attribute):
        return node.attr in WORDS
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in WORDS
    return False


def test_one_line_of_the_collection_looks_at_check_mode() -> None:
    found = sorted({
        f"{file.name}:{node.lineno}"
        for file in sources()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.expr) and looks_at_check_mode(node)
    })
    has_modules = any(file.floor == "modules" for file in sources())
    assert len(found) == 1 or (not found and not has_modules), found
    assert all(place.startswith("plugins/module_utils/task/") for place in found)
