# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages: what each starts from, which the target needs, and the variables that FROM sees."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.parser import parse_dockerfile
from ansible_collections.fleet.images.plugins.module_utils.build.stages import (
    StagePlan,
    copied_stages,
    plan_stages,
    stage_steps,
)
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64

ARM = Platform.of("linux", "arm64")


def plan_of(dockerfile: str, *, args: dict[str, str] | None = None, target: str = "") -> StagePlan:
    spec = BuildSpec("", AMD64, args=args or {}, target=target)
    return plan_stages(parse_dockerfile(dockerfile), spec, machine=ARM)


@pytest.mark.parametrize(
    ("dockerfile", "target", "needed"),
    [
        ("FROM a\nFROM b\n", "", (1,)),
        ("FROM a AS x\nFROM X\n", "", (0, 1)),
        ("FROM a AS x\nFROM b\nCOPY --from=x / /\n", "", (0, 1)),
        ("FROM a\nFROM b\nCOPY --from=0 / /\n", "", (0, 1)),
        ("FROM a\nFROM b\nCOPY --from=1 / /\n", "", (1,)),
        ("FROM a AS x\nFROM b AS y\nFROM x\nFROM y\n", "", (1, 3)),
        ("FROM a AS x\nFROM x AS y\nFROM c\n", "Y", (0, 1)),
        ("FROM a AS x\nFROM b\n", "0", (0,)),
        ("FROM a AS late\nFROM b AS x\nONBUILD COPY --from=late / /\nFROM x\n", "", (0, 1, 2)),
    ],
)
def test_only_what_the_target_needs_is_needed(dockerfile: str, target: str, needed: tuple[int, ...]) -> None:
    assert plan_of(dockerfile, target=target).needed == needed


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        ("FROM scratch\n", None),
        ("ARG A=x\nARG B=$A:1\nFROM $B\n", Base("given:1", AMD64)),
        ("ARG B\nFROM ${B:-fallback}\n", Base("fallback", AMD64)),
        ("FROM --platform=$BUILDPLATFORM a-$TARGETARCH\n", Base("a-amd64", ARM)),
        ('FROM "quoted"\n', Base("quoted", AMD64)),
    ],
)
def test_from_sees_args_above_it_and_platform_names(dockerfile: str, base: Base | None) -> None:
    plan = plan_of(dockerfile, args={"A": "given"})
    assert plan.problems == ()
    assert plan.stages[0].base == base


def test_a_child_inherits_the_platform_of_its_stage() -> None:
    plan = plan_of("FROM --platform=linux/arm64 a AS x\nFROM x\nCOPY --from=image / /\n")
    assert plan.stages[1].platform == ARM
    assert copied_stages(plan, plan.stages[1]) == [Base("image", ARM)]


def test_triggers_of_a_parent_come_before_the_steps_of_a_child() -> None:
    plan = plan_of("FROM a AS x\nONBUILD ENV A=1\nENV B=1\nFROM x\nENV C=1\nFROM x\n")
    assert [step.text for step in stage_steps(plan, plan.stages[1])] == ["ENV A=1", "ENV C=1"]
    assert [step.text for step in stage_steps(plan, plan.stages[0])] == ["ONBUILD ENV A=1", "ENV B=1"]


def test_an_unknown_target_is_told() -> None:
    with pytest.raises(InputError) as caught:
        plan_of("FROM a\n", target="7")
    assert caught.value.code == "unknown-target"
