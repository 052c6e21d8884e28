# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containers, parents and digests beside tags mean for what goes, and engines that know an image by its config."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, UnsupportedError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Container, Look
from ansible_collections.fleet.images.plugins.module_utils.model.reference import ImageId, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Untag
from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import look_for
from ansible_collections.fleet.images.tests.support.images import make_index
from ansible_collections.fleet.images.tests.support.memory_engine import DOCKER, TARGET, MemoryEngine
from ansible_collections.fleet.images.tests.unit.plan.stories import (
    BOTH,
    NOTHING,
    ONE,
    TWO,
    Story,
    absent,
    built,
    image,
    present,
    short,
)

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan

WEB = Container("web")


@pytest.fixture
def docker(story: Story) -> Story:
    story.host = MemoryEngine(abilities=DOCKER)
    return story


def untags(plan: Plan) -> list[tuple[str, tuple[str, ...], bool]]:
    """Return name, deleted IDs and is_used of each removal."""
    return [
        (action.reference.familiar, action.deletes, action.is_used)
        for action in plan.actions
        if isinstance(action, Untag)
    ]


# --- containers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["app:1", ONE.config.digest[7:], f"app@{ONE.digest}"])
def test_an_image_in_use_is_not_removed_unless_told_so(docker: Story, wanted: str) -> None:
    docker.host.hold(ONE, "app:1")
    docker.host.containers[ONE.config.digest] = (WEB, Container("db", False))
    with pytest.raises(ConflictError) as caught:
        docker.plan(absent(wanted))
    assert (caught.value.code, caught.value.subject) == ("image-in-use", "images[0]")
    assert caught.value.why == "app:1 is used by db, web"


def test_an_image_in_use_that_is_skipped_keeps_all_its_names(docker: Story) -> None:
    docker.host.hold(ONE, "app:1", "other:1")
    docker.host.containers[ONE.config.digest] = (WEB,)
    plan = docker.plan(absent(ONE.config.digest[7:]), in_use="skip")
    assert plan.text() == NOTHING
    assert [(row.action, row.cause) for row in plan.rows] == [("none", "in use by web")]
    assert plan.warnings == ("app:1, other:1 stay although wanted absent: in use by web",)


@pytest.mark.parametrize(("holds", "deletes"), [(True, ()), (False, (ONE.config.digest,))])
def test_a_name_that_goes_nonetheless_leaves_the_image_to_containers_that_hold_it(
    docker: Story, holds: bool, deletes: tuple[str, ...]
) -> None:
    docker.host.hold(ONE, "app:1", "other:1")
    docker.host.containers[ONE.config.digest] = (Container("web", holds),)
    plan = docker.plan(absent(ONE.config.digest[7:]), in_use="untag")
    assert untags(plan) == [("app:1", (), False), ("other:1", deletes, True)]


def test_containers_do_not_matter_while_a_name_stays(docker: Story) -> None:
    docker.host.hold(ONE, "app:1", "other:1")
    docker.host.containers[ONE.config.digest] = (WEB,)
    assert untags(docker.plan(absent("app:1"))) == [("app:1", (), False)]


def test_unlisted_names_of_images_in_use_stay_and_are_told(docker: Story) -> None:
    docker.host.hold(ONE, "old:1")
    docker.host.hold(TWO, "older:1")
    docker.host.containers[ONE.config.digest] = (WEB,)
    plan = docker.plan(removes_unlisted=True, in_use="skip")
    assert plan.text() == f"Plan: 1 to untag; 0 B to move.\n  - untag older:1  {short(TWO)}  (not listed)\n"
    assert [(row.name, row.action, row.cause) for row in plan.rows] == [
        ("docker.io/library/old:1", "none", "in use by web"),
        ("docker.io/library/older:1", "untag", "not listed"),
    ]
    with pytest.raises(ConflictError) as caught:
        docker.plan(removes_unlisted=True)
    assert (caught.value.code, caught.value.subject) == ("image-in-use", "unlisted")


# --- parents ------------------------------------------------------------------------------------------------------


def test_nameless_parents_go_along_unless_something_needs_them(docker: Story) -> None:
    docker.host.hold(ONE, "app:1")
    base = docker.host.hold(TWO).id
    root = docker.host.hold(image(3), "root:1").id
    docker.host.parents = {ONE.config.digest: base, base: root}
    assert untags(docker.plan(absent("app:1"))) == [("app:1", (ONE.config.digest, base), False)]
    assert untags(docker.plan(absent("app:1"), prunes=False)) == [("app:1", (ONE.config.digest,), False)]
    docker.host.containers[base] = (Container("idle", False),)
    assert untags(docker.plan(absent("app:1"))) == [("app:1", (ONE.config.digest,), False)]


def test_an_image_that_others_were_built_on_stays_without_its_name(docker: Story) -> None:
    docker.host.hold(ONE, "base:1")
    docker.host.parents = {docker.host.hold(TWO, "app:1").id: ONE.config.digest}
    assert untags(docker.plan(absent("base:1"))) == [("base:1", (), False)]


# --- digests beside tags ------------------------------------------------------------------------------------------


