# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What names lead to: tags, pushes, builds, short names, and items that depend on earlier ones."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ApplyError
from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Push
from ansible_collections.fleet.images.plugins.module_utils.plan.world import Pending
from ansible_collections.fleet.images.tests.unit.plan.stories import (
    BOTH,
    NOTHING,
    ONE,
    SPACES,
    TWO,
    Story,
    absent,
    built,
    image,
    present,
    short,
    size,
)

# --- tags ---------------------------------------------------------------------------------------------------------


def test_several_tags_follow_the_pull_they_wait_for(story: Story) -> None:
    story.host.hold(TWO, "app:stable")
    story.registries.push("app:1", ONE)
    plan = story.plan(present("app:1", tags=["app:latest", "app:stable"]))
    lacking = plan.actions[0].size
    assert plan.text() == (
        f"Plan: 1 to pull, 2 to tag; {lacking} B to move.\n"
        f"  + pull  app:1       {short(ONE)}  ({lacking} B, not on the host)\n"
        f"  + tag   app:latest  {short(ONE)}  (wanted as a further name)\n"
        f"  ~ tag   app:stable  {short(TWO)} -> {short(ONE)}  (it named another image)\n"
    )
    assert [action.needs for action in plan.actions] == [(), (1,), (1,)]


def test_a_tag_that_is_there_already_is_left(story: Story) -> None:
    story.host.hold(ONE, "app:1", "app:latest")
    assert story.text(present("app:1", tags=["app:latest"])) == NOTHING


