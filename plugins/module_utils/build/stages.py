# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages of a Dockerfile: what each starts from, and which ones the target needs."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError
from ..model.platform import Platform
from .base import Base, BuildProblem
from .lexer import syntax_problem
from .mounts import read_mount
from .parser import parse_trigger
from .scope import PROXY_ARGS, Given, Scope, platform_args
from .words import WordError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from .base import BuildSpec
    from .parser import Dockerfile, Instruction

SCRATCH = "scratch"


class Stage(t.NamedTuple):
    """One FROM and what follows it. It starts from an earlier stage, from an image, or (neither) from nothing."""

    number: int
    name: str
    opening: Instruction
    steps: tuple[Instruction, ...]
    parent: int | None
    base: Base | None
    platform: Platform


class StagePlan(t.NamedTuple):
    """Every stage in order, the numbers of those the target needs (ascending, the target last), and the variables."""

    stages: tuple[Stage, ...]
    needed: tuple[int, ...]
    given: Given
    top: tuple[Instruction, ...]
    escape: str
    problems: tuple[BuildProblem, ...]
    warnings: tuple[str, ...]

    def find(self, name: str, *, before: int) -> int | None:
        """Return the number of the stage below ``before`` that ``name`` (a name or a number) means."""
        for stage in reversed(self.stages[:before]):
            if stage.name and stage.name == name.lower():
                return stage.number
        return int(name) if name.isdecimal() and int(name) < before else None


def plan_stages(dockerfile: Dockerfile, spec: BuildSpec, *, machine: Platform) -> StagePlan:
    """Return the stages of ``dockerfile``; ``machine`` is the platform that builds (``BUILDPLATFORM``).

    Raises:
        InputError: unknown-target.
    """
    builder = _Planner(dockerfile, spec, machine=machine)
    builder.run()
    plan = StagePlan(
        tuple(builder.stages),
        (),
        builder.given,
        top=tuple(builder.top),
        escape=dockerfile.escape,
        problems=tuple(builder.problems),
        warnings=builder.warnings(),
    )
    if not plan.stages:
        return plan
    return plan._replace(needed=_needed(plan, _target(plan, spec.target)))


def copied_from(plan: StagePlan, stage: Stage, *, source: str) -> int | Base:
    """Return what ``COPY --from=source`` in ``stage`` means: the number of an earlier stage, or an image."""
    number = plan.find(source, before=stage.number)
    return number if number is not None else Base(source, stage.platform)


def stage_steps(plan: StagePlan, stage: Stage) -> tuple[Instruction, ...]:
    """Return what a stage does: the ONBUILD triggers of the stage it starts from, then its own steps.

    The triggers of a base *image* are not known before its config was read.
    """
    if stage.parent is None:
        return stage.steps
    parent = plan.stages[stage.parent]
    triggers = [step for step in parent.steps if step.name == "ONBUILD"]
    return (*(parse_trigger(step.trigger, where=step.where, escape=plan.escape) for step in triggers), *stage.steps)


def copied_stages(plan: StagePlan, stage: Stage) -> list[int | Base]:
    """Return what the ``COPY --from`` and ``RUN --mount=from=`` of a stage mean, in order."""
    found = [source for step in stage_steps(plan, stage) for source in sources_of(step)]
    return [copied_from(plan, stage, source=source) for source in found]


def sources_of(step: Instruction) -> list[str]:
    """Return what an instruction copies or mounts from, as it is written: stages, their numbers, images."""
    froms = [step.flags.get("from", "")] if step.name == "COPY" else []
    froms += [read_mount(text).origin for text in step.mounts]
    return [source for source in froms if source]


