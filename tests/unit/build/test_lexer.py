# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logical lines: directives, comments, continuations and heredocs."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.lexer import Heredoc, cut_lines, syntax_of


def texts(dockerfile: str) -> list[tuple[int, str]]:
    lines = cut_lines(dockerfile, name="Dockerfile")
    assert lines.problems == ()
    return [(line.number, line.text) for line in lines.rows]


def test_comments_and_empty_lines_inside_a_continuation_vanish() -> None:
    assert texts("FROM a\nENV A=1 \\\n  # comment\n\n  B=2\nUSER x") == [
        (1, "FROM a"),
        (2, "ENV A=1   B=2"),
        (6, "USER x"),
    ]


def test_two_escapes_at_the_end_continue_nothing() -> None:
    assert texts("CMD a \\\\\nUSER b") == [(1, "CMD a \\\\"), (2, "USER b")]


def test_blanks_after_the_escape_still_continue() -> None:
    assert texts("ENV a=b\\  \n c=d") == [(1, "ENV a=b c=d")]


def test_windows_line_ends_and_a_byte_order_mark_are_no_content() -> None:
    assert texts("\ufeffFROM a\r\nUSER b\r\n") == [(1, "FROM a"), (2, "USER b")]


def test_the_escape_directive_counts_only_before_everything_else() -> None:
    assert texts("# syntax=docker/dockerfile:1\n# Escape = `\nENV a=b `\n c=d\\\n") == [(3, "ENV a=b  c=d\\")]
    assert texts("# a comment\n# escape=`\nENV a=b \\\n c=d") == [(3, "ENV a=b  c=d")]


@pytest.mark.parametrize(
    ("text", "syntax"),
    [
        ("# syntax=docker/dockerfile:1\nFROM a", "docker/dockerfile:1"),
        ("\ufeff#escape=`\r\n#  Syntax = r.test/a/b:1 --more words \r\nFROM a\r\n", "r.test/a/b:1 --more words"),
        ("# a comment\n# syntax=docker/dockerfile:1\nFROM a", ""),
        ("FROM a\n# syntax=docker/dockerfile:1", ""),
    ],
)
def test_what_reads_the_dockerfile_is_what_its_directive_says(text: str, syntax: str) -> None:
    assert syntax_of(text) == syntax


@pytest.mark.parametrize("text", ["# escape=x\nFROM a", "# escape=`\n# escape=`\nFROM a"])
def test_a_bad_directive_is_a_problem_with_its_line(text: str) -> None:
    (problem,) = cut_lines(text, name="Dockerfile").problems
    assert problem.code == "dockerfile-syntax"
    assert problem.where.startswith("Dockerfile:")


def test_heredoc_bodies_are_taken_raw_and_in_order() -> None:
    text = 'COPY <<one.txt <<-"two.txt" /d/\n# no comment\n\n  x $Y \\\none.txt\n\ty\n\ttwo.txt\nUSER a\n'
    lines = cut_lines(text, name="Dockerfile")
    assert lines.rows[0].heredocs == (
        Heredoc("one.txt", "# no comment\n\n  x $Y \\\n", is_expanded=True),
        Heredoc("two.txt", "y\n", is_expanded=False),
    )
    assert lines.rows[1].text == "USER a"
    assert lines.rows[1].number == 8


def test_a_here_string_or_a_json_list_starts_no_heredoc() -> None:
    assert texts('RUN cat <<<word\nRUN ["cat", "<<EOF"]\nLABEL a="<<EOF"') == [
        (1, "RUN cat <<<word"),
        (2, 'RUN ["cat", "<<EOF"]'),
        (3, 'LABEL a="<<EOF"'),
    ]


def test_a_heredoc_without_end_is_a_problem_with_its_first_line() -> None:
    (problem,) = cut_lines("FROM a\nCOPY <<EOF /x\nbody\n", name="Dockerfile").problems
    assert problem.where == "Dockerfile:2"
    assert "COPY <<EOF /x" in problem.what