def test_an_existing_tag_can_be_kept_with_a_warning(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.host.hold(TWO, "app:stable")
    plan = story.plan(present("app:1", tags=["app:stable", "app:new"], keep=True))
    assert [str(action.reference) for action in plan.actions] == ["docker.io/library/app:new"]
    assert plan.warnings == ("app:stable points at another image and is kept (existing_images: keep)",)


# --- push ---------------------------------------------------------------------------------------------------------


def test_an_image_that_its_registry_does_not_have_is_pushed(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    assert story.text(present("app:1", push=["r.test/app:1"])) == (
        f"Plan: 1 to push; {size(ONE)} B to move.\n"
        f"  + push  r.test/app:1  {short(ONE)}  ({size(ONE)} B, not at the registry)\n"
    )
    assert story.requests == ["HEAD r.test/app:1"]


def test_a_push_that_moves_a_tag_shows_both_digests(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.registries.push("r.test/app:1", TWO)
    plan = story.plan(present("app:1", push=["r.test/app:1"]))
    assert plan.text().endswith(
        f"  ~ push  r.test/app:1  {short(TWO)} -> {short(ONE)}  "
        f"({size(ONE)} B, the registry has another image under this tag)\n"
    )
    assert plan.names_before == {"r.test/app:1 (registry)": TWO.digest}
    assert plan.names_after == {"r.test/app:1 (registry)": ONE.digest}


def test_a_push_of_what_is_there_is_nothing_to_do(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.registries.push("r.test/app:1", ONE)
    assert story.text(present("app:1", push=["r.test/app:1"])) == NOTHING


def test_a_registry_that_has_the_whole_index_is_not_pushed_one_image(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.registries.push("r.test/app:1", BOTH)
    assert story.text(present("app:1", push=["r.test/app:1"])) == NOTHING


# --- build --------------------------------------------------------------------------------------------------------


def test_an_absent_image_is_built_and_its_push_waits_for_it(story: Story) -> None:
    plan = story.plan(built("app:dev", "k1", tags=["app:latest"], push=["r.test/app:dev"]))
    assert plan.text() == (
        "Plan: 1 to build, 1 to tag, 1 to push; 0 B to move.\n"
        "  + build app:dev         (new)  (not on the host)\n"
        "  + tag   app:latest      (new)  (wanted as a further name)\n"
        "  + push  r.test/app:dev  (new)  (built in this run)\n"
    )
    assert [action.needs for action in plan.actions] == [(), (1,), (1,)]
    push = plan.actions[2]
    assert isinstance(push, Push)
    assert push.source == Pending(1)
    assert plan.names_after["docker.io/library/app:dev"] == "(built in this run)"


@pytest.mark.parametrize(
    ("rebuild", "key", "cause"),
    [
        ("changed", "k1", ""),
        ("changed", "k2", "its inputs changed"),
        ("always", "k1", "rebuild: always"),
        ("never", "k2", ""),
    ],
)
def test_a_build_is_redone_when_its_inputs_differ_or_the_user_says_so(
    story: Story, rebuild: str, key: str, cause: str
) -> None:
    old = image(1, key="k1")
    story.host.hold(old, "app:dev")
    expected = (
        f"Plan: 1 to build; 0 B to move.\n  ~ build app:dev  {short(old)} -> (new)  ({cause})\n" if cause else NOTHING
    )
    assert story.text(built("app:dev", key, rebuild=rebuild)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("rebuild", ["changed", "never"])
def test_a_damaged_build_is_redone(story: Story, rebuild: str) -> None:
    old = image(1, key="k1")
    story.host.hold(old, "app:dev")
    story.host.content.lose(old.layers[0].digest)
    text = story.text(built("app:dev", "k1", rebuild=rebuild))  # type: ignore[arg-type]
    assert text.endswith("(1 of its parts is missing or damaged)\n")


def test_a_build_that_did_not_change_is_pushed_where_it_lacks(story: Story) -> None:
    old = image(1, key="k1")
    story.host.hold(old, "app:dev")
    text = story.text(built("app:dev", "k1", push=["r.test/app:dev"]))
    assert text.endswith(f"  + push  r.test/app:dev  {short(old)}  ({size(old)} B, not at the registry)\n")


# --- short names with several meanings ----------------------------------------------------------------------------


def test_the_first_meaning_that_exists_is_pulled(story: Story) -> None:
    story.registries.push("library/app:1", ONE)
    plan = story.plan(present("app:1", namespaces=SPACES))
    assert plan.rows[0].name == "docker.io/library/app:1"
    assert story.requests == ["GET docker.io/team/app:1", "GET docker.io/library/app:1"]


def test_the_meaning_that_the_host_has_is_taken_without_a_request(story: Story) -> None:
    story.host.hold(ONE, "library/app:1")
    story.registries.push("team/app:1", TWO)
    assert story.text(present("app:1", namespaces=SPACES)) == NOTHING
    assert story.requests == []


@pytest.mark.parametrize("is_index", [True, False])
def test_a_better_meaning_with_the_same_digest_is_only_named(story: Story, is_index: bool) -> None:
    story.registries.push("team/app:1", BOTH if is_index else ONE)
    story.host.hold(BOTH.images[0] if is_index else ONE, "library/app:1", index=BOTH if is_index else None)
    plan = story.plan(present("app:1", pull="newer", namespaces=SPACES))
    assert [(action.kind, str(action.reference)) for action in plan.actions] == [("tag", "docker.io/team/app:1")]


def test_an_item_that_may_mean_an_earlier_one_asks_for_itself(story: Story) -> None:
    story.registries.push("library/app:1", ONE)
    story.registries.push("team/app:1", TWO)
    plan = story.plan(present("app:1", namespaces=SPACES), present("library/app:1"))
    assert [str(action.reference) for action in plan.actions] == ["docker.io/team/app:1", "docker.io/library/app:1"]


def test_an_item_that_means_an_earlier_one_is_provided_by_it(story: Story) -> None:
    story.registries.push("library/app:1", ONE)
    wanted = present("app:1", namespaces=("none", "library"))
    for items in ([present("library/app:1"), wanted], [wanted, present("library/app:1")]):
        plan = story.plan(*items)
        assert [str(action.reference) for action in plan.actions] == ["docker.io/library/app:1"]
        assert plan.rows[1].cause == "an earlier item of this task provides it"


def test_an_absent_short_name_goes_by_the_meaning_that_is_there(story: Story) -> None:
    story.host.hold(ONE, "library/app:1")
    for name in ("app:1", f"app@{ONE.digest}"):
        plan = story.plan(absent(name, namespaces=SPACES))
        assert [str(action.reference) for action in plan.actions] == ["docker.io/library/app:1"]


# --- items that depend on earlier ones ----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["missing", "newer", "always", "never"])
def test_a_name_that_an_earlier_item_gives_is_not_asked_for(story: Story, policy: str) -> None:
    story.registries.push("app:1", ONE)
    items = (present("app:1", tags=["app:latest"]), present("app:latest", pull=policy))  # type: ignore[arg-type]
    plan = story.plan(*items)
    assert [(action.kind, action.reference.familiar) for action in plan.actions] == [
        ("pull", "app:1"),
        ("tag", "app:latest"),
    ]
    assert plan.rows[1].cause == "an earlier item of this task provides it"
    assert str(plan.rows[1].digest) == ONE.digest


@pytest.mark.parametrize("policy", ["missing", "newer", "always", "never"])
def test_a_name_that_an_earlier_item_found_in_place_is_not_asked_for(story: Story, policy: str) -> None:
    story.host.hold(ONE, "app:1", "app:latest")
    items = (present("app:1", tags=["app:latest"]), present("app:latest", pull=policy))  # type: ignore[arg-type]
    assert story.text(*items) == NOTHING
    assert story.requests == []


def test_a_further_name_of_a_build_is_pushed_when_the_build_is_done(story: Story) -> None:
    plan = story.plan(built("app:dev", "k", tags=["app:latest"]), present("app:latest", push=["r.test/app:latest"]))
    assert [(action.kind, action.needs) for action in plan.actions] == [("build", ()), ("tag", (1,)), ("push", (2,))]
    push = plan.actions[2]
    assert isinstance(push, Push)
    assert push.source == Pending(1)


def test_an_item_whose_provider_fails_is_told_too_and_nothing_is_asked_for_it(story: Story) -> None:
    with pytest.raises(ApplyError) as caught:
        story.plan(present("app:1", pull="never", tags=["app:latest"]), present("app:latest"))
    assert list(caught.value.failed) == ["images[0]", "images[1]"]
    assert {error.code for error in caught.value.failed.values()} == {"not-on-host"}
