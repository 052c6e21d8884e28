# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instructions: every keyword, form and flag, and every mistake with its line."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.parser import (
    Instruction,
    parse_dockerfile,
    parse_trigger,
)
from ansible_collections.fleet.images.plugins.module_utils.build.words import WordError


def one(line: str) -> Instruction:
    dockerfile = parse_dockerfile(f"FROM scratch\n{line}")
    assert dockerfile.problems == ()
    return dockerfile.instructions[1]


@pytest.mark.parametrize(
    ("line", "words", "is_json"),
    [
        ("COPY a  b c/", ("a", "b", "c/"), False),
        ('COPY ["a b", "c"]', ("a b", "c"), True),
        ('CMD ["a", "b c"]', ("a", "b c"), True),
        ("CMD a  'b'  $C", ("a  'b'  $C",), False),
        ("CMD [a", ("[a",), False),
        ("CMD []", (), True),
        ("ENTRYPOINT echo", ("echo",), False),
        ("EXPOSE 80 90/udp", ("80", "90/udp"), False),
        ("VOLUME /a /b", ("/a", "/b"), False),
        ("WORKDIR a b", ("a b",), False),
        ("user bob", ("bob",), False),
        ('SHELL ["/bin/x", "-c"]', ("/bin/x", "-c"), True),
        ("HEALTHCHECK --interval=5s CMD curl x", ("CMD", "curl x"), False),
        ("HEALTHCHECK NONE", ("NONE",), False),
        ("MAINTAINER me <me@example.org>", ("me <me@example.org>",), False),
    ],
)
def test_words_are_read_by_the_form_of_the_instruction(line: str, words: tuple[str, ...], is_json: bool) -> None:
    instruction = one(line)
    assert (instruction.words, instruction.is_json) == (words, is_json)


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ('ENV A=1 "B C"="x y" D=e\\ f', (("A", "1"), ('"B C"', '"x y"'), ("D", "e\\ f"))),
        ("ENV A b  c=d", (("A", "b  c=d"),)),
        ("LABEL a.b=", (("a.b", ""),)),
        ("ARG A", (("A", None),)),
        ("ARG A= B=x", (("A", ""), ("B", "x"))),
    ],
)
def test_pairs_are_read_in_both_forms(line: str, pairs: tuple[tuple[str, str | None], ...]) -> None:
    assert one(line).pairs == pairs


def test_flags_are_cut_off_and_their_quotes_dropped() -> None:
    instruction = one('COPY --from=a --chown="b:c" --chmod=644 --link x y')
    assert instruction.flags == {"from": "a", "chown": "b:c", "chmod": "644", "link": ""}
    assert instruction.words == ("x", "y")


def test_an_onbuild_holds_its_trigger_as_text() -> None:
    assert one("ONBUILD COPY --chown=1 a b").trigger == "COPY --chown=1 a b"


def test_a_trigger_is_parsed_with_the_place_it_came_from() -> None:
    assert parse_trigger("COPY a b", where="ONBUILD of x").where == "ONBUILD of x"
    with pytest.raises(WordError):
        parse_trigger("NONSENSE", where="ONBUILD of x")


@pytest.mark.parametrize(
    "line",
    [
        "FOO bar",
        "COPY a",
        "COPY",
        "ADD ['a']",
        "COPY a b c",
        "COPY --nope=1 a b",
        "COPY --from a b",
        "COPY --chown=1 --chown=2 a b",
        "ENV A",
        "ENV",
        "ENV A=1 B",
        "ENV ''=x",
        "LABEL =x",
        "ARG =x",
        "CMD",
        'CMD ["a", 1]',
        "FROM a b",
        "FROM a AS",
        "FROM a AS 9x",
        "SHELL /bin/sh -c",
        "HEALTHCHECK",
        "HEALTHCHECK FOO",
        "HEALTHCHECK CMD",
        "HEALTHCHECK NONE x",
        "HEALTHCHECK --interval=5 CMD x",
        "HEALTHCHECK --retries=x CMD x",
        "ONBUILD",
        "ONBUILD FROM a",
        "ONBUILD ONBUILD RUN a",
        "ONBUILD COPY a",
        "EXPOSE",
        "WORKDIR",
        "RUN",
    ],
)
def test_a_mistake_is_a_problem_with_its_line_shown(line: str) -> None:
    (problem,) = parse_dockerfile(f"FROM scratch\n\n{line}").problems
    assert problem.code == "dockerfile-syntax"
    assert problem.where == "Dockerfile:3"
    assert line.removeprefix("ONBUILD ") in problem.what


def test_all_mistakes_are_told_at_once_in_order() -> None:
    problems = parse_dockerfile("FROM a\nFOO\nCOPY x\n# c\nENV A\n", name="My.file").problems
    assert [problem.where for problem in problems] == ["My.file:2", "My.file:3", "My.file:5"]


def test_a_misspelt_instruction_is_told_with_the_nearest_one() -> None:
    (problem,) = parse_dockerfile("FROM a\nENTRYPONT x").problems
    assert problem.fix == "did you mean ENTRYPOINT?"


def test_an_empty_file_is_a_mistake() -> None:
    assert len(parse_dockerfile("# nothing\n").problems) == 1


@pytest.mark.parametrize("line", ["COPY --parents a b", "ADD --checksum=sha256:1 a b", "COPY --exclude=x a b"])
def test_a_flag_that_only_engines_do_is_kept(line: str) -> None:
    assert one(line).engine_flags == (line.split()[1][2:].partition("=")[0],)


def test_each_mount_of_a_run_is_kept() -> None:
    assert one("RUN --mount=type=tmpfs,target=/t --mount=target=/c x").mounts == ("type=tmpfs,target=/t", "target=/c")


def test_engines_may_know_flags_and_with_a_syntax_directive_instructions_that_nobody_here_does() -> None:
    text = "FROM scratch\nTEACH --me x\nCOPY --new a b\n"
    (problem,) = parse_dockerfile(text, is_native=False).problems
    assert "TEACH" in problem.what
    dockerfile = parse_dockerfile(f"# syntax=docker/dockerfile:9\n{text}", is_native=False)
    assert dockerfile.problems == ()
    assert [step.is_known for step in dockerfile.instructions] == [True, False, True]
    assert dockerfile.instructions[2].engine_flags == ("new",)