class _Planner:
    def __init__(self, dockerfile: Dockerfile, spec: BuildSpec, *, machine: Platform) -> None:
        self._dockerfile = dockerfile
        self._spec = spec
        platform = {**platform_args("BUILD", machine), **platform_args("TARGET", spec.platform)}
        self._scope = Scope(escape=dockerfile.escape, env={}, args={**platform, **_used_proxies(spec)})
        self._machine_names = platform
        self._above: dict[str, str] = {}
        self._declared: set[str] = set()
        self.stages: list[Stage] = []
        self.top: list[Instruction] = []
        self.problems: list[BuildProblem] = []

    @property
    def given(self) -> Given:
        """Variables as they are when the first stage starts."""
        return Given(self._spec.args, self._machine_names, self._above)

    def run(self) -> None:
        """Cut the instructions into stages."""
        opening: Instruction | None = None
        steps: list[Instruction] = []
        for instruction in self._dockerfile.instructions:
            if instruction.name == "ARG":
                self._declared |= {name for name, _value in instruction.pairs}
            if instruction.name == "FROM":
                self._close(opening, steps)
                opening, steps = instruction, []
            elif opening is not None:
                steps.append(instruction)
            elif instruction.name == "ARG":
                self._declare(instruction)
            else:
                self._wrong(instruction, f"{instruction.name} stands before the first FROM")
        self._close(opening, steps)
        if opening is None and not self.problems and not self._dockerfile.problems:
            what, fix = "there is no FROM", "start with FROM image, or FROM scratch"
            self.problems.append(syntax_problem(self._dockerfile.name, 1, what=what, fix=fix))

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for each arg the user gave that no ARG declares."""
        unknown = sorted(set(self._spec.args) - self._declared - set(self._machine_names) - PROXY_ARGS)
        return tuple(f"the build arg {name} is declared by no ARG of {self._dockerfile.name}" for name in unknown)

    def _wrong(self, instruction: Instruction, what: str, *, fix: str = "") -> None:
        self.problems.append(syntax_problem(self._dockerfile.name, instruction.line, what=what, fix=fix))

    def _declare(self, instruction: Instruction) -> None:
        self.top.append(instruction)
        try:
            self._scope.declare(instruction, Given(self._spec.args, self._machine_names, {}))
        except WordError as error:
            self._wrong(instruction, str(error))
            return
        for name, _value in instruction.pairs:
            if name in self._scope.args:
                self._above[name] = self._scope.args[name]

    def _close(self, opening: Instruction | None, steps: Sequence[Instruction]) -> None:
        if opening is None:
            return
        try:
            image = self._scope.expand(opening.words[0])
            platform = self._platform(opening)
        except (WordError, InputError) as error:
            self._wrong(opening, str(error))
            image, platform = SCRATCH, self._spec.platform
        if not image:
            self._wrong(opening, "the image is empty after variables were replaced", fix="give the ARG a default")
        name = opening.words[2].lower() if len(opening.words) == 3 else ""
        if name and any(stage.name == name for stage in self.stages):
            self._wrong(opening, f"there is already a stage {name}")
        parent = next((stage.number for stage in self.stages if stage.name and stage.name == image.lower()), None)
        base = None if parent is not None or image == SCRATCH else Base(image, platform)
        if parent is not None and "platform" not in opening.flags:
            platform = self.stages[parent].platform
        self.stages.append(Stage(len(self.stages), name, opening, tuple(steps), parent, base, platform))

    def _platform(self, opening: Instruction) -> Platform:
        text = self._scope.expand(opening.flags.get("platform", ""))
        return Platform.parse(text) if text else self._spec.platform


def _used_proxies(spec: BuildSpec) -> dict[str, str]:
    return {name: value for name, value in spec.args.items() if name in PROXY_ARGS}


def _target(plan: StagePlan, target: str) -> int:
    if not target:
        return len(plan.stages) - 1
    number = plan.find(target, before=len(plan.stages))
    if number is None:
        names = ", ".join(stage.name or str(stage.number) for stage in plan.stages)
        raise InputError(
            f"The Dockerfile has no stage {target}", code="unknown-target", fix=f"use one of {names}", subject="target"
        )
    return number


def _needed(plan: StagePlan, target: int) -> tuple[int, ...]:
    needed, waiting = set(), [target]
    while waiting:
        number = waiting.pop()
        if number in needed:
            continue
        needed.add(number)
        stage = plan.stages[number]
        waiting += [source for source in copied_stages(plan, stage) if isinstance(source, int)]
        waiting += [stage.parent] if stage.parent is not None else []
    # A stage refers to earlier ones only, so ascending order builds each after what it needs.
    return tuple(sorted(needed))
