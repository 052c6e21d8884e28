# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes when a host is pruned, and what stays; told by hosts in memory."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.host import Container, LocalImage, Look, Observed
from ansible_collections.fleet.images.plugins.module_utils.plan.pruning import (
    Leftover,
    Prune,
    Pruning,
    plan_prune,
    unclear,
)
from ansible_collections.fleet.images.tests.support.images import MadeImage
from ansible_collections.fleet.images.tests.support.memory_engine import DOCKER, MemoryEngine
from ansible_collections.fleet.images.tests.unit.plan.stories import NOTHING, image, short

ONE, TWO, THREE = image(1), image(2), image(3)
ALL = Prune(takes_named=True)
YEAR = 365 * 86400.0


class Pruned:
    """A host to be pruned. What ``facts`` say of an image goes over what the host tells."""

    def __init__(self) -> None:
        self.host = MemoryEngine(abilities=DOCKER)
        self.facts: dict[str, dict[str, t.Any]] = {}

    def plan(self, rule: Prune, *leftovers: Leftover) -> Pruning:
        """Return the plan of ``rule``."""
        return plan_prune(rule, self.observed(), leftovers=leftovers)

    def observed(self) -> Observed:
        seen = self.host.observe(Look(containers=True, parents=True))
        images = [image._replace(**self.facts.get(image.id, {})) for image in seen.images]
        return Observed(images, engine=seen.engine, platform=seen.platform, abilities=seen.abilities)

    def gone(self, rule: Prune) -> list[str]:
        """Return the first names of what goes."""
        return [row.name for row in self.plan(rule).plan.rows]

    def know(self, held: LocalImage, **facts: t.Any) -> None:
        """Let the host tell something of an image."""
        self.facts[held.id] = facts


@pytest.fixture
def pruned() -> Pruned:
    return Pruned()


def test_an_image_without_a_name_goes_and_named_ones_stay(pruned: Pruned) -> None:
    pruned.host.hold(ONE, "app:1")
    bare = pruned.host.hold(TWO)
    pruning = pruned.plan(Prune())
    assert [(row.name, row.action, row.cause) for row in pruning.plan.rows] == [(bare.id, "drop", "no name")]
    assert pruning.plan.text() == (
        f"Plan: 1 to drop; 0 B to move.\n  - drop  {bare.id[:19]}  image {bare.id[:19]}  (no name)\n"
    )
    assert list(pruning.plan.names_before) == [f"(no name) {bare.id[:19]}"]
    assert pruning.gone == pruning.images == tuple(row for row in pruned.observed().images if row.id == bare.id)


def test_where_moved_tags_leave_digests_an_image_without_a_tag_goes_by_these(pruned: Pruned) -> None:
    pruned.host.hold(ONE, "app:1")
    pruned.host.hold(TWO, "app:1")
    plan = pruned.plan(Prune()).plan
    assert plan.text() == (
        "Plan: 1 to untag; 0 B to move.\n"
        f"  - untag app@{ONE.digest}  {short(ONE)}  (no tag)\n"
    )
    assert pruned.gone(Prune(protect=("*@sha256:*",))) == []


def test_unused_images_go_with_all_of_their_names_at_once(pruned: Pruned) -> None:
    pruned.host.hold(ONE, "app:1", "other:1")
    pruned.host.hold(TWO, "used:1")
    pruned.host.containers[TWO.config.digest] = (Container("web", holds_image=False),)
    pruning = pruned.plan(ALL)
    assert [action.reference.familiar for action in pruning.plan.actions] == ["app:1", "other:1"]
    assert [row.name for row in pruning.plan.rows] == ["docker.io/library/app:1"]
    assert [row.id for row in pruning.gone] == [ONE.config.digest]


def test_a_protected_name_keeps_its_image_with_all_names(pruned: Pruned) -> None:
    pruned.host.hold(ONE, "app:1", "keep/me:1")
    pruned.host.hold(TWO, "app:2")
    assert pruned.gone(Prune(takes_named=True, protect=("keep/*",))) == ["docker.io/library/app:2"]
    assert pruned.gone(Prune(takes_named=True, protect=("docker.io/*",))) == []


def test_labels_choose_what_goes(pruned: Pruned) -> None:
    pruned.know(pruned.host.hold(ONE, "app:1"), labels={"team": "web", "keep": ""})
    pruned.know(pruned.host.hold(TWO, "app:2"), labels={"team": "web"})
    pruned.know(pruned.host.hold(THREE, "app:3"), labels={"team": "db"})
    assert pruned.gone(ALL._replace(labels=("team=web",))) == ["docker.io/library/app:1", "docker.io/library/app:2"]
    assert pruned.gone(ALL._replace(labels=("team=web", "keep"))) == ["docker.io/library/app:1"]
    assert pruned.gone(ALL._replace(other_labels=("keep", "team=db"))) == ["docker.io/library/app:2"]


