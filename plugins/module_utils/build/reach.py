# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build can reach in its context, found without building: mistakes are told early, other files do not count."""

from __future__ import annotations

import re
import typing as t

from .base import BuildProblem
from .copying import CopyError, find_sources
from .lexer import heredoc_mark, shown
from .mounts import read_mount
from .obstacles import add_url, is_remote, obstacle
from .scope import Scope
from .stages import stage_steps
from .words import WordError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..model.errors import UnsupportedError
    from .copying import Source
    from .parser import Instruction
    from .stages import Stage, StagePlan
    from .tree import Parts, Tree


class Reach(t.NamedTuple):
    """Paths of the context that some step takes (None: cannot be known, so all), and what is wrong.

    ``obstacles`` are the errors for the steps that a native build cannot do, ``used`` the names of args that steps see
    without naming them: a command of a RUN finds them in its environment.
    """

    paths: frozenset[Parts] | None
    problems: tuple[BuildProblem, ...]
    obstacles: tuple[UnsupportedError, ...] = ()
    used: frozenset[str] = frozenset()


def find_reach(plan: StagePlan, context_tree: Callable[[], Tree]) -> Reach:
    """Return what the needed stages take from the context, which is walked only if one of them takes something.

    A word with a variable that a base image could set is not known. Triggers of base images are not counted.

    Raises:
        InputError: the context cannot be read.
    """
    finder = _Finder(plan, context_tree)
    for number in plan.needed:
        finder.follow(plan.stages[number])
    paths = None if finder.is_open else frozenset(finder.paths)
    return Reach(paths, tuple(finder.problems), tuple(finder.obstacles), frozenset(finder.used))


def line_problem(instruction: Instruction, error: WordError | CopyError) -> BuildProblem:
    """Return the problem that ``error`` is at the line of ``instruction``."""
    what = f"{error}: {shown(instruction.text)}"
    if isinstance(error, CopyError):
        return BuildProblem(error.code, instruction.where, what, error.fix)
    return BuildProblem("dockerfile-syntax", instruction.where, what)


class _UnknownVariable(Exception):  # noqa: N818  (a signal, no failure)
    """A base image may set it."""


class _KnownScope(Scope):
    """A scope of which the base's environment is not known (``is_open``)."""

    is_open = False

    def lookup(self, name: str) -> str | None:
        """Return the value, unless only the base knows."""
        if name not in self.env and self.is_open:
            raise _UnknownVariable
        return super().lookup(name)


class _Finder:
    def __init__(self, plan: StagePlan, context_tree: Callable[[], Tree]) -> None:
        self._plan = plan
        self._context_tree = context_tree
        self._scopes: dict[int, _KnownScope] = {}
        self._declared: dict[int, frozenset[str]] = {}
        self.is_open = False
        self.obstacles: list[UnsupportedError] = []
        self.used: set[str] = set()
        self.paths: set[Parts] = set()
        self.problems: list[BuildProblem] = []

    def follow(self, stage: Stage) -> None:
        """Note what one stage takes; stages come in order."""
        above: _KnownScope | None = self._scopes.get(stage.parent) if stage.parent is not None else None
        env: Mapping[str, str] = above.env if above is not None else {}
        scope = _KnownScope(escape=self._plan.escape, env=env, args=above.args if above is not None else {})
        scope.is_open = stage.base is not None or (above is not None and above.is_open)
        self._scopes[stage.number] = scope
        declared = self._declared.get(stage.parent, frozenset()) if stage.parent is not None else frozenset()
        self._note_obstacle(stage.opening)
        for step in stage_steps(self._plan, stage):
            declared |= {name for name, _value in step.pairs} if step.name == "ARG" else set()
            if step.name == "RUN" or not step.is_known:
                self.used |= declared
            try:
                self._step(step, scope)
            except (WordError, CopyError) as error:
                self.problems.append(line_problem(step, error))
        self._declared[stage.number] = declared

    def _note_obstacle(self, step: Instruction) -> None:
        found = obstacle(step)
        self.obstacles += [found] if found is not None else []
        # RUN takes nothing by itself, and those of FROM say nothing of files.
        self.is_open |= not step.is_known or (step.name in ("COPY", "ADD", "RUN") and bool(step.engine_flags))

    def _step(self, step: Instruction, scope: _KnownScope) -> None:
        self._note_obstacle(step)
        for mount in map(read_mount, step.mounts):
            if mount.reads_context:
                self._take_mount(step, mount.source, scope=scope)
        try:
            if step.name == "ARG":
                scope.declare(step, self._plan.given)
            elif step.name == "ENV":
                scope.env.update(scope.expanded_pairs(step))
        except _UnknownVariable:
            for name, _value in step.pairs:
                scope.env.pop(name, None)
        if step.name in ("COPY", "ADD") and not step.flags.get("from") and not step.engine_flags:
            for word in step.words[:-1]:
                self._take(step, word, scope=scope)

    def _take(self, step: Instruction, word: str, *, scope: _KnownScope) -> None:
        if step.heredocs and heredoc_mark(word, escape=scope.escape) is not None:
            return
        try:
            pattern = word if is_remote(step, word) else scope.expand(word)
        except _UnknownVariable:
            self.is_open = True
            return
        if is_remote(step, pattern):
            self.obstacles.append(add_url(step))
            return
        tree = self._context_tree()
        self._add(find_sources(tree, pattern, outside="the context"))

    def _add(self, sources: Iterable[Source]) -> None:
        for source in sources:
            self.paths.add(source.written)
            self.paths.add(source.real)
            self.paths.update(parts for parts, _node in source.node.walk(source.real))

    def _take_mount(self, step: Instruction, word: str, *, scope: _KnownScope) -> None:
        """Note what a RUN sees through a bind mount: one path, no wildcards."""
        try:
            pattern = scope.expand(word)
        except _UnknownVariable:
            self.is_open = True
            return
        tree = self._context_tree()
        self._add(find_sources(tree, re.sub(r"([*?\[\\])", r"\\\1", pattern), outside="the context"))
