# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection's source as syntax trees, for the architecture tests. Nothing here imports the code it looks at."""

from __future__ import annotations

import ast
import functools
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[2]
_COLLECTION = "ansible_collections.fleet.images."
_DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}


class SourceFile(t.NamedTuple):
    """One Python file. ``name`` is its path from the root of the checkout, with slashes."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Return how many lines the file has."""
        return len(self.text.splitlines())

    @property
    def floor(self) -> str:
        """Return the folder below plugins/module_utils ("model", …) or below plugins ("modules", …)."""
        parts = self.name.split("/")
        return parts[2] if parts[1] == "module_utils" and len(parts) > 3 else parts[1]


class Import(t.NamedTuple):
    """One imported thing. ``target`` is dotted: "plugins.module_utils.model.errors" is our own, "os.path" is not."""

    target: str
    line: int
    is_top_level: bool
    is_type_only: bool

    @property
    def is_ours(self) -> bool:
        """Say whether it is a file of this collection."""
        return self.target.startswith("plugins.")

    @property
    def file(self) -> str:
        """Return the name of our file that it is."""
        return self.target.replace(".", "/") + ".py"

    @property
    def floor(self) -> str:
        """Return the floor of our file that it is, "" for other people's."""
        parts = self.target.split(".") if self.is_ours else ["", ""]
        return parts[2] if parts[1] == "module_utils" and len(parts) > 2 else parts[1]


@functools.cache
def sources(folder: str = "plugins") -> tuple[SourceFile, ...]:
    """Return every Python file below a folder of the checkout, sorted by name."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        found.append(SourceFile(name, text, ast.parse(text, name)))
    return tuple(found)


def source(name: str) -> SourceFile | None:
    """Return one file below plugins, or None if there is none of that name."""
    return next((file for file in sources() if file.name == name), None)


@functools.cache
def imports(file: SourceFile) -> tuple[Import, ...]:
    """Return everything a file imports anywhere in its text, in its order."""
    return tuple(_imports(file, file.tree, is_top_level=True, is_type_only=False))


def functions(tree: ast.AST) -> t.Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, ast.ClassDef | None]]:
    """Yield every function of a tree with the class whose method it is."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield child, node if isinstance(node, ast.ClassDef) else None


def code_lines(file: SourceFile) -> int:
    """Return how many lines of a module hold code: no blank lines, no comments, no documentation blocks."""
    silent: set[int] = set()
    for node in file.tree.body:
        targets = {target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)}
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if targets & _DOCUMENTATION or is_docstring:
            silent.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    rows = enumerate(file.text.splitlines(), 1)
    return sum(1 for number, row in rows if number not in silent and row.strip() and not row.lstrip().startswith("#"))


def closure(module: SourceFile, *, loaded: bool) -> list[SourceFile]:
    """Return our files that a module brings along: all that are shipped, or with ``loaded`` those that are compiled.

    Ansible ships what any import statement names; Python compiles what is imported at the top level and not for types.
    """
    seen: dict[str, SourceFile] = {}
    waiting = [module]
    while waiting:
        for found in imports(waiting.pop()):
            target = source(found.file) if found.is_ours else None
            counts = not loaded or (found.is_top_level and not found.is_type_only)
            if target and counts and target.name not in seen:
                seen[target.name] = target
                waiting.append(target)
    return sorted(seen.values())


def _imports(file: SourceFile, node: ast.AST, *, is_top_level: bool, is_type_only: bool) -> t.Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            for target in _targets(file, child):
                yield Import(target, child.lineno, is_top_level, is_type_only)
            continue
        is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        yield from _imports(
            file, child, is_top_level=is_top_level and not is_function, is_type_only=is_type_only or for_types
        )


def _targets(file: SourceFile, node: ast.Import | ast.ImportFrom) -> t.Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (_own(alias.name) for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        package = file.name.split("/")[: -node.level]
        base = ".".join([*package, *([base] if base else [])])
    base = _own(base)
    for alias in node.names:
        is_file = (ROOT / f"{base}.{alias.name}".replace(".", "/")).with_suffix(".py").exists()
        yield f"{base}.{alias.name}" if is_file and base.startswith("plugins.") else base


def _own(dotted: str) -> str:
    return dotted[len(_COLLECTION) :] if dotted.startswith(_COLLECTION) else dotted