def test_what_is_younger_or_of_unknown_age_stays_and_is_told(pruned: Pruned) -> None:
    pruned.know(pruned.host.hold(ONE, "app:1"), created="1971-01-01T00:00:00Z")
    pruned.know(pruned.host.hold(TWO, "app:2"), created="1972-01-01T00:00:00Z")
    pruned.know(pruned.host.hold(THREE, "app:3"), created="1970-01-01T00:00:00Z")
    pruning = pruned.plan(ALL._replace(before=1.5 * YEAR))
    assert [row.name for row in pruning.plan.rows] == ["docker.io/library/app:1"]
    (warning,) = pruning.plan.warnings
    assert warning.startswith("1 image stays because nothing tells")


def test_the_newest_of_each_repository_stay_used_or_not(pruned: Pruned) -> None:
    for year, made in enumerate((ONE, TWO, THREE), start=1971):
        pruned.know(pruned.host.hold(made, f"app:{year}"), created=f"{year}-01-01T00:00:00Z")
    pruned.host.hold(TWO, "other:1")
    assert pruned.gone(ALL._replace(newest=1)) == ["docker.io/library/app:1971"]
    pruned.host.containers[THREE.config.digest] = (Container("web"),)
    assert pruned.gone(ALL._replace(newest=1)) == ["docker.io/library/app:1971"]
    assert pruned.gone(ALL._replace(newest=3)) == []


def test_what_a_staying_image_was_built_on_stays_and_goes_with_it(pruned: Pruned) -> None:
    pruned.host.hold(ONE, "base:1", is_pulled=False)
    bare = pruned.host.hold(TWO)
    pruned.host.hold(THREE, "app:1", is_pulled=False)
    pruned.host.parents = {THREE.config.digest: bare.id, bare.id: ONE.config.digest}
    assert pruned.gone(Prune()) == []
    assert pruned.gone(Prune(takes_named=True, protect=("app:*",))) == []
    pruning = pruned.plan(ALL)
    assert [row.name for row in pruning.plan.rows] == ["docker.io/library/app:1", "docker.io/library/base:1"]
    deleted = [image_id for action in pruning.plan.actions for image_id in getattr(action, "deletes", ())]
    assert sorted(deleted) == sorted([ONE.config.digest, TWO.config.digest, THREE.config.digest])
    assert len(pruning.gone) == 3


@pytest.mark.parametrize("keeps_bases", [True, False])
@pytest.mark.parametrize(("lower", "upper"), [(ONE, TWO), (TWO, ONE)])
def test_nameless_images_that_were_built_on_each_other_go_together(
    pruned: Pruned, lower: MadeImage, upper: MadeImage, keeps_bases: bool
) -> None:
    low, high = pruned.host.hold(lower), pruned.host.hold(upper)
    pruned.host.parents = {high.id: low.id}
    observed = pruned.observed()
    abilities = observed.abilities._replace(keeps_bases=keeps_bases)
    host = Observed(observed.images, engine="any", platform=observed.platform, abilities=abilities)
    (action,) = plan_prune(Prune(), host).plan.actions
    assert getattr(action, "deletes", ()) == (high.id, low.id)


def test_two_images_under_one_name_go_only_together(pruned: Pruned) -> None:
    first, second = pruned.host.hold(ONE, "app:1"), pruned.host.hold(TWO, "app:2")
    pruned.know(first, names=(*first.names, *second.names), labels={"keep": ""})
    assert pruned.gone(ALL._replace(other_labels=("keep",))) == []


def test_leftovers_are_cleared_after_all_images(pruned: Pruned) -> None:
    pruned.host.hold(ONE)
    plan = pruned.plan(Prune(), Leftover("/cache", "nobody needs it", 2048)).plan
    assert [action.kind for action in plan.actions] == ["drop", "clear"]
    assert plan._replace(frees=4096).text().splitlines()[0] == "Plan: 1 to drop, 1 to clear; 4.0 KiB to free at most."
    assert plan.text().splitlines()[-1] == f"  - clear /cache{' ' * 13}  2.0 KiB  (nobody needs it)"
    assert plan.actions[-1].to_json()["image"] == "/cache"


def test_nothing_to_prune_is_no_plan(pruned: Pruned) -> None:
    pruned.host.hold(ONE, "app:1")
    assert pruned.plan(Prune()).plan.text() == NOTHING


def test_only_of_what_may_go_more_is_asked(pruned: Pruned) -> None:
    pruned.know(pruned.host.hold(ONE, "app:1"), size=0)
    pruned.know(pruned.host.hold(TWO, "keep:1"), size=0)
    pruned.host.hold(THREE, "app:3")
    rule = Prune(takes_named=True, protect=("keep:*",))
    assert [image.id for image in unclear(rule, pruned.observed())] == [ONE.config.digest]
    assert unclear(Prune(), pruned.observed()) == []
