# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a build: what is wrong with its input is told before anything is built, all of it at once."""

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError, UnsupportedError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64, Workshop

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def refused(workshop: Workshop, dockerfile: str, **options: t.Any) -> InputError:
    with pytest.raises(InputError) as caught:
        workshop.load(dockerfile, **options)
    return caught.value


def test_every_problem_of_a_dockerfile_is_told_with_its_line_and_text(workshop: Workshop) -> None:
    error = refused(workshop, "FROM scratch\nFOO x\nCOPY only\nFROM ${NONE}\nFROM scratch AS a\nFROM scratch AS A\n")
    assert error.code == "dockerfile-syntax"
    assert [problem.path for problem in error.problems] == [f"dockerfile_inline:{line}" for line in (2, 3, 4, 6)]
    assert "FOO x" in str(error)


@pytest.mark.parametrize(
    ("dockerfile", "code"),
    [
        ("FROM scratch\nCOPY nothing /\n", "copy-source-missing"),
        ("FROM scratch\nCOPY *.none /\n", "copy-source-missing"),
        ("FROM scratch\nADD hidden /\n", "copy-source-missing"),
        ("FROM scratch\nCOPY a/nothing /\n", "copy-source-missing"),
        ("FROM scratch\nCOPY loop /\n", "copy-source-missing"),
        ("FROM scratch\nCOPY ../up /\n", "copy-source-outside"),
        ("FROM scratch\nCOPY a/../../up /\n", "copy-source-outside"),
        ("FROM scratch\nENV D=nothing\nCOPY $D /\n", "copy-source-missing"),
        ("FROM base\nENV D=nothing\nCOPY $D /\n", "copy-source-missing"),
        ("FROM scratch\nCOPY 'a /\n", "dockerfile-syntax"),
        ("FROM scratch\nENV A=${B:?is needed}\n", "dockerfile-syntax"),
        ("ARG A=${B\nFROM scratch\n", "dockerfile-syntax"),
        ("ENV A=1\nFROM scratch\n", "dockerfile-syntax"),
        ("ARG A=1\n", "dockerfile-syntax"),
        ("", "dockerfile-missing"),
        ("FROM --platform=nonsense/ scratch\n", "dockerfile-syntax"),
    ],
)
def test_a_mistake_is_found_without_building(workshop: Workshop, dockerfile: str, code: str) -> None:
    workshop.write({"a": "a", "hidden": "h", ".dockerignore": "hidden", "loop": "->loop"})
    error = refused(workshop, dockerfile)
    assert error.code == code
    if code != "dockerfile-missing":
        assert "dockerfile_inline:" in str(error)


def test_what_only_a_base_can_tell_is_no_mistake_yet(workshop: Workshop) -> None:
    build = workshop.load("FROM base\nARG D=nothing\nCOPY $D $HOME/x /\n")
    assert build.reach.paths is None


@pytest.mark.parametrize(
    ("dockerfile", "code"),
    [
        ("FROM scratch\nRUN make it\n", "build-needs-run"),
        ("FROM base AS a\nONBUILD RUN x\nFROM a\n", "build-needs-run"),
        ("FROM scratch\nADD https://example.org/x?token=s3cret /\n", "add-url"),
        ("FROM scratch\nENV U=http://x\nADD $U/y /\n", "add-url"),
        ("FROM scratch\nADD git@example.org:x.git /\n", "add-url"),
        ("FROM scratch\nCOPY --parents a b\n", "dockerfile-flag"),
        ("FROM scratch\nADD --checksum=sha256:1 a b\n", "dockerfile-flag"),
    ],
)
def test_what_needs_an_engine_is_unsupported_naming_line_and_remedy(
    workshop: Workshop, dockerfile: str, code: str
) -> None:
    with pytest.raises(UnsupportedError) as caught:
        workshop.load(dockerfile)
    assert caught.value.code == code
    assert caught.value.subject.startswith("dockerfile_inline:")
    assert caught.value.fix
    assert "s3cret" not in str(caught.value)


def test_a_context_that_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_build(BuildSpec(str(tmp_path / "none"), AMD64))
    assert caught.value.code == "context-missing"


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be somebody whom permissions bind, also where root runs the tests."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_context_is_told_with_the_path() -> None:
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / "context/d"
        inner.mkdir(parents=True)
        (inner / "f").write_text("f")
        Path(folder).chmod(0o755)
        for path, mode in ((inner / "f", 0), (inner, 0), (inner.parent.parent, 0o600)):
            path.chmod(mode)
            spec = BuildSpec(str(inner.parent), AMD64, dockerfile_inline="FROM scratch\nCOPY . /\n")
            with as_nobody(), pytest.raises(InputError) as caught:
                load_build(spec).inputs_key({})
            path.chmod(0o755)
            assert caught.value.code == "context-unreadable"
            assert caught.value.subject == str(inner.parent if path == inner.parent.parent else path)


def test_a_missing_or_binary_dockerfile_is_told(workshop: Workshop) -> None:
    for name, content in (("Dockerfile", None), ("bin", b"\xff\xfe")):
        if content is not None:
            workshop.write({name: content})
        with pytest.raises(InputError) as caught:
            load_build(BuildSpec(str(workshop.context), AMD64, dockerfile=name))
        assert caught.value.code == "dockerfile-missing"


def test_an_unknown_target_is_told_with_those_there_are(workshop: Workshop) -> None:
    error = refused(workshop, "FROM scratch AS one\nFROM scratch\n", target="nope")
    assert (error.code, error.fix) == ("unknown-target", "use one of one, 1")


def test_a_problem_of_the_ignore_file_is_told_with_its_line(workshop: Workshop) -> None:
    workshop.write({".dockerignore": "ok\n[\n"})
    error = refused(workshop, "FROM scratch\n")
    assert (error.code, error.subject) == ("bad-ignore-file", ".dockerignore:2")


def test_the_ignore_file_of_the_dockerfile_wins(workshop: Workshop) -> None:
    workshop.write({"My.file": "FROM scratch\nCOPY * /\n", "My.file.dockerignore": "b\n*ile*", ".dockerignore": "a"})
    workshop.write({"a": "a", "b": "b"})
    build = load_build(BuildSpec(str(workshop.context), AMD64, dockerfile="My.file"))
    assert build.reach.paths == frozenset({("a",), (".dockerignore",)})


def test_bases_are_what_is_started_and_copied_from_after_expansion(workshop: Workshop) -> None:
    arm = Platform.of("linux", "arm64")
    build = workshop.load(
        "ARG V=1\nARG W\nFROM repo:$V AS one\nFROM --platform=linux/arm64 other${W:+-$W}\n"
        "COPY --from=one /a /\nCOPY --from=tools@sha256:1 /b /\nCOPY --from=one /c /\n",
        args={"V": "2", "W": "x"},
    )
    assert build.bases == (Base("repo:2", AMD64), Base("other-x", arm), Base("tools@sha256:1", arm))


def test_an_arg_that_nothing_declares_is_a_warning(workshop: Workshop) -> None:
    build = workshop.load("ARG A\nFROM scratch\nARG B\n", args={"A": "1", "B": "1", "C": "1", "HTTP_PROXY": "x"})
    assert build.warnings == ("the build arg C is declared by no ARG of dockerfile_inline",)
