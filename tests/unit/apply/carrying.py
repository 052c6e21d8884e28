# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plans are carried out with in tests: a patience without retries and registries that fail."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.execute import Host, apply_plan
from ansible_collections.fleet.images.plugins.module_utils.apply.sources import NO_MIRRORS, Mirrors
from ansible_collections.fleet.images.plugins.module_utils.apply.transfer import Patience
from ansible_collections.fleet.images.plugins.module_utils.model.errors import UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.model.mirror import Mirror
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.tests.support.memory_daemon import MemoryDaemon
from ansible_collections.fleet.images.tests.support.memory_engine import MemoryRepository

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
    from ansible_collections.fleet.images.plugins.module_utils.apply.watch import Watch
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import ReadStream
    from ansible_collections.fleet.images.tests.support.images import MadeImage
    from ansible_collections.fleet.images.tests.unit.plan.stories import Story

NO_RETRY = Patience(2, lambda failures, elapsed: None)
ONE_BY_ONE = NO_RETRY._replace(parallel=1)


def steadily(retries: int, pauses: list[float], parallel: int = 2) -> Patience:
    """Return a patience that allows ``retries``, with a pause of 1, 2, 3 … seconds that is noted and not waited."""
    return Patience(parallel, lambda failures, elapsed: float(failures) if failures <= retries else None, pauses.append)


def apply(
    story: Story,
    plan: Plan,
    *,
    patience: Patience = NO_RETRY,
    build: t.Any = None,
    mirrors: Mirrors = NO_MIRRORS,
    keeps_index: bool = False,
    watch: Watch | None = None,
) -> Outcome:
    """Carry out ``plan`` in the world of ``story``."""
    host = Host(
        story.host,
        lambda: story.host.content,
        build or (lambda spec: pytest.fail("nothing is to be built")),
        story.host if isinstance(story.host, MemoryDaemon) else None,
        keeps_index,
    )
    return apply_plan(plan, host=host, registry=story.registries, patience=patience, mirrors=mirrors, watch=watch)


def mirrors_of(story: Story, *locations: str, prefix: str = "r.test") -> Mirrors:
    """Return mirrors of the registry ``prefix``, which lie in the world of ``story``, too."""
    return Mirrors([Mirror(prefix, location) for location in locations], open=story.registries)


class Down(MemoryRepository):
    """A repository that cannot be reached; ``asked`` is how often somebody tried."""

    def __init__(self, code: str = "connection-refused", kind: type[ImagesError] = UnavailableError) -> None:
        super().__init__([], "down")
        self._kind = kind
        self._code = code
        self.asked = 0

    def _fail(self, *_what: object, **_more: object) -> t.NoReturn:
        self.asked += 1
        raise self._kind("no answer", code=self._code, why="nobody is there")

    resolve = fetch_manifest = has = read = open = write = _fail


class Failing(MemoryRepository):
    """A repository whose blobs fail to open in a given way, so many times (each)."""

    def __init__(self, error: ImagesError, *, times: int = 1_000_000, digests: t.Collection[str] = ()) -> None:
        super().__init__([], "failing")
        self._error = error
        self._times = times
        self._digests = digests
        self.attempts: list[str] = []

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        name = str(descriptor.digest)
        self.attempts.append(name)
        if (not self._digests or name in self._digests) and self.attempts.count(name) <= self._times:
            raise self._error
        return super().open(descriptor, offset)


def serve(story: Story, repository: MemoryRepository, *names: tuple[str, MadeImage]) -> None:
    """Let ``repository`` be the one in which all of ``names`` lie."""
    for name, made in names:
        reference = parse_reference(name)
        story.registries.place(reference, repository)
        story.registries.push(name, made)
