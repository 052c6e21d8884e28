# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rule decides about an image."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.signatures.rules import Rule, rule_for

DIGEST = "sha256:" + "a" * 64


def decides(image: str, *patterns: str) -> str:
    """Return the pattern whose rule decides, empty when none does."""
    rule = rule_for(parse_reference(image), [Rule(pattern, "accept") for pattern in patterns])
    return rule.pattern if rule is not None else ""


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        ("*", "redis"),
        ("*", "ghcr.io/a/b/c:1"),
        ("redis", "redis:7"),
        ("redis:7", "redis:7"),
        ("redis:7", f"redis:7@{DIGEST}"),
        (f"redis@{DIGEST}", f"redis@{DIGEST}"),
        ("docker.io", "redis"),
        ("docker.io/library", "redis"),
        ("docker.io/library/redis", "redis"),
        ("docker.io/library/redis:7", "redis:7"),
        ("team/app", "team/app:1"),
        ("team/*", "team/app:1"),
        ("ghcr.io/team", "ghcr.io/team/app/web:1"),
        ("*.example.com", "a.example.com/app"),
        ("*.example.com", "a.b.example.com/x/y:1"),
        ("ghcr.io/*/app", "ghcr.io/team/app:1"),
        ("localhost:5000", "localhost:5000/app"),
        ("[::1]:5000", "[::1]:5000/app"),
        ("ghcr.io/team/app:1.*", "ghcr.io/team/app:1.2"),
    ],
)
def test_a_pattern_matches_names_repositories_and_all_below(pattern: str, image: str) -> None:
    assert decides(image, pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "image"),
    [
        ("redis:7", "redis:8"),
        ("redis", "redistribute"),
        ("redis", "ghcr.io/redis"),
        ("team", "team/app"),
        ("ghcr.io/team", "ghcr.io/teams/app"),
        ("ghcr.io/tea", "ghcr.io/team/app"),
        ("*.example.com", "evil.com/x.example.com/app"),
        ("*.example.com", "example.com/app"),
        ("ghcr.io/*/app", "ghcr.io/a/b/app"),
        ("ghcr.io.", "ghcr.iox/app"),
        ("", "redis"),
    ],
)
def test_a_pattern_matches_nothing_else(pattern: str, image: str) -> None:
    assert decides(image, pattern) == ""


@pytest.mark.parametrize(
    ("image", "patterns", "exact"),
    [
        ("ghcr.io/team/app:1", ("*", "ghcr.io", "ghcr.io/team", "ghcr.io/team/app"), "ghcr.io/team/app"),
        ("ghcr.io/team/app:1", ("ghcr.io/team/app:1", "ghcr.io/team/app"), "ghcr.io/team/app:1"),
        ("ghcr.io/other/app:1", ("*", "ghcr.io", "ghcr.io/team"), "ghcr.io"),
        ("quay.io/x", ("ghcr.io", "*"), "*"),
        ("ghcr.io/team/app", ("ghcr.io/*", "ghcr.io/team"), "ghcr.io/team"),
        ("quay.io/x", ("ghcr.io",), ""),
    ],
)
def test_the_most_exact_pattern_decides_in_whichever_order_they_stand(
    image: str, patterns: tuple[str, ...], exact: str
) -> None:
    assert decides(image, *patterns) == exact
    assert decides(image, *reversed(patterns)) == exact


def test_of_patterns_that_are_equally_exact_the_first_decides() -> None:
    assert decides("ghcr.io/team/app", "ghcr.io/team/*pp", "ghcr.io/team/ap*") == "ghcr.io/team/*pp"
