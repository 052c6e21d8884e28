# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error code has its entry in docs/errors.md, and every entry its code."""

from __future__ import annotations

import ast
import re
import typing as t

from ansible_collections.fleet.images.tests.architecture.sources import ROOT, sources

_CELL = r"\s*[^|\s][^|]*\|"
_ROW = re.compile(rf"^\|\s*`(?P<code>[^`]+)`\s*\|{_CELL}{_CELL}{_CELL}$")
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def strings(node: ast.AST) -> t.Iterator[str]:
    """Yield every text that an expression may turn out to be."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def code_positions() -> dict[str, int]:
    """Return, by the name of a class or function, at which position its ``code`` can be given."""
    found = {}
    for file in sources():
        for node in ast.walk(file.tree):
            names: list[str] = []
            if isinstance(node, ast.ClassDef):
                rows = (row.target for row in node.body if isinstance(row, ast.AnnAssign))
                names = [target.id for target in rows if isinstance(target, ast.Name)]
            elif isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args if argument.arg != "self"]
            if "code" in names and isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                found[node.name] = names.index("code")
    return found


def code_expressions(node: ast.AST, positions: t.Mapping[str, int]) -> t.Iterator[ast.expr]:
    """Yield the expressions that a node gives for a ``code``: by keyword, by position, or as a default."""
    if isinstance(node, ast.keyword) and node.arg == "code":
        yield node.value
    elif isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if len(node.args) > positions.get(name, len(node.args)):
            yield node.args[positions[name]]
    elif isinstance(node, ast.FunctionDef):
        rows = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        yield from (default for argument, default in rows if argument.arg == "code" and default is not None)


def used_codes() -> dict[str, str]:
    """Return every code that plugins/ raises, with one place that does."""
    positions, codes = code_positions(), {}
    for file in sources():
        for node in ast.walk(file.tree):
            for value in code_expressions(node, positions):
                codes.update(dict.fromkeys(strings(value), f"{file.name}:{value.lineno}"))
    return codes


def documented_codes() -> list[str]:
    """Return the codes of the rows of docs/errors.md, in their order."""
    rows = (_ROW.match(line) for line in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines())
    return [row["code"] for row in rows if row]


def test_every_code_is_documented() -> None:
    documented = set(documented_codes())
    assert {code: place for code, place in sorted(used_codes().items()) if code not in documented} == {}


def test_every_documented_code_is_used() -> None:
    used = used_codes()
    assert [code for code in documented_codes() if code not in used] == []


def test_every_code_is_documented_once_and_rows_are_sorted() -> None:
    documented = documented_codes()
    assert documented == sorted(set(documented))


def test_codes_are_kebab_case() -> None:
    assert {code: place for code, place in used_codes().items() if not _KEBAB.fullmatch(code)} == {}
