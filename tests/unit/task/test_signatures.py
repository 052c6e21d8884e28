# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option verify: what is wrong with it, and what it makes of answers."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.signatures.rules import Rule, SignedName
from ansible_collections.fleet.images.plugins.module_utils.task import options
from ansible_collections.fleet.images.plugins.module_utils.task.signatures import (
    rule_problems,
    rules_of,
    verifier_of,
)
from ansible_collections.fleet.images.tests.unit.task.params import filled

KEY = "-----BEGIN PUBLIC KEY-----\n…"


def row(pattern: str = "*", **given: t.Any) -> dict[str, t.Any]:
    """Return one rule as Ansible hands it over."""
    return filled(options.VERIFY["verify"]["options"], pattern=pattern, **given)


def paths(*rows: dict[str, t.Any]) -> list[str]:
    """Return where the problems of ``rows`` are."""
    return [problem.path for problem in rule_problems({"verify": list(rows)})]


def test_rows_become_rules() -> None:
    rows = [
        row("ghcr.io", keys=[KEY, "/etc/keys/team.pub"]),
        row("redis", policy="accept"),
        row("quay.io", keys=["~/team.pub"], identity="exact"),
        row("*", keys=[KEY], identity="ghcr.io/team"),
    ]
    assert paths(*rows) == []
    assert rules_of({"verify": rows}) == [
        Rule("ghcr.io", "signed", (KEY, "/etc/keys/team.pub"), SignedName("repository")),
        Rule("redis", "accept"),
        Rule("quay.io", "signed", ("~/team.pub",), SignedName("exact")),
        Rule("*", "signed", (KEY,), SignedName("below", "ghcr.io/team")),
    ]


@pytest.mark.parametrize("params", [{}, {"verify": None}, {"verify": []}])
def test_without_rules_nothing_is_verified(params: dict[str, t.Any]) -> None:
    assert verifier_of(params) is None


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, "keys"),
        ({"keys": []}, "keys"),
        ({"policy": "accept", "keys": [KEY]}, "keys"),
        ({"policy": "reject", "keys": [KEY]}, "keys"),
        ({"keys": ["team.pub"]}, "keys[0]"),
        ({"keys": [KEY, ""]}, "keys[1]"),
        ({"keys": [KEY], "identity": "team"}, "identity"),
        ({"keys": [KEY], "identity": ""}, "identity"),
        ({"keys": [KEY], "identity": "ghcr.io/team/"}, "identity"),
        ({"pattern": "", "keys": [KEY]}, "pattern"),
        ({"pattern": "https://ghcr.io", "keys": [KEY]}, "pattern"),
        ({"pattern": "ghcr.io/", "keys": [KEY]}, "pattern"),
        ({"pattern": "a b", "keys": [KEY]}, "pattern"),
    ],
)
def test_each_mistake_in_a_rule_is_told_by_its_path(given: dict[str, t.Any], path: str) -> None:
    assert paths(row(**given)) == [f"verify[0].{path}"]


def test_a_pattern_may_be_given_once() -> None:
    assert paths(row("a", policy="accept"), row("a", policy="reject")) == ["verify[1].pattern"]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        verifier_of({"verify": [row("a b"), row(policy="accept", keys=["x"])]})
    told = [problem.path for problem in caught.value.problems]
    assert told == ["verify[0].pattern", "verify[0].keys", "verify[1].keys", "verify[1].keys[0]"]
