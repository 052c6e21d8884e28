# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that engines carry out: what they reach, what their key is made of, and which of them need a container."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64, Workshop

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.build.loading import Build

FILES: dict[str, str | bytes] = {"a": "a", "d/b": "b", "d/c": "c", "e*": "e", "ef": "f"}


def load(workshop: Workshop, dockerfile: str, **options: t.Any) -> Build:
    workshop.write(FILES)
    return workshop.load(dockerfile, is_native=False, **options)


def paths(build: Build) -> set[str] | None:
    return None if build.reach.paths is None else {"/".join(parts) for parts in build.reach.paths}


def fields(build: Build) -> dict[str, str]:
    return dict(build.inputs_key({base: Digest.of(b"base") for base in build.bases}).fields)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("RUN make\n", set()),
        ("COPY a /\nRUN make\n", {"a"}),
        ("RUN --mount=type=bind,source=d,target=/d x\n", {"d", "d/b", "d/c"}),
        ("RUN --mount=src=/d/b,target=/d x\n", {"d/b"}),
        ("ENV D=d\nRUN --mount=source=$D/c,target=/d x\n", {"d/c"}),
        ("RUN --mount=source=e*,target=/d x\n", {"e*"}),
        ("RUN --mount=type=bind,target=/d x\n", {"", "a", "d", "d/b", "d/c", "e*", "ef"}),
        ("RUN --mount=type=cache,target=/d --mount=type=secret,id=x x\n", set()),
        ("RUN --mount=from=other,source=d,target=/d x\n", set()),
        ("ADD https://example.org/x /\n", set()),
        ("RUN --network=none x\n", set()),
        ("COPY --exclude=x d /\n", None),
        ("COPY --new a /\n", None),
    ],
)
def test_a_build_in_containers_reaches_what_is_copied_or_mounted(
    workshop: Workshop, steps: str, expected: set[str] | None
) -> None:
    assert paths(load(workshop, f"FROM scratch\n{steps}")) == expected


def test_what_the_base_sets_may_mount_anything(workshop: Workshop) -> None:
    assert paths(load(workshop, "FROM base\nRUN --mount=source=$D,target=/d x\n")) is None


def test_a_mount_of_nothing_is_told_with_its_line(workshop: Workshop) -> None:
    with pytest.raises(InputError) as caught:
        load(workshop, "FROM scratch\nRUN --mount=source=none,target=/d x\n")
    assert (caught.value.code, caught.value.subject) == ("copy-source-missing", "dockerfile_inline:2")


def test_images_and_stages_that_are_mounted_are_needed(workshop: Workshop) -> None:
    build = load(
        workshop,
        "FROM one AS first\nFROM two\nFROM three AS last\n"
        "RUN --mount=from=first,target=/a --mount=type=cache,from=four:1,target=/b x\n",
    )
    assert build.bases == (Base("one", AMD64), Base("three", AMD64), Base("four:1", AMD64))


def test_the_steps_that_need_a_container_are_named(workshop: Workshop) -> None:
    build = load(workshop, "FROM scratch AS x\nRUN no\nFROM scratch\nCOPY a /\nRUN make \\\n it\nADD http://x/y?z /\n")
    assert [(error.subject, error.why) for error in build.reach.obstacles] == [
        ("dockerfile_inline:5", "RUN make  it"),
        ("dockerfile_inline:7", "ADD http://x/y"),
    ]


def test_a_build_that_needs_no_container_has_another_key_in_one(workshop: Workshop) -> None:
    text = "FROM scratch\nCOPY a /\n"
    build = load(workshop, text)
    assert not build.reach.obstacles
    assert workshop.load(text).inputs_key({}).key != build.inputs_key({}).key


def test_what_engines_heed_is_a_field_only_when_it_is_set(workshop: Workshop) -> None:
    options: dict[str, t.Any] = {
        "network": "host",
        "squash": True,
        "shm_size": 1,
        "etc_hosts": {"x": "1.2.3.4"},
        "secret_ids": ("b", "a"),
    }
    plain = fields(load(workshop, "FROM scratch\n", source_date_epoch=5))
    assert set(plain) == {"builder", "dockerfile", "context", "platform", "target"}
    for name, value in options.items():
        build = load(workshop, "FROM scratch\n", **{name: value})
        field = {"secret_ids": "secrets"}.get(name, name.replace("_", "-"))
        assert set(fields(build)) - set(plain) == {field}
        assert "source-date-epoch" not in fields(build)
    assert fields(load(workshop, "FROM scratch\n", **options))["secrets"] == "a b"


@pytest.mark.parametrize(
    ("steps", "is_used"),
    [
        ("ARG A\nRUN make\n", True),
        ("RUN make\nARG A\n", False),
        ("ARG A\nCOPY a /\n", False),
        ("ARG A\nCOPY a /$A\n", True),
    ],
)
def test_a_run_sees_each_arg_before_it(workshop: Workshop, steps: str, is_used: bool) -> None:
    assert ("arg:A" in fields(load(workshop, f"FROM scratch\n{steps}", args={"A": "1"}))) is is_used


def test_a_run_sees_the_args_of_the_stage_it_starts_from(workshop: Workshop) -> None:
    text = "FROM scratch AS x\nARG A\nFROM x\nRUN make\n"
    assert "arg:A" in fields(load(workshop, text, args={"A": "1", "HTTP_PROXY": "p"}))
    assert "arg:HTTP_PROXY" not in fields(load(workshop, text, args={"A": "1", "HTTP_PROXY": "p"}))
