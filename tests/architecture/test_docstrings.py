# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docstrings are contracts: everything public promises something, and says which errors leave it."""

from __future__ import annotations

import ast
import typing as t

from ansible_collections.fleet.images.tests.architecture.sources import SourceFile, sources

OURS = {
    "ImagesError",
    "InputError",
    "NotFoundError",
    "AuthError",
    "IntegrityError",
    "ConflictError",
    "UnsupportedError",
    "UnavailableError",
    "PeerError",
    "ApplyError",
}

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: ast.AST) -> t.Iterator[Documented]:
    """Yield the public classes, functions and methods below a node, not those inside functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or child.name.startswith("_"):
            continue
        yield child
        if isinstance(child, ast.ClassDef):
            yield from public(child)


def raised(node: ast.AST) -> t.Iterator[str]:
    """Yield the names of our error classes that a function raises itself; TypeError marks what cannot happen."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
            made = child.exc.func
            root = made.value if isinstance(made, ast.Attribute) else made
            if isinstance(root, ast.Name) and root.id in OURS:
                yield root.id
        yield from raised(child)


def shipped() -> t.Iterator[SourceFile]:
    yield from (file for file in sources() if file.name.startswith("plugins/module_utils/"))


def test_every_file_says_what_it_is_for() -> None:
    assert [file.name for file in shipped() if not ast.get_docstring(file.tree)] == []


def test_everything_public_has_a_docstring() -> None:
    silent = [
        f"{file.name}:{node.lineno} {node.name}"
        for file in shipped()
        for node in public(file.tree)
        if not ast.get_docstring(node) and not any("overload" in ast.unparse(d) for d in node.decorator_list)
    ]
    assert silent == []


def test_a_public_function_names_the_errors_it_raises() -> None:
    silent = []
    for file in shipped():
        for node in public(file.tree):
            if isinstance(node, ast.ClassDef):
                continue
            promise = ast.get_docstring(node) or ""
            missing = sorted(name for name in set(raised(node)) if name not in promise)
            if missing:
                silent.append(f"{file.name}:{node.lineno} {node.name} raises {', '.join(missing)}")
    assert silent == []
