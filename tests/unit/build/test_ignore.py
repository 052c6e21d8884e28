# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ignore files: the rules of Docker's patternmatcher."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.ignore import IgnoreRules, glob_regex, parse_ignore


def rules_of(text: str) -> IgnoreRules:
    rules, problems = parse_ignore(text, name=".dockerignore")
    assert problems == []
    return rules


def is_hidden(text: str, path: str) -> bool:
    rules = rules_of(text)
    matched, parts = rules.start(), path.split("/")
    for length in range(1, len(parts) + 1):
        matched = rules.matches("/".join(parts[:length]), matched)
    return rules.hides(matched)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a", "a", True),
        ("a", "a/b/c", True),
        ("a", "b/a", False),
        ("/a", "a", True),
        ("a/", "a", True),
        ("./a", "a", True),
        ("a/../b", "b", True),
        ("  a  ", "a", True),
        ("*", "a", True),
        ("*.md", "x.md", True),
        ("*.md", "d/x.md", False),
        ("*/*.md", "d/x.md", True),
        ("**/*.md", "x.md", True),
        ("**/*.md", "d/e/x.md", True),
        ("a/**", "a/b", True),
        ("a/**", "a", False),
        ("**", "a/b", True),
        ("**/node", "x/node/y", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab]x", "bx", True),
        ("[^ab]x", "bx", False),
        ("[a-c]x", "bx", True),
        ("a.c", "abc", False),
        ("a+(b)", "a+(b)", True),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("# a\n#b", "#b", False),
        (" #b", "#b", True),
        ("*\n!a", "a", False),
        ("!a\n*", "a", True),
        ("*\n!a\na/b", "a/b", True),
        ("*\n!a", "a/b/c", False),
        ("logs\n!logs/keep", "logs/keep", False),
        ("logs\n!logs/keep", "logs/other", True),
        ("\ufeffa", "a", True),
        ("a\r\nb\r\n", "a", True),
        ("", "a", False),
    ],
)
def test_a_path_is_hidden_as_docker_hides_it(text: str, path: str, expected: bool) -> None:
    assert is_hidden(text, path) is expected


@pytest.mark.parametrize("text", ["a\n!", "[", "a[b", "x\\", "[]"])
def test_a_malformed_pattern_is_a_problem_with_its_line(text: str) -> None:
    _, (problem,) = parse_ignore(text, name=".dockerignore")
    assert problem.code == "bad-ignore-file"
    assert problem.where == f".dockerignore:{len(text.splitlines())}"


@pytest.mark.parametrize(
    ("text", "folder", "expected"),
    [
        ("a\n!a/b", "a", True),
        ("a\n!c", "a", False),
        ("a\n!**/x", "a", True),
        ("*\n!a/b", "a/c", False),
        ("a", "a", False),
    ],
)
def test_a_hidden_folder_is_walked_only_if_something_in_it_could_be_seen(
    text: str, folder: str, expected: bool
) -> None:
    assert rules_of(text).may_bring_back_under(folder) is expected


def test_a_glob_matches_names_with_line_breaks() -> None:
    regex = glob_regex("a*b")
    assert regex is not None
    assert regex.fullmatch("a\nb")
