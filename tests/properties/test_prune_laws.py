# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of pruning, over generated hosts: it does what it announced, once, and what is used or protected stays."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.apply.transfer import Patience
from ansible_collections.fleet.images.plugins.module_utils.model.host import Container, Look
from ansible_collections.fleet.images.plugins.module_utils.plan.patterns import is_match
from ansible_collections.fleet.images.plugins.module_utils.plan.pruning import Prune
from ansible_collections.fleet.images.plugins.module_utils.task.pruning import PruneRun
from ansible_collections.fleet.images.tests.properties.test_plan_laws import law
from ansible_collections.fleet.images.tests.support.memory_engine import DOCKER, EMBEDDED, TARGET, MemoryEngine
from ansible_collections.fleet.images.tests.unit.plan.stories import image
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
    from ansible_collections.fleet.images.plugins.module_utils.task.session import Session

IMAGES = [image(seed) for seed in range(4)]
NAMES = ["app:1", "app:2", "other:1", "r.test/team/app:1", "keep:1"]


class MemorySession:
    """What pruning needs of a Session, around an engine in memory."""

    def __init__(self, engine: MemoryEngine) -> None:
        self.engine = engine

    def content(self) -> t.NoReturn:
        raise AssertionError("pruning needs no content")

    def registry(self, reference: Reference) -> t.NoReturn:
        raise AssertionError(f"pruning asks no registry about {reference}")

    def patience(self) -> Patience:
        return Patience(1, lambda _failures, _elapsed: None)


@st.composite
def hosts(draw: st.DrawFn) -> MemoryEngine:
    """Return a host with a few images: named, moved away from, nameless, used, and built on each other."""
    host = MemoryEngine(abilities=draw(st.sampled_from([EMBEDDED, DOCKER, TARGET])))
    held = [host.hold(made, *draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))) for made in IMAGES]
    for number, row in enumerate(held):
        if draw(st.integers(0, 3)) == 0:
            host.containers[row.id] = (Container(f"c{number}", holds_image=draw(st.booleans())),)
        if host.abilities == DOCKER and number and draw(st.booleans()):
            host.parents[row.id] = held[draw(st.integers(0, number - 1))].id
    return host


rules = st.builds(
    Prune,
    takes_named=st.booleans(),
    protect=st.sampled_from([(), ("keep:*",), ("*team/*", "other:1"), ("*@*",)]),
    newest=st.integers(0, 1),
)


def prune(host: MemoryEngine, rule: Prune, *, is_dry: bool) -> dict[str, t.Any]:
    run = PruneRun(rule, session=t.cast("Session", MemorySession(host)), takes_caches=False)
    return run.result(is_dry=is_dry)


@law
@given(hosts(), rules)
def test_what_is_announced_is_done_and_the_next_time_nothing_is(host: MemoryEngine, rule: Prune) -> None:
    names = dict(host.names)
    announced = prune(host, rule, is_dry=True)
    assert host.names == names
    assert prune(host, rule, is_dry=False) == announced
    assert {str(name) for name in names.keys() - host.names.keys() if name.tag} == {
        name for name in announced["untagged"] if "@" not in name
    }
    again = prune(host, rule, is_dry=True)
    assert (again["changed"], again["images"]) == (False, [])


@law
@given(hosts(), rules)
def test_what_is_used_or_protected_or_has_a_name_stays(host: MemoryEngine, rule: Prune) -> None:
    before = host.observe(Look(containers=True)).images
    kept = {
        name
        for row in before
        if row.used_by
        or any(is_match(name, pattern) for name in (*row.names, *row.digest_names) for pattern in rule.protect)
        or (not rule.takes_named and any(name.tag for name in row.names))
        for name in row.names
    }
    used = {row.id for row in before if row.used_by}
    result = prune(host, rule, is_dry=False)
    after = host.observe().images
    assert kept <= {name for row in after for name in row.names}
    assert used <= {row.id for row in after}
    assert used.isdisjoint(result["deleted"])


@law
@given(hosts(), rules)
def test_the_images_told_as_deleted_are_those_that_are_gone(host: MemoryEngine, rule: Prune) -> None:
    look = Look(parents=True)
    before = {row.id for row in host.observe(look).images}
    deleted = prune(host, rule, is_dry=False)["deleted"]
    assert len(deleted) == len(set(deleted))
    assert set(deleted) == before - {row.id for row in host.observe(look).images}
