# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WWW-Authenticate in the forms that registries and proxies send."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.challenge import Challenge, parse_challenges, preferred
from hypothesis import given
from hypothesis import strategies as st

HUB = (
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
    'scope="repository:library/redis:pull,push",error="insufficient_scope"'
)


def test_a_docker_hub_challenge_gives_all_its_parameters() -> None:
    (challenge,) = parse_challenges([HUB])
    assert challenge == Challenge(
        "bearer",
        {
            "realm": "https://auth.docker.io/token",
            "service": "registry.docker.io",
            "scope": "repository:library/redis:pull,push",
            "error": "insufficient_scope",
        },
    )


@pytest.mark.parametrize(
    "headers",
    [
        ['Basic realm="a, b", Bearer realm="https://t/token", service=plain'],
        ['Basic realm="a, b"', 'Bearer realm="https://t/token",service=plain'],
        ['BASIC REALM="a, b" ,, bEARER\tRealm = "https://t/token" , SERVICE = plain'],
    ],
)
def test_several_challenges_in_one_header_or_in_several_read_alike(headers: list[str]) -> None:
    assert parse_challenges(headers) == [
        Challenge("basic", {"realm": "a, b"}),
        Challenge("bearer", {"realm": "https://t/token", "service": "plain"}),
    ]


def test_escapes_in_quoted_texts_are_undone() -> None:
    (challenge,) = parse_challenges([r'Basic realm="say \"hi\", back\\slash"'])
    assert challenge.parameters == {"realm": 'say "hi", back\\slash'}


def test_bearer_is_preferred_wherever_it_stands() -> None:
    for headers in (['Basic realm="x", Bearer realm="y"'], ['Bearer realm="y"', 'Basic realm="x"']):
        found = preferred(parse_challenges(headers))
        assert found is not None
        assert found.scheme == "bearer"


def test_basic_is_taken_where_there_is_no_bearer_and_others_never() -> None:
    assert preferred(parse_challenges(['Negotiate, Basic realm="x"'])) == Challenge("basic", {"realm": "x"})
    assert preferred(parse_challenges(["Negotiate abc==", "NTLM"])) is None
    assert preferred([]) is None


def test_a_challenge_of_one_opaque_word_does_not_swallow_the_next() -> None:
    assert parse_challenges(['Negotiate YWJj/+==, Basic realm="x"']) == [
        Challenge("negotiate", {}),
        Challenge("basic", {"realm": "x"}),
    ]


def test_the_first_of_two_equal_parameters_counts() -> None:
    assert parse_challenges(['Bearer realm="a",realm="b"']) == [Challenge("bearer", {"realm": "a"})]


@pytest.mark.parametrize("text", ["", ",", '="x"', 'realm="x"', 'Bearer realm="unclosed', "Bearer =", "\x00"])
def test_what_follows_no_grammar_gives_no_parameters_and_no_failure(text: str) -> None:
    assert all(not challenge.parameters for challenge in parse_challenges([text]))


@given(st.text(max_size=60))
def test_no_header_makes_parsing_fail(text: str) -> None:
    parse_challenges([text])


_NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(
    st.lists(
        st.tuples(_NAMES, st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=3)),
        max_size=3,
    )
)
def test_challenges_that_are_written_by_the_grammar_read_back(challenges: list[tuple[str, dict[str, str]]]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{scheme} " + ",".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    assert parse_challenges([header]) == [Challenge(scheme, parameters) for scheme, parameters in challenges]
