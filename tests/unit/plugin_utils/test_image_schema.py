# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The published schema is what the code makes, is a schema, and agrees with what Ansible's own validation takes."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fleet.images.plugins.module_utils.task.options import ITEM, STATE
from ansible_collections.fleet.images.plugins.plugin_utils.image_problems import problems_of
from ansible_collections.fleet.images.plugins.plugin_utils.image_schema import (
    _value_schema,
    document_schema,
    images_schema,
)
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[3]

_TEXTS = st.sampled_from(["", "redis", "yes", "No", "missing", "absent", "always", "a,b", "7"])
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 3), _TEXTS)
_VALUES = st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2), st.dictionaries(_TEXTS, _SCALARS, max_size=2))


def _with_options(
    start: t.Mapping[str, t.Any], rows: t.Mapping[str, t.Mapping[str, t.Any]]
) -> st.SearchStrategy[dict[str, t.Any]]:
    """Mappings of ``start`` and one or two more options, under their names or aliases, with any values."""
    names = [name for key, row in rows.items() for name in (key, *row.get("aliases", ())) if key not in start]
    return st.dictionaries(st.sampled_from(names), _VALUES, max_size=2).map(lambda more: {**start, **more})


def test_the_published_schema_is_what_the_code_makes(tmp_path: Path) -> None:
    made = tmp_path / "made.json"
    subprocess.run([sys.executable, str(ROOT / "tools" / "schema"), str(made)], check=True, timeout=60)
    published = ROOT / "docs" / "schema" / "images.schema.json"
    assert published.read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), "run tools/schema"


def test_it_is_a_schema_of_its_draft_and_describes_every_option() -> None:
    published = json.loads((ROOT / "docs" / "schema" / "images.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(published)
    assert published["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    item = published["$defs"]["images"]["items"]["properties"]
    build = item["build"]["properties"]
    assert [name for name, schema in {**item, **build}.items() if not schema.get("description")] == []
    assert "O(" not in json.dumps(published)


@pytest.mark.parametrize(
    ("document", "is_valid"),
    [
        ([{"image": "redis"}], True),
        ({"images": [{"image": "redis"}], "other_variable": 1}, True),
        ({"images": [{"image": "redis", "pul": 1}]}, False),
        ({"other_variable": 1}, False),
        ("redis", False),
    ],
)
def test_a_list_and_a_file_of_variables_with_it_are_valid(document: t.Any, is_valid: bool) -> None:
    assert Draft202012Validator(document_schema()).is_valid(document) is is_valid


def test_every_option_and_every_alias_is_a_key_and_nothing_else_is() -> None:
    names = {name for key, row in ITEM.items() for name in (key, *row.get("aliases", ()))}
    item = images_schema()["items"]
    assert set(item["properties"]) == names
    assert item["additionalProperties"] is False


@pytest.mark.parametrize(
    ("kind", "accepted", "refused"),
    [
        ("int", [0, -3, "7", " -7 "], [1.5, "1.5", "x", "", None, True, []]),
        ("float", [0, 1.5, "1.5", "-2"], ["x", "", None, True, {}]),
        ("bool", [True, False, 0, 1, "yes", "OFF", "True", "n"], [2, "maybe", "", None, []]),
    ],
)
def test_numbers_and_switches_may_be_text_as_templates_give_them(
    kind: str, accepted: list[t.Any], refused: list[t.Any]
) -> None:
    validator = Draft202012Validator(_value_schema({"type": kind}, documented={}))
    assert [value for value in accepted if not validator.is_valid(value)] == []
    assert [value for value in refused if validator.is_valid(value)] == []


@given(_with_options({"image": "redis"}, ITEM))
def test_what_the_schema_takes_ansible_takes_too(item: dict[str, t.Any]) -> None:
    if not problems_of([item]):
        assert ArgumentSpecValidator(STATE).validate({"images": [item]}).error_messages == []


@given(_with_options({"path": "/srv"}, ITEM["build"]["options"]))
def test_builds_that_the_schema_takes_ansible_takes_too(build: dict[str, t.Any]) -> None:
    images = [{"image": "app", "build": build}]
    if not problems_of(images):
        assert ArgumentSpecValidator(STATE).validate({"images": images}).error_messages == []
