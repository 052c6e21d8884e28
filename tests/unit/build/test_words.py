# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words: quotes, escapes and variables mean what Docker's documentation says."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.words import (
    WordError,
    expand,
    expand_body,
    mentioned,
    split_words,
    strip_quotes,
)

VALUES = {"X": "foo.tar.gz", "EMPTY": "", "PATHS": "/a/b/c", "STAR": "a*b", "NL": "a\nb"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$X", "foo.tar.gz"),
        ("${X}_y", "foo.tar.gz_y"),
        ("$X_y", ""),
        ("$MISSING", ""),
        ("${MISSING:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${MISSING-d}", "d"),
        ("${X:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${MISSING+set}", ""),
        ("${MISSING:-$X}", "foo.tar.gz"),
        ("${MISSING:-${ALSO:-deep}}", "deep"),
        ("${X:?needed}", "foo.tar.gz"),
        ("${EMPTY?needed}", ""),
        ("${X%.*}", "foo.tar"),
        ("${X%%.*}", "foo"),
        ("${X#*.}", "tar.gz"),
        ("${X##*.}", "gz"),
        ("${PATHS##*/}", "c"),
        ("${X#no}", "foo.tar.gz"),
        ("${X%?}", "foo.tar.g"),
        ("${X/o/0}", "f0o.tar.gz"),
        ("${X//o/0}", "f00.tar.gz"),
        ("${X//./}", "footargz"),
        ("${MISSING/a/b}", ""),
        ("'$X'", "$X"),
        ('"$X"', "foo.tar.gz"),
        ('"a b"', "a b"),
        ('a"b"c', "abc"),
        ("\\$X", "$X"),
        ('"\\$X"', "$X"),
        ('"\\n"', "\\n"),
        ("a\\ b", "a b"),
        ("a$", "a$"),
        ("$", "$"),
        ("100$%", "100$%"),
        ("", ""),
    ],
)
def test_a_word_expands_as_documented(word: str, expected: str) -> None:
    assert expand(word, VALUES.get, escape="\\") == expected


@pytest.mark.parametrize(
    "word", ["'open", '"open', "${X", "${X:-a", "${}", "${X:", "${X!y}", "${MISSING:?message}", "${EMPTY:?message}"]
)
def test_a_malformed_word_or_a_required_variable_is_an_error(word: str) -> None:
    with pytest.raises(WordError):
        expand(word, VALUES.get, escape="\\")


def test_a_required_variable_is_told_with_its_message() -> None:
    with pytest.raises(WordError, match="MISSING is required: give it"):
        expand("${MISSING?give it}", VALUES.get, escape="\\")


def test_the_backtick_escapes_where_a_directive_says_so() -> None:
    assert expand("C:\\dir`$X", VALUES.get, escape="`") == "C:\\dir$X"


def test_words_are_cut_at_blanks_outside_quotes_and_keep_their_quotes() -> None:
    assert split_words("a=\"x y\" b='c d'  e\\ f g", escape="\\") == ['a="x y"', "b='c d'", "e\\ f", "g"]


def test_stripping_quotes_leaves_variables_alone() -> None:
    assert strip_quotes("'EOF'\"$X\"", escape="\\") == "EOF$X"


def test_quotes_are_ordinary_in_a_heredoc_body() -> None:
    body = "say \"$X\" and '$X' or \\$X and \\n\n"
    assert expand_body(body, VALUES.get, escape="\\") == "say \"foo.tar.gz\" and 'foo.tar.gz' or $X and \\n\n"


def test_mentioned_names_are_found_in_all_forms() -> None:
    assert mentioned("$A ${B:-$C} \\$D 'x$E' $1") == {"A", "B", "C", "D", "E"}
