# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that is wrong with an ``images`` document, told before anything is sent to a host."""

from __future__ import annotations

import functools
import typing as t
from difflib import get_close_matches

from ..module_utils.model.errors import InputError, Problem, UnsupportedError
from .image_schema import images_schema

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError


def check_images(images: object) -> None:
    """Do nothing if ``images`` is a document that ``image_state`` takes; its names are read on the host.

    Raises:
        InputError: it is not; all problems are told, each with its path.
        UnsupportedError: jsonschema-missing, the control node's Python lacks that library.
    """
    problems = problems_of(images)
    if problems:
        raise InputError.of(problems)


def problems_of(images: object) -> list[Problem]:
    """Return everything that is wrong with ``images``, in the order of the document, without a repetition.

    Raises:
        UnsupportedError: as ``check_images``.
    """
    return list(dict.fromkeys(problem for error in _validator().iter_errors(images) for problem in _told(error)))


@functools.lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    try:
        from jsonschema import Draft202012Validator
    except ImportError as error:
        import sys

        raise UnsupportedError(
            f"Failed to import the required Python library (jsonschema) on the control node's Python {sys.executable}",
            code="jsonschema-missing",
            why=str(error),
            fix="install it there; targets do not need it",
            subject="jsonschema",
        ) from error
    return Draft202012Validator(images_schema())


def _told(error: ValidationError) -> Iterable[Problem]:
    """Return what one finding of the validator means to who wrote the document."""
    path = _path(error.absolute_path)
    value: t.Any = error.instance
    schema = t.cast("Mapping[str, t.Any]", error.schema)
    if error.validator == "additionalProperties":
        known = schema["properties"]
        unknown = [str(key) for key in value if key not in known]
        return [Problem(f"{path}.{key}", "unknown option", _advice(key, known)) for key in unknown]
    if error.validator == "enum":
        choices = schema["enum"]
        return [Problem(path, f"{_shown(value)} is not one of {', '.join(choices)}", _nearest(value, choices))]
    entries = [part for part in error.context or () if part.path]
    if entries and isinstance(value, (list, tuple)):  # a list is accepted, but not these entries of it
        return [problem for part in entries for problem in _told(part)]
    is_rule = "allOf" in list(error.schema_path)[-3:]  # about which options are there, not about one's value
    return [Problem(path, schema["errorMessage"] + ("" if is_rule else f", not {_kind(value)}"))]


def _path(parts: Iterable[str | int]) -> str:
    """Return ``images[3].build.args`` for 3, build, args."""
    return "images" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _advice(word: str, known: Mapping[str, Mapping[str, t.Any]]) -> str:
    """Return which option may have been meant; where none is near, which there are (less aliases)."""
    names = [name for name, schema in known.items() if not schema.get("description", "").startswith("Alias of ")]
    return _nearest(word, known) or f"Known options are {', '.join(names)}"


def _nearest(word: object, known: Iterable[str]) -> str:
    found = get_close_matches(word.lower(), list(known), n=1) if isinstance(word, str) else []
    return f"Did you mean {found[0]}?" if found else ""


def _shown(value: object) -> str:
    """Return a wrong choice as YAML would have it; of what is no choice at all only the kind, it may hold a secret."""
    return repr(str(value)[:60]) if isinstance(value, str) else _kind(value)


def _kind(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    kinds = (("a text", str), ("a number", (int, float)), ("a list", (list, tuple)), ("a mapping", dict))
    return next((word for word, types in kinds if isinstance(value, t.cast("type", types))), type(value).__name__)
