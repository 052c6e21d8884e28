# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module's argument spec is whole: types, elements, secrets that are hidden, names that mean one thing."""

from __future__ import annotations

import json
import runpy
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils import basic
from ansible_collections.fleet.images.plugins.module_utils.task import options

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Rows = Mapping[str, Mapping[str, t.Any]]

ROOT = Path(__file__).parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
SECRET_WORDS = ("password", "token", "secret", "passphrase")
SECRET_NAMES = ("private_key",)  # where it lies is told


class SpecSeenError(Exception):
    """Ends a module where it would begin to work."""


def spec_of(module: str, monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Return the argument spec that a module gives to AnsibleModule."""
    seen: dict[str, t.Any] = {}

    def keep(self: object, **arguments: t.Any) -> None:
        seen.update(arguments)
        raise SpecSeenError

    monkeypatch.setattr(basic.AnsibleModule, "__init__", keep)
    with pytest.raises(SpecSeenError):
        runpy.run_module(f"ansible_collections.fleet.images.plugins.modules.{module}", run_name="__main__")
    assert seen["supports_check_mode"] is True
    return t.cast("Rows", seen["argument_spec"])


def rows_of(rows: Rows, path: str = "") -> Iterator[tuple[str, Mapping[str, t.Any]]]:
    """Yield each option with its path, those below other options too."""
    for name, row in rows.items():
        yield f"{path}{name}", row
        yield from rows_of(row.get("options", {}), f"{path}{name}.")


def levels_of(rows: Rows) -> Iterator[Rows]:
    """Yield the options of a module, and those below each of them."""
    yield rows
    for row in rows.values():
        if "options" in row:
            yield from levels_of(row["options"])


@pytest.fixture(params=MODULES)
def spec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Rows:
    return spec_of(request.param, monkeypatch)


def test_every_option_has_a_type_that_ansible_knows(spec: Rows) -> None:
    known = {"str", "bool", "int", "float", "list", "dict", "path", "raw"}
    assert {path: row.get("type") for path, row in rows_of(spec) if row.get("type") not in known} == {}


def test_every_list_says_of_what(spec: Rows) -> None:
    assert [path for path, row in rows_of(spec) if ("elements" in row) != (row["type"] == "list")] == []


def test_secrets_are_hidden_and_nothing_else_is(spec: Rows) -> None:
    hidden = {path for path, row in rows_of(spec) if row.get("no_log")}
    named = ((path, path.rpartition(".")[2], row) for path, row in rows_of(spec))
    # of a list of secrets the value alone is one: IDs, paths and names of variables are told
    secret = {
        f"{path}.value" if "options" in row else path
        for path, name, row in named
        if name in SECRET_NAMES or any(word in name for word in SECRET_WORDS)
    }
    assert hidden == secret
    assert {"password", "registry_auth.password", "registry_auth.identity_token"} <= hidden


def test_a_default_is_one_of_the_choices_and_required_options_have_none(spec: Rows) -> None:
    assert [
        path
        for path, row in rows_of(spec)
        if "default" in row and row["default"] not in row.get("choices", [row["default"]])
    ] == []
    assert [path for path, row in rows_of(spec) if row.get("required") and "default" in row] == []


def test_no_name_or_alias_means_two_options(spec: Rows) -> None:
    for rows in levels_of(spec):
        names = [name for key, row in rows.items() for name in (key, *row.get("aliases", ()))]
        assert sorted(names) == sorted(set(names))


def test_every_module_takes_what_defaults_of_the_action_group_may_set(spec: Rows) -> None:
    assert {name: spec[name] for name in options.COMMON} == options.COMMON


def test_every_module_is_in_the_action_group() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    assert sorted(runtime["action_groups"]["all"]) == MODULES


def test_the_rows_are_plain_data_that_schemas_can_be_made_of() -> None:
    assert json.loads(json.dumps(options.STATE)) == options.STATE
