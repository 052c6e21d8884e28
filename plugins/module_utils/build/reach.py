# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build can reach in its context, found without building: mistakes are told early, other files do not count."""

from __future__ import annotations

import typing as t

from ..model.errors import UnsupportedError
from .base import BuildProblem
from .copying import CopyError, find_sources
from .lexer import heredoc_mark, shown
from .scope import Scope
from .stages import stage_steps
from .words import WordError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .parser import Instruction
    from .stages import Stage, StagePlan
    from .tree import Parts, Tree

_REMOTE = ("http://", "https://", "git://", "git@", "ssh://", "ftp://")


class Reach(t.NamedTuple):
    """Paths of the context that some COPY or ADD takes (None: cannot be known, so all), and what is wrong."""

    paths: frozenset[Parts] | None
    problems: tuple[BuildProblem, ...]


def find_reach(plan: StagePlan, context_tree: Callable[[], Tree]) -> Reach:
    """Return what the needed stages take from the context, which is walked only if one of them takes something.

    A word with a variable that a base image could set is not known. Triggers of base images are not counted.

    Raises:
        UnsupportedError: build-needs-run or add-url, naming the line.
    """
    finder = _Finder(plan, context_tree)
    for number in plan.needed:
        finder.follow(plan.stages[number])
    return Reach(None if finder.is_open else frozenset(finder.paths), tuple(finder.problems))


def refuse_run(instruction: Instruction) -> UnsupportedError:
    """Return the error for a RUN, which native builds cannot do."""
    return UnsupportedError(
        f"{instruction.where}: RUN needs a container, and native builds start none",
        code="build-needs-run",
        why=shown(instruction.text),
        fix="start from an image in which this was run, or copy the result from one with COPY --from",
        subject=instruction.where,
    )


def refuse_remote(instruction: Instruction, source: str) -> None:
    """Do nothing for a source that is a path.

    Raises:
        UnsupportedError: add-url, for an address.
    """
    if instruction.name == "ADD" and source.startswith(_REMOTE):
        raise UnsupportedError(
            f"{instruction.where}: ADD of an address cannot be built without an engine",
            code="add-url",
            why=shown(instruction.text.partition("?")[0]),
            fix="download it first (ansible.builtin.get_url with a checksum) and ADD the file",
            subject=instruction.where,
        )


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
        self.is_open = False
        self.paths: set[Parts] = set()
        self.problems: list[BuildProblem] = []

    def follow(self, stage: Stage) -> None:
        """Note what one stage takes; stages come in order."""
        above: _KnownScope | None = self._scopes.get(stage.parent) if stage.parent is not None else None
        env: Mapping[str, str] = above.env if above is not None else {}
        scope = _KnownScope(escape=self._plan.escape, env=env, args=above.args if above is not None else {})
        scope.is_open = stage.base is not None or (above is not None and above.is_open)
        self._scopes[stage.number] = scope
        for step in stage_steps(self._plan, stage):
            try:
                self._step(step, scope)
            except (WordError, CopyError) as error:
                self.problems.append(line_problem(step, error))

    def _step(self, step: Instruction, scope: _KnownScope) -> None:
        if step.name == "RUN":
            raise refuse_run(step)
        try:
            if step.name == "ARG":
                scope.declare(step, self._plan.given)
            elif step.name == "ENV":
                scope.env.update(scope.expanded_pairs(step))
        except _UnknownVariable:
            for name, _value in step.pairs:
                scope.env.pop(name, None)
        if step.name in ("COPY", "ADD") and not step.flags.get("from"):
            for word in step.words[:-1]:
                self._take(step, word, scope=scope)

    def _take(self, step: Instruction, word: str, *, scope: _KnownScope) -> None:
        if step.heredocs and heredoc_mark(word, escape=scope.escape) is not None:
            return
        refuse_remote(step, word)
        try:
            pattern = scope.expand(word)
        except _UnknownVariable:
            self.is_open = True
            return
        refuse_remote(step, pattern)
        tree = self._context_tree()
        for source in find_sources(tree, pattern, outside="the context"):
            self.paths.add(source.written)
            self.paths.add(source.real)
            self.paths.update(parts for parts, _node in source.node.walk(source.real))
