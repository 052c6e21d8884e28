# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A JSON Schema of the ``images`` document, made from the same rows as the module's argument spec.

A schema that can refuse a value says in ``errorMessage`` what it accepts: editors show that text, and so do our errors.
Source: JSON Schema draft 2020-12.
"""

from __future__ import annotations

import typing as t

from ..module_utils.task.options import ITEM

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..module_utils.task.options import Spec

    Schema = dict[str, t.Any]
    Documented = Mapping[str, Mapping[str, t.Any]]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ADDRESS = "urn:fleet.images:images"

# What Ansible takes for true and false when it is written as text.
_SWITCHES = ("yes", "no", "on", "off", "true", "false", "y", "n", "t", "f", "1", "0")


def document_schema(documented: Documented | None = None) -> Schema:
    """Return the schema that is published: for the list itself, and for a file of variables with a key ``images``.

    ``documented`` are the options below ``images`` as the module documents them, for the descriptions.
    """
    to_list = {"$ref": "#/$defs/images"}
    return {
        "$schema": DIALECT,
        "$id": ADDRESS,
        "title": "Images of a host",
        "description": "What the option images of fleet.images.image_state takes: the list, or variables that hold it.",
        "if": {"type": "object"},
        "then": {"required": ["images"], "properties": {"images": to_list}},
        "else": to_list,
        "$defs": {"images": images_schema(documented)},
    }


def images_schema(documented: Documented | None = None) -> Schema:
    """Return the schema of the list ``images``; ``documented`` as for ``document_schema``."""
    return {
        "type": "array",
        "title": "Images",
        "description": "The images that the host must have, or must not have.",
        "items": {"title": "Image", **_mapping_schema(ITEM, documented or {})},
        "errorMessage": "must be a list of images",
    }


def _mapping_schema(rows: Spec, documented: Documented) -> Schema:
    """Return the schema of a mapping with these options: each under one of its names, nothing else."""
    properties: Schema = {}
    rules: list[Schema] = []
    for name, row in rows.items():
        help_ = documented.get(name, {})
        schema = {**_value_schema(row, documented=help_), **_described(help_)}
        names = [name, *row.get("aliases", ())]
        properties[name] = schema
        properties.update({alias: {**schema, "description": f"Alias of {name}."} for alias in names[1:]})
        rules += [_at_most_one(pair) for pair in _pairs(names)]
        if row.get("required"):
            wanted = {"anyOf": [{"required": [each]} for each in names]}
            rules.append({**wanted, "errorMessage": f"has no {name}"})
    schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "errorMessage": "must be a mapping of options",
    }
    return {**schema, "allOf": rules} if rules else schema


def _value_schema(row: Mapping[str, t.Any], *, documented: Mapping[str, t.Any]) -> Schema:
    """Return the schema of one option's value, as wide as what Ansible converts to the option's type."""
    kind = row["type"]
    if "choices" in row:
        schema: Schema = {"enum": list(row["choices"])}
    elif "options" in row:
        mapping = _mapping_schema(row["options"], documented.get("suboptions", {}))
        schema = _or_null(_list_of(mapping) if kind == "list" else mapping)
    elif kind == "list":
        schema = {"anyOf": [_list_of(_text()), _text(), {"type": "null"}], "errorMessage": "must be a list of names"}
    elif kind == "dict":
        schema = {"type": ["object", "null"], "errorMessage": "must be a mapping"}
    elif kind == "bool":
        schema = _switch()
    elif kind == "raw":  # of all options only push: what Ansible does not convert is described here
        parts = [_switch(), _list_of(_text()), {"type": "null"}]
        schema = {"anyOf": parts, "errorMessage": "must be true, false or a list of names"}
    elif kind in ("int", "float"):
        schema = _number(kind)
    else:
        schema = _text() if row.get("required") else _optional_text()
    return {**schema, "default": row["default"]} if "default" in row else schema


def _text() -> Schema:
    """A name: Ansible makes text of numbers, and an empty text names nothing."""
    return {"type": ["string", "number"], "minLength": 1, "errorMessage": "must be a text"}


def _optional_text() -> Schema:
    """A template may give null or an empty text for an option that is not wanted."""
    return {"type": ["string", "number", "null"], "errorMessage": "must be a text"}


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items, "errorMessage": "must be a list"}


def _number(kind: str) -> Schema:
    is_int = kind == "int"
    parts = [
        {"type": "integer" if is_int else "number"},
        {"type": "string", "pattern": r"^\s*[-+]?[0-9]+\s*$" if is_int else r"^\s*[-+]?[0-9]+(\.[0-9]*)?\s*$"},
    ]
    return {"anyOf": parts, "errorMessage": "must be a whole number" if is_int else "must be a number"}


def _switch() -> Schema:
    words = "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word) for word in _SWITCHES)
    parts = [{"type": "boolean"}, {"enum": [0, 1]}, {"type": "string", "pattern": rf"^\s*({words})\s*$"}]
    return {"anyOf": parts, "errorMessage": "must be true or false"}


def _or_null(schema: Schema) -> Schema:
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {**schema, "type": [*kinds, "null"]}


def _at_most_one(names: Sequence[str]) -> Schema:
    told = f"has both {' and '.join(names)}, which are the same option"
    return {"not": {"type": "object", "required": list(names)}, "errorMessage": told}


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]


def _described(documented: Mapping[str, t.Any]) -> Schema:
    """Return the description as people read it, without the markup of Ansible's documentation."""
    import re

    lines = documented.get("description", ())
    text = " ".join([lines] if isinstance(lines, str) else lines)
    return {"description": re.sub(r"\b[A-Z]\(([^()]*)\)", r"\1", text)} if text else {}
