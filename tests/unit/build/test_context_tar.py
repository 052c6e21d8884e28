# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context that engines get: what it holds, and that the same files give the same bytes."""

from __future__ import annotations

import io
import os
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64, Workshop

OWN = ".fleet-images.Dockerfile"
ADDED = [".dockerignore", OWN]


def packed(workshop: Workshop, dockerfile: str, *, hidden_by: str = ".dockerignore", **options: t.Any) -> bytes:
    build = workshop.load(dockerfile, is_native=False, **options)
    return b"".join(build.context_tar("FROM pinned\n", hidden_by=hidden_by))


def members(raw: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {info.name: info for info in tar}


def text(raw: bytes, name: str) -> str:
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        stream = tar.extractfile(name)
        return stream.read().decode() if stream is not None else ""


def test_it_holds_what_can_be_reached_with_parents_links_and_the_dockerfile(workshop: Workshop) -> None:
    workshop.write({"a/b/c": "c", "a/x": "x", "l": "->a", "other": "o"})
    (workshop.context / "a/b/c").chmod(0o700)
    raw = packed(workshop, "FROM scratch\nCOPY l/b/c /\n")
    found = members(raw)
    assert list(found) == [*ADDED, "a", "a/b", "a/b/c", "l"]
    assert (found["a/b/c"].mode, found["a"].mode, found["l"].linkname) == (0o755, 0o755, "a")
    assert {(info.uid, info.gid, info.mtime) for info in found.values()} == {(0, 0, 0)}
    assert text(raw, OWN) == "FROM pinned\n"
    assert text(raw, "a/b/c") == "c"


def test_nothing_of_the_context_is_sent_when_nothing_is_taken_unless_a_base_has_triggers(workshop: Workshop) -> None:
    workshop.write({"a": "a"})
    build = workshop.load("FROM base\nRUN x\n", is_native=False)
    assert list(members(b"".join(build.context_tar("")))) == [OWN]
    assert list(members(b"".join(build.context_tar("", has_triggers=True)))) == [OWN, "a"]


def test_the_same_files_give_the_same_bytes_wherever_and_whenever_they_lie(workshop: Workshop) -> None:
    workshop.write({"a": "a", "d/b": "b"})
    before = packed(workshop, "FROM scratch\nCOPY . /\n", source_date_epoch=7)
    moved = Workshop(workshop.context.parent / "moved")
    moved.write({"d/b": "b", "a": "a"})
    os.utime(moved.context / "a", (1, 1))
    (moved.context / "a").chmod(0o664)
    assert packed(moved, "FROM scratch\nCOPY . /\n", source_date_epoch=7) == before
    assert {info.mtime for info in members(before).values()} == {7}


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [
        ("hidde?\n", "hidde?\n\n.fleet-images.Dockerfile\n"),
        ("hidden\n!x\n", "hidden\n!x\n\n.fleet-images.Dockerfile\n"),
        ("hidden\n", "hidden\n"),
        ("hidden\n.dockerignore\n", ".dockerignore\nhidden\n"),
    ],
)
def test_the_ignore_file_that_is_sent_hides_what_was_added(workshop: Workshop, ignored: str, expected: str) -> None:
    workshop.write({"a": "a", "hidden": "h", ".dockerignore": ignored})
    raw = packed(workshop, "FROM scratch\nCOPY . /\n")
    name = OWN if OWN in expected else "hidden"
    assert set(members(raw)) == {".dockerignore", name, "a"}
    assert (text(raw, ".dockerignore"), text(raw, name)) == (expected, "FROM pinned\n")


def test_an_ignore_file_that_is_not_in_force_hides_nothing_when_an_engine_reads_it(workshop: Workshop) -> None:
    workshop.write({"f": "FROM scratch\nCOPY . /\n", "f.dockerignore": "x", ".dockerignore": "a", "a": "a", "x": "x"})
    workshop.write({".containerignore": "f"})
    build = load_build(BuildSpec(str(workshop.context), AMD64, dockerfile="f", is_native=False))
    for name, other, theirs in ((".containerignore", ".dockerignore", "a"), (".dockerignore", ".containerignore", "f")):
        raw = b"".join(build.context_tar("FROM scratch\n", hidden_by=name))
        assert {"a", "f"} <= set(members(raw))
        assert (text(raw, name), text(raw, other), text(raw, "x")) == ("x\n", theirs, "FROM scratch\n")


def test_for_a_reader_that_heeds_no_ignore_file_nothing_but_the_dockerfile_is_added(workshop: Workshop) -> None:
    workshop.write({".dockerignore": "hidden\n", "hidden": "h", "a": "a"})
    raw = packed(workshop, "FROM scratch\nCOPY . /\n", hidden_by="")
    assert list(members(raw)) == [".dockerignore", "a", "hidden"]
    assert (text(raw, ".dockerignore"), text(raw, "hidden")) == ("hidden\n", "FROM pinned\n")


@pytest.mark.parametrize(
    ("step", "is_taken"),
    [
        ("COPY . /x", True),
        ("COPY * /x/", True),
        ("COPY a here /x/", True),
        ("RUN --mount=type=bind,target=/in ls", True),
        ("COPY a d /x/", False),
        ("COPY [a-z] /x/", False),
        ("COPY --from=0 / /x", False),
        ("RUN --mount=type=bind,source=d,target=/in ls", False),
    ],
)
def test_it_is_told_whether_a_step_takes_the_dockerfile_along(
    workshop: Workshop, step: str, *, is_taken: bool
) -> None:
    workshop.write({"a": "a", "d/b": "b", "here": "->."})
    build = workshop.load(f"FROM scratch\nFROM scratch\n{step}\n", is_native=False)
    assert build.takes_dockerfile is is_taken
    assert (OWN,) not in build.context.tree


def test_the_name_of_the_dockerfile_is_none_of_the_context(workshop: Workshop) -> None:
    workshop.write({OWN: "theirs"})
    build = workshop.load("FROM scratch\nCOPY . /\n", is_native=False)
    assert build.dockerfile_name == f"{OWN}-"
    assert text(b"".join(build.context_tar("ours")), OWN) == "theirs"


def test_a_file_that_changes_while_it_is_sent_is_told(workshop: Workshop) -> None:
    workshop.write({"a": "a"})
    build = workshop.load("FROM scratch\nCOPY a /\n", is_native=False)
    sending = build.context_tar("FROM x\n")
    next(sending)
    workshop.write({"a": "longer"})
    with pytest.raises(ConflictError) as caught:
        list(sending)
    assert caught.value.code == "context-changed"


def test_without_a_context_there_is_the_dockerfile_alone(workshop: Workshop) -> None:
    build = load_build(BuildSpec("", AMD64, dockerfile_inline="FROM base\nRUN x\n", is_native=False))
    assert list(members(b"".join(build.context_tar("FROM x\n", hidden_by=".dockerignore")))) == ADDED
