# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inputs key changes when, and only when, something changes that the image depends on; and names it."""

from __future__ import annotations

import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64, Workshop

if t.TYPE_CHECKING:
    from collections.abc import Callable

DOCKERFILE = """ARG TAG=1
FROM base:$TAG AS tools
FROM scratch
ARG USED
ARG DECLARED
# a comment
COPY --from=tools /bin/x /bin/
COPY app *.conf /srv/
COPY <<EOF /motd
 hello  $USED
EOF
FROM scratch AS later
COPY unrelated /
"""
FILES: dict[str, str | bytes] = {
    "app/main": "m",
    "app/link": "->main",
    "x.conf": "c",
    "unrelated": "u",
    "ignored.conf": "i",
    ".dockerignore": "ignored*\n",
}
OPTIONS: dict[str, t.Any] = {
    "args": {"USED": "1", "DECLARED": "1", "UNKNOWN": "1"}, "labels": {"l": "1"}, "target": "1"
}  # fmt: skip


def fields(workshop: Workshop, dockerfile: str = DOCKERFILE, *, base: bytes = b"base", **options: t.Any) -> t.Any:
    build = workshop.load(dockerfile, **{**OPTIONS, **options})
    key = build.inputs_key({base_: Digest.of(base) for base_ in build.bases})
    return {"key": key.key, **key.fields}


def touch(workshop: Workshop) -> None:
    for path in workshop.context.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)


def rewrite(name: str, content: str) -> Callable[[Workshop], None]:
    def change(workshop: Workshop) -> None:
        (workshop.context / name).unlink(missing_ok=True)
        workshop.write({name: content})

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (touch, set()),
        (rewrite("app/main", "n"), {"context"}),
        (lambda w: (w.context / "app/main").chmod(0o755), {"context"}),
        (lambda w: (w.context / "app/main").chmod(0o600), set()),
        (rewrite("app/link", "->other"), {"context"}),
        (lambda w: (w.context / "app/main").rename(w.context / "app/mine"), {"context"}),
        (rewrite("app/new/deep", "x"), {"context"}),
        (lambda w: (w.context / "app/empty").mkdir(), {"context"}),
        (rewrite("y.conf", "c"), {"context"}),
        (rewrite("ignored.conf", "j"), set()),
        (rewrite("unrelated", "v"), set()),
        (rewrite(".dockerignore", "ignored*\n# comment\n"), set()),
        (rewrite(".dockerignore", ""), {"context"}),
    ],
)
def test_a_change_of_the_context_counts_if_a_copy_can_reach_it(
    workshop: Workshop, change: Callable[[Workshop], object], expected: set[str]
) -> None:
    workshop.write(FILES)
    before = fields(workshop)
    change(workshop)
    after = fields(workshop)
    assert {name for name in before if before[name] != after[name]} - {"key"} == expected
    assert (before["key"] != after["key"]) is bool(expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"args": {"USED": "2", "DECLARED": "1", "UNKNOWN": "1"}}, {"arg:USED"}),
        ({"args": {"USED": "1", "DECLARED": "2", "UNKNOWN": "1"}}, set()),
        ({"args": {"USED": "1", "UNKNOWN": "2"}}, set()),
        ({"labels": {"l": "2"}}, {"label:l"}),
        ({"target": "0"}, {"target", "context", "dockerfile", "arg:USED"}),
        ({"base": b"moved"}, {"base:base:1"}),
        ({"source_date_epoch": 1}, {"source-date-epoch"}),
        ({"dockerfile": DOCKERFILE.replace("a comment", "another")}, set()),
        (
            {"dockerfile": DOCKERFILE.replace("app *.conf", "app \\\n# c\n *.conf").replace("app  ", "app ")},
            {"dockerfile"},
        ),
        ({"dockerfile": DOCKERFILE.replace("hello  ", "hello ")}, {"dockerfile"}),
        ({"dockerfile": DOCKERFILE.replace("COPY unrelated /", "RUN x")}, set()),
        ({"dockerfile": DOCKERFILE.replace("COPY app", "COPY --chown=1 app")}, {"dockerfile"}),
    ],
)
def test_a_change_of_the_order_counts_and_is_named(
    workshop: Workshop, options: dict[str, t.Any], expected: set[str]
) -> None:
    workshop.write(FILES)
    before, after = fields(workshop), fields(workshop, **options)
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)} - {"key"}
    assert names == expected
    assert (before["key"] != after["key"]) is bool(expected)


def test_no_value_can_be_read_from_a_key(workshop: Workshop) -> None:
    workshop.write(FILES)
    key = fields(workshop, args={"USED": "s3cret"}, labels={"l": "als0"})
    assert "s3cret" not in str(key)
    assert "als0" not in str(key)


def test_the_platform_counts_for_bases_too(workshop: Workshop) -> None:
    build = workshop.load("FROM --platform=linux/arm64 base\n")
    (base,) = build.bases
    assert base != Base("base", AMD64)
    assert "base:base linux/arm64" in build.inputs_key({base: Digest.of(b"")}).fields


def test_the_machine_that_builds_counts_only_where_it_is_named(workshop: Workshop) -> None:
    assert "build-platform" not in workshop.load("FROM scratch\n").inputs_key({}).fields
    named = workshop.load("FROM scratch\nARG BUILDARCH\nENV A=$BUILDARCH\n")
    assert "build-platform" in named.inputs_key({}).fields
