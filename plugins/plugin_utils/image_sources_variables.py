# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables in compose files.

Source: Compose Specification, Interpolation.
"""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATORS = (":-", "-", ":?", "?", ":+", "+")


class VariableError(ValueError):
    """A variable without value, or braces that are no variable. Its text goes to the user."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Return ``text`` with the values of its variables; ``$$`` stands for a dollar. Defaults may nest.

    Raises:
        VariableError: a variable has neither a value nor a default, which compose would take for an empty text; or
            what is between braces is no variable.
    """
    parts: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        parts.append(text[at:dollar])
        value, at = _expanded(text, dollar + 1, variables=variables)
        parts.append(value)
    return "".join(parts) + text[at:]


def _expanded(text: str, at: int, *, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return the value of what stands after a dollar, and where it ends."""
    if text.startswith("$", at):
        return "$", at + 1
    if text.startswith("{", at):
        end = _closing(text, at + 1)
        return _braced(text[at + 1 : end], variables), end + 1
    name = _NAME.match(text, at)
    if name is None:
        return "$", at
    return _braced(name[0], variables), name.end()


def _closing(text: str, at: int) -> int:
    """Return where the brace ends that was opened before ``at``."""
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 2
            continue
        if text[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    raise VariableError(f"{text!r} has '${{' without a '}}'")


def _braced(inner: str, variables: Mapping[str, str]) -> str:
    match = _NAME.match(inner)
    if match is None:
        raise VariableError(f"'${{{inner}}}' names no variable")
    name, rest = match[0], inner[match.end() :]
    operator = next((sign for sign in _OPERATORS if rest.startswith(sign)), "")
    if rest and not operator:
        raise VariableError(f"'${{{inner}}}' is no form of a variable that compose knows")
    operand = rest[len(operator) :]
    value = variables.get(name)
    is_set = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return interpolate(operand, variables) if is_set else ""
    if value is not None and is_set:
        return value
    if operator.endswith("-"):
        return interpolate(operand, variables)
    told = f": {operand}" if operand else ""
    raise VariableError(f"the variable {name} has no value{told}")
