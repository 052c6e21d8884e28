# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes that keep a file readable in one sitting, and a function on one screen."""

from __future__ import annotations

import ast

from ansible_collections.fleet.images.tests.architecture.sources import code_lines, functions, sources

FILE_LINES = 400
FUNCTION_LINES = 60
MODULE_CODE_LINES = 80
POSITIONAL_PARAMETERS = 2
NESTING = 4
_DOCUMENTATION_FLOORS = ("modules", "doc_fragments")
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)
AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


def body_lines(function: AnyFunction) -> int:
    """Return the lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def positional_parameters(function: AnyFunction, *, is_method: bool) -> int:
    """Return how many arguments a caller may give by position, not counting self or cls."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names[1:] if is_method and names[:1] in (["self"], ["cls"]) else names)


def nesting(node: ast.AST) -> int:
    """Return how deep blocks lie in each other below a node; an elif is as deep as its if."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, nesting(child) + (isinstance(child, _BLOCKS) and not is_elif))
    return deepest


def test_no_file_is_longer_than_the_limit() -> None:
    long = {f.name: f.lines for f in sources() if f.lines > FILE_LINES and f.floor not in _DOCUMENTATION_FLOORS}
    assert long == {}


def test_a_module_is_documentation_and_little_code() -> None:
    modules = [file for file in sources() if file.floor == "modules"]
    assert {f.name: code_lines(f) for f in modules if code_lines(f) > MODULE_CODE_LINES} == {}


def test_no_function_is_longer_than_the_limit() -> None:
    long = {
        f"{file.name}:{function.lineno} {function.name}": body_lines(function)
        for file in sources()
        for function, _ in functions(file.tree)
        if body_lines(function) > FUNCTION_LINES
    }
    assert long == {}


def test_no_function_takes_more_than_two_arguments_by_position() -> None:
    wide = {}
    for file in sources():
        for function, owner in functions(file.tree):
            count = positional_parameters(function, is_method=owner is not None)
            is_special = function.name.startswith("__") and function.name != "__init__"
            if count > POSITIONAL_PARAMETERS and not is_special:
                wide[f"{file.name}:{function.lineno} {function.name}"] = count
    assert wide == {}


def test_no_function_nests_deeper_than_the_limit() -> None:
    deep = {
        f"{file.name}:{function.lineno} {function.name}": nesting(function)
        for file in sources()
        for function, _ in functions(file.tree)
        if nesting(function) > NESTING
    }
    assert deep == {}


def test_the_measures_count_what_they_say() -> None:
    text = '''
def long(self, a, b, *, c):
    """Promise."""
    if a:
        for x in b:
            with x:
                pass
    elif b:
        pass
    return c
'''
    (function,) = (node for node, _ in functions(ast.parse(text)))
    assert body_lines(function) == 7
    assert nesting(function) == 3
    assert positional_parameters(function, is_method=True) == 2
    assert positional_parameters(function, is_method=False) == 3