def test_the_digest_that_a_moved_tag_leaves_behind_goes_without_being_told_when_it_is_not_listed(docker: Story) -> None:
    docker.host.hold(ONE, "app:1")
    docker.registries.push("app:1", TWO)
    kept = docker.plan(present("app:1", pull="newer"))
    assert (kept.names_after, kept.leftovers) == ({"docker.io/library/app:1": TWO.digest}, ())
    plan = docker.plan(present("app:1", pull="newer"), removes_unlisted=True)
    assert (plan.text(), plan.diff(), plan.rows) == (kept.text(), kept.diff(), kept.rows)
    (left,) = plan.leftovers
    assert (left.reference.familiar, left.deletes) == (f"app@{ONE.digest}", (ONE.config.digest,))
    pinned = docker.plan(present("app:1", pull="newer"), present(f"app@{ONE.digest}"), removes_unlisted=True)
    assert pinned.leftovers == ()


def test_a_moved_index_over_the_same_image_is_pulled_by_every_engine(docker: Story) -> None:
    docker.host.hold(BOTH.images[0], "app:1", index=BOTH)
    other = make_index([BOTH.images[0], image(9, platform="linux/arm64")])
    docker.registries.push("app:1", other)
    assert f"~ pull  app:1  {short(BOTH)} -> {short(other)}  (" in docker.text(present("app:1", pull="newer"))


def test_of_several_digests_of_an_image_the_one_that_is_wanted_is_shown(docker: Story) -> None:
    other = make_index([BOTH.images[0], image(9, platform="linux/arm64")])
    for name, made in (("app:1", BOTH), ("web:1", other)):
        docker.host.hold(BOTH.images[0], name, index=made)
        docker.registries.push(f"new/{name}", made)
    for name, made in (("app:1", BOTH), ("web:1", other)):
        for wanted in (f"new/{name}", f"new/{name}@{made.digest}"):
            plan = docker.plan(present(wanted))
            assert f"+ tag   new/{name}  {short(made)}  (the host holds these bytes" in plan.text()
            assert [str(row.digest) for row in plan.rows] == [made.digest]


def test_what_another_repository_calls_an_image_does_not_move_its_tag(docker: Story) -> None:
    """Docker knows what came by a mirror by its config; a digest that a push elsewhere gave it says nothing here."""
    again = make_index([BOTH.images[0], image(9, platform="linux/arm64")])
    docker.host.hold(BOTH.images[0], "app:1", is_pulled=False)
    docker.host.hold(BOTH.images[0], "pushed/app:1", index=again)
    docker.registries.push("app:1", BOTH)
    for wanted in (present("app:1", pull="newer"), present(f"app:1@{BOTH.digest}")):
        assert docker.plan(wanted).is_empty


# --- what is known of images --------------------------------------------------------------------------------------


def test_an_image_that_no_registry_knows_is_told_by_its_id_and_is_not_new(docker: Story) -> None:
    docker.host.hold(ONE, "app:1", is_pulled=False)
    docker.host.hold(TWO, "dev:1", is_pulled=False)
    before, after = short(TWO.config.digest), short(ONE.config.digest)
    assert docker.text(present("app:1", tags=["dev:1"])) == (
        "Plan: 1 to tag; 0 B to move.\n"
        f"  ~ tag   dev:1  image {before} -> image {after}  (it named another image)\n"
    )


def test_ids_are_those_of_what_names_point_at_where_the_engine_says_so(story: Story) -> None:
    story.host = MemoryEngine(abilities=TARGET)
    story.registries.push("app:1", BOTH)
    assert story.plan(present("app:1")).rows[0].image_id == BOTH.digest


def test_an_engine_that_cannot_be_told_a_platform_is_told_of(docker: Story) -> None:
    docker.host = MemoryEngine(abilities=DOCKER._replace(chooses_platform=False))
    docker.registries.push("app:1", BOTH)
    with pytest.raises(UnsupportedError) as caught:
        docker.plan(present("app:1", platform="arm64"))
    assert (caught.value.code, caught.value.subject) == ("engine-too-old", "images[0].platform")


def test_a_push_of_an_image_whose_manifest_is_made_anew_has_no_digest_yet(docker: Story) -> None:
    docker.host.hold(ONE, "app:1")
    plan = docker.plan(present("app:1", push=["r.test/app:1"]))
    assert plan.text() == "Plan: 1 to push; 0 B to move.\n  + push  r.test/app:1  (new)  (not at the registry)\n"
    docker.registries.push("r.test/app:1", ONE)
    assert docker.text(present("app:1", push=["r.test/app:1"])) == NOTHING


def test_the_host_is_asked_for_containers_and_parents_only_when_something_may_go() -> None:
    def look(*items: t.Any, removes_unlisted: bool = False) -> Look:
        return look_for(Desired(items, removes_unlisted))

    name = parse_reference("app:1")
    assert look(present("app:1")) == Look()
    assert look(absent("app:1")) == look(removes_unlisted=True) == Look(True, True)
    assert look(present("app:1", platform="arm64")) == look(built("app:1", "k")) == Look(details_of=frozenset({name}))


def test_what_a_digest_names_is_looked_at_under_any_name_when_it_is_pushed() -> None:
    pinned = parse_reference(f"app:1@{ONE.digest}")
    look = look_for(Desired((present(str(pinned), push=["r.test/app:1"]),)))
    assert look.details_of == {pinned, pinned.without_digest(), ImageId(ONE.digest[len("sha256:") :])}


def test_a_pinned_digest_that_a_tag_comes_beside_does_not_stop_a_removal(docker: Story) -> None:
    docker.registries.push("app:1", ONE)
    docker.host.hold(TWO, "old:1")
    plan = docker.plan(present(f"app@{ONE.digest}"), present("app:1"), absent("old:1"))
    assert [action.reference.familiar for action in plan.actions if isinstance(action, Untag)] == ["old:1"]
