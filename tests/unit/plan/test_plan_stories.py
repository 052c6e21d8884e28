# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan stories: a host, its registries, what is wanted, and the plan as people read it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    ConflictError,
    InputError,
    NotFoundError,
)
from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Pending, Push, Untag
from ansible_collections.fleet.images.plugins.module_utils.plan.plan import size_text
from ansible_collections.fleet.images.tests.support.images import make_index
from ansible_collections.fleet.images.tests.unit.plan.stories import (
    Story,
    absent,
    built,
    image,
    index,
    present,
    short,
    size,
)

ONE, TWO = image(1), image(2)
BOTH, BOTH_MOVED = index(1), index(2)
NOTHING = "Nothing to do.\n"


@pytest.fixture
def story() -> Story:
    return Story()


# --- pull ---------------------------------------------------------------------------------------------------------


def test_an_absent_image_is_pulled(story: Story) -> None:
    story.registries.push("app:1", ONE)
    assert story.text(present("app:1")) == (
        f"Plan: 1 to pull; {size(ONE)} B to move.\n"
        f"  + pull  app:1  {short(ONE)}  ({size(ONE)} B, not on the host)\n"
    )
    assert story.requests == ["GET docker.io/library/app:1"]


def test_of_an_index_the_image_for_the_host_is_pulled_and_the_index_is_the_digest(story: Story) -> None:
    story.registries.push("app:1", BOTH)
    plan = story.plan(present("app:1"))
    amd64 = BOTH.images[0]
    assert plan.text() == (
        f"Plan: 1 to pull; {size(amd64)} B to move.\n"
        f"  + pull  app:1  {short(BOTH)}  ({size(amd64)} B, not on the host)\n"
    )
    assert plan.rows[0].image_id == amd64.config.digest
    assert story.requests == ["GET docker.io/library/app:1", f"GET docker.io/library/app@{amd64.digest}"]


def test_a_present_image_needs_nothing_and_no_request(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    plan = story.plan(present("app:1"))
    assert plan.text() == NOTHING
    assert plan.diff() == {"before": "", "after": ""}
    assert [row.to_json() for row in plan.rows] == [
        {
            "name": "docker.io/library/app:1",
            "id": ONE.config.digest,
            "digest": ONE.digest,
            "previous_digest": ONE.digest,
            "changed": False,
            "action": "none",
            "cause": "present",
            "bytes": 0,
        }
    ]
    assert story.requests == []


@pytest.mark.parametrize("policy", ["newer", "always"])
def test_a_moved_tag_is_pulled_where_it_is_looked_at(story: Story, policy: str) -> None:
    story.host.hold(ONE, "app:1")
    story.registries.push("app:1", TWO)
    plan = story.plan(present("app:1", pull=policy))  # type: ignore[arg-type]
    lacking = len(TWO.config.data) + sum(len(layer.data) for layer in TWO.layers if layer not in ONE.layers)
    assert plan.text() == (
        f"Plan: 1 to pull; {lacking} B to move.\n"
        f"  ~ pull  app:1  {short(ONE)} -> {short(TWO)}  ({lacking} B, the tag moved)\n"
    )
    assert plan.diff() == {
        "before_header": "image names",
        "before": f"docker.io/library/app:1 {ONE.digest}\n",
        "after_header": "image names",
        "after": f"docker.io/library/app:1 {TWO.digest}\n",
        "prepared": plan.text(),
    }


@pytest.mark.parametrize("policy", ["missing", "never"])
def test_a_moved_tag_is_no_matter_where_it_is_not_looked_at(story: Story, policy: str) -> None:
    story.host.hold(ONE, "app:1")
    story.registries.push("app:1", TWO)
    assert story.text(present("app:1", pull=policy)) == NOTHING  # type: ignore[arg-type]
    assert story.requests == []


@pytest.mark.parametrize("policy", ["newer", "always"])
def test_a_tag_that_did_not_move_costs_one_head_request(story: Story, policy: str) -> None:
    story.registries.push("app:1", BOTH)
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    assert story.text(present("app:1", pull=policy)) == NOTHING  # type: ignore[arg-type]
    assert story.requests == ["HEAD docker.io/library/app:1"]


def test_a_new_index_over_the_same_image_moves_the_digest_and_no_bytes(story: Story) -> None:
    other = make_index([BOTH.images[0], image(9, platform="linux/arm64")])
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.registries.push("app:1", other)
    assert story.text(present("app:1", pull="newer")) == (
        "Plan: 1 to pull; 0 B to move.\n"
        f"  ~ pull  app:1  {short(BOTH)} -> {short(other)}  (the tag moved)\n"
    )


def test_an_image_whose_index_is_not_known_is_judged_by_its_manifest(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1")
    story.registries.push("app:1", BOTH)
    assert story.text(present("app:1", pull="newer")) == NOTHING


def test_never_pulling_an_absent_image_is_an_error_that_says_what_to_do(story: Story) -> None:
    with pytest.raises(NotFoundError) as caught:
        story.plan(present("app:1", pull="never"))
    assert (caught.value.code, caught.value.subject) == ("not-on-host", "images[0]")
    assert caught.value.what == "docker.io/library/app:1 is not on the host"
    assert caught.value.why == "no image of that name, digest or ID is there"
    assert "pull" in caught.value.fix
    assert story.requests == []


def test_an_image_unknown_to_its_registry_is_an_error(story: Story) -> None:
    with pytest.raises(NotFoundError) as caught:
        story.plan(present("app:1"))
    assert caught.value.code == "image-not-found"


# --- pins ---------------------------------------------------------------------------------------------------------


def test_a_pin_with_a_tag_is_pulled_and_gets_the_tag(story: Story) -> None:
    story.registries.push("app:1", ONE)
    story.registries.push("app:1", TWO)
    plan = story.plan(present(f"app:1@{ONE.digest}"))
    assert plan.text() == (
        f"Plan: 1 to pull; {size(ONE)} B to move.\n"
        f"  + pull  app:1  {short(ONE)}  ({size(ONE)} B, not on the host)\n"
    )
    assert story.requests == [f"GET docker.io/library/app:1@{ONE.digest}"]


def test_a_pin_without_a_tag_gets_its_digest_as_name(story: Story) -> None:
    story.registries.push("app:1", ONE)
    assert story.text(present(f"app@{ONE.digest}")) == (
        f"Plan: 1 to pull; {size(ONE)} B to move.\n"
        f"  + pull  app@{ONE.digest}  {short(ONE)}  ({size(ONE)} B, not on the host)\n"
    )


@pytest.mark.parametrize("name", ["app:1", "app"])
@pytest.mark.parametrize("policy", ["missing", "newer", "always", "never"])
def test_a_pin_that_the_host_holds_needs_no_request_under_any_policy(story: Story, policy: str, name: str) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    for digest in (BOTH.digest, BOTH.images[0].digest):
        assert story.text(present(f"{name}@{digest}", pull=policy)) == NOTHING  # type: ignore[arg-type]
        assert story.requests == []


def test_a_tag_that_leads_to_other_bytes_than_pinned_is_pulled(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.registries.push("app:1", TWO)
    text = story.text(present(f"app:1@{TWO.digest}"))
    assert f"~ pull  app:1  {short(ONE)} -> {short(TWO)}  (" in text
    assert "another digest is pinned)" in text


def test_a_pin_held_under_another_name_is_named_and_not_asked_for(story: Story) -> None:
    story.host.hold(BOTH.images[0], "mirror.test/app:1", index=BOTH)
    expected = (
        "Plan: 1 to tag; 0 B to move.\n"
        f"  + tag   app:2  {short(BOTH)}  (the host holds these bytes under another name)\n"
    )
    assert story.text(present(f"app:2@{BOTH.digest}")) == expected
    assert story.requests == []


def test_a_pin_held_elsewhere_for_another_platform_is_asked_for(story: Story) -> None:
    story.host.hold(BOTH.images[1], "mirror.test/app:1", index=BOTH)
    story.registries.push("app:2", BOTH)
    assert "+ pull  app:2" in story.text(present(f"app:2@{BOTH.digest}"))


def test_a_pinned_manifest_is_the_platform_that_the_user_means(story: Story) -> None:
    arm = BOTH.images[1]
    story.host.hold(arm, "app:1", index=BOTH)
    assert story.text(present(f"app@{arm.digest}")) == NOTHING
    assert story.requests == []


@pytest.mark.parametrize("is_first", [True, False])
def test_a_pin_gets_a_name_of_its_own_when_its_last_other_name_moves_on(story: Story, is_first: bool) -> None:
    story.host.hold(ONE, "app:1")
    story.registries.push("app:1", TWO)
    items = [present(f"app@{ONE.digest}"), present("app:1", pull="newer")]
    plan = story.plan(*(items if is_first else items[::-1]))
    assert [(action.kind, action.reference.familiar) for action in plan.actions] == [
        ("pull", "app:1"),
        ("tag", f"app@{ONE.digest}"),
    ]
    assert {row.name: row.action for row in plan.rows} == {
        f"docker.io/library/app@{ONE.digest}": "tag",
        "docker.io/library/app:1": "pull",
    }


def test_a_tag_that_leads_to_bytes_of_another_name_is_named_only(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.registries.push("app:latest", ONE)
    assert story.text(present("app:latest")) == (
        "Plan: 1 to tag; 0 B to move.\n"
        f"  + tag   app:latest  {short(ONE)}  (the host holds these bytes under another name)\n"
    )


# --- platform -----------------------------------------------------------------------------------------------------


def test_a_named_platform_replaces_an_image_of_another(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.registries.push("app:1", BOTH)
    text = story.text(present("app:1", platform="linux/arm64"))
    assert f"~ pull  app:1  {short(BOTH)} -> {short(BOTH)}  (" in text
    assert "its platform is linux/amd64, linux/arm64 is wanted)" in text


def test_the_diff_of_a_name_whose_digest_stays_tells_what_changes(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.registries.push("app:1", BOTH)
    diff = story.plan(present("app:1", platform="linux/arm64")).diff()
    assert diff["before"] == f"docker.io/library/app:1 {BOTH.digest} (linux/amd64)\n"
    assert diff["after"] == f"docker.io/library/app:1 {BOTH.digest} (linux/arm64)\n"

    story.host.content.lose(BOTH.images[0].layers[0].digest)
    diff = story.plan(present("app:1")).diff()
    assert diff["before"] == f"docker.io/library/app:1 {BOTH.digest} (damaged)\n"
    assert diff["after"] == f"docker.io/library/app:1 {BOTH.digest}\n"


def test_an_image_that_came_from_an_index_for_another_platform_is_replaced(story: Story) -> None:
    story.host.hold(BOTH.images[1], "app:1", index=BOTH)
    story.registries.push("app:1", BOTH)
    assert "its platform is linux/arm64, linux/amd64 is wanted)" in story.text(present("app:1"))


def test_an_image_that_exists_for_another_platform_only_is_taken_as_it_is(story: Story) -> None:
    story.host.hold(image(1, platform="linux/arm64"), "app:1")
    assert story.text(present("app:1")) == NOTHING
    assert story.requests == []


def test_the_image_of_an_index_stays_whatever_platform_it_says_of_itself(story: Story) -> None:
    mislabelled = make_index([image(1, platform="linux/arm64")._replace(platform="linux/amd64")])
    story.host.hold(mislabelled.images[0], "app:1", index=mislabelled)
    story.registries.push("app:1", mislabelled)
    assert story.text(present("app:1")) == NOTHING


def test_the_right_platform_held_under_another_name_is_named(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.host.hold(BOTH.images[1], "app:arm", index=BOTH)
    story.registries.push("app:1", BOTH)
    text = story.text(present("app:1", platform="arm64"))
    change = f"{short(BOTH)} -> {short(BOTH)}"
    assert text.endswith(f"  ~ tag   app:1  {change}  (the host holds these bytes under another name)\n")


def test_a_missing_platform_is_an_error_that_lists_the_ones_there_are(story: Story) -> None:
    story.registries.push("app:1", BOTH)
    with pytest.raises(NotFoundError) as caught:
        story.plan(present("app:1", platform="linux/s390x"))
    assert caught.value.code == "platform-missing"
    assert caught.value.why == "it exists for: linux/amd64, linux/arm64"


def test_never_pulling_another_platform_says_which_one_is_there(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    with pytest.raises(NotFoundError) as caught:
        story.plan(present("app:1", platform="arm64", pull="never"))
    assert caught.value.why == "the host has it for linux/amd64, linux/arm64 is wanted"


# --- damage -------------------------------------------------------------------------------------------------------


def test_a_damaged_image_is_pulled_when_its_tag_is_pinned_to_the_index_it_came_from(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1")
    story.host.content.lose(BOTH.images[0].layers[0].digest)
    story.registries.push("app:1", BOTH)
    assert "1 of its parts is missing or damaged)" in story.text(present(f"app:1@{BOTH.digest}"))


def test_a_damaged_image_is_pulled_and_only_what_it_lost_counts(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.host.content.lose(ONE.layers[0].digest)
    story.registries.push("app:1", ONE)
    lost = len(ONE.layers[0].data)
    assert story.text(present("app:1")) == (
        f"Plan: 1 to pull; {lost} B to move.\n"
        f"  ~ pull  app:1  {short(ONE)} -> {short(ONE)}  ({lost} B, 1 of its parts is missing or damaged)\n"
    )


def test_an_image_that_lost_its_manifest_is_pulled(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.host.content.lose(ONE.digest)
    story.registries.push("app:1", ONE)
    assert "~ pull  app:1" in story.text(present("app:1"))


def test_never_pulling_a_damaged_image_says_that_it_is_damaged(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.host.content.lose(ONE.layers[0].digest)
    with pytest.raises(NotFoundError) as caught:
        story.plan(present("app:1", pull="never"))
    assert caught.value.why == "1 of its parts is missing or damaged"


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


# --- absent -------------------------------------------------------------------------------------------------------


def test_an_absent_name_goes_and_the_image_stays_for_its_other_name(story: Story) -> None:
    story.host.hold(ONE, "app:1", "app:2")
    plan = story.plan(absent("app:1"))
    assert plan.text() == (
        f"Plan: 1 to untag; 0 B to move.\n  - untag app:1  {short(ONE)}  (wanted absent)\n"
    )
    assert [action.is_last for action in plan.actions if isinstance(action, Untag)] == [False]
    assert plan.names_before == {"docker.io/library/app:1": ONE.digest}
    assert plan.names_after == {}


def test_what_is_absent_already_needs_nothing(story: Story) -> None:
    plan = story.plan(absent("app:1"))
    assert plan.text() == NOTHING
    assert [(row.name, row.action, row.cause) for row in plan.rows] == [("docker.io/library/app:1", "none", "absent")]


def test_a_tag_with_a_digest_goes_only_if_it_leads_there(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    assert story.text(absent(f"app:1@{TWO.digest}")) == NOTHING
    assert "- untag app:1" in story.text(absent(f"app:1@{ONE.digest}"))


def test_an_absent_digest_takes_the_names_of_its_repository_along(story: Story) -> None:
    story.host.hold(ONE, "app:1", "app:2", "other:1")
    plan = story.plan(absent(f"app@{ONE.digest}"))
    assert [action.reference.familiar for action in plan.actions] == ["app:1", "app:2"]


@pytest.mark.parametrize("prefix", ["sha256:{}", "{}"])
def test_an_absent_id_takes_all_names_along(story: Story, prefix: str) -> None:
    story.host.hold(ONE, "app:1", "other:1")
    plan = story.plan(absent(prefix.format(ONE.config.digest[7:])))
    assert [action.reference.familiar for action in plan.actions] == ["app:1", "other:1"]
    assert [action.is_last for action in plan.actions if isinstance(action, Untag)] == [False, True]


def test_an_id_prefix_is_enough(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    assert "- untag app:1" in story.text(absent(ONE.config.digest[7:19]))


def test_an_ambiguous_id_is_an_error_that_lists_the_images(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.host.hold(BOTH.images[1], "app:2", index=BOTH)
    with pytest.raises(ConflictError) as caught:
        story.plan(absent(BOTH.digest[7:]))
    assert caught.value.code == "ambiguous-id"
    assert "(app:1)" in caught.value.why and "(app:2)" in caught.value.why


def test_one_image_that_came_by_two_ways_is_not_ambiguous(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.host.hold(BOTH.images[0], "app:2")
    plan = story.plan(absent(BOTH.images[0].config.digest[7:]))
    assert [action.reference.familiar for action in plan.actions] == ["app:1", "app:2"]


def test_an_absent_index_takes_the_images_of_all_its_platforms_along(story: Story) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=BOTH)
    story.host.hold(BOTH.images[1], "app:arm", "other:1", index=BOTH)
    plan = story.plan(absent(f"app@{BOTH.digest}"))
    assert [action.reference.familiar for action in plan.actions] == ["app:1", "app:arm"]


def test_a_repository_that_looks_like_an_id_goes_before_the_id(story: Story) -> None:
    looks = ONE.config.digest[7:19]
    story.host.hold(ONE, "app:1")
    story.host.hold(TWO, f"{looks}:latest")
    assert [action.reference.familiar for action in story.plan(absent(looks)).actions] == [f"{looks}:latest"]


def test_two_items_that_remove_the_same_name_remove_it_once(story: Story) -> None:
    story.host.hold(ONE, "app:1", "app:2")
    plan = story.plan(absent("app:1"), absent(f"app@{ONE.digest}"))
    assert [action.reference.familiar for action in plan.actions] == ["app:1", "app:2"]


@pytest.mark.parametrize("wanted", ["app:1", f"app@{ONE.digest}", "other:1"])
@pytest.mark.parametrize("by", [f"app@{ONE.digest}", ONE.config.digest[7:]])
@pytest.mark.parametrize("is_first", [True, False])
def test_removing_bytes_under_a_name_that_is_wanted_is_a_contradiction(
    story: Story, wanted: str, by: str, is_first: bool
) -> None:
    story.host.hold(ONE, "app:1", "other:1")
    items = [present(wanted), absent(by)] if is_first else [absent(by), present(wanted)]
    if wanted == "other:1" and by.startswith("app@"):
        assert [action.reference.familiar for action in story.plan(*items).actions] == ["app:1"]
        return
    with pytest.raises(InputError) as caught:
        story.plan(*items)
    assert caught.value.subject == f"images[{int(is_first)}]"
    assert f"which images[{int(not is_first)}] wants present" in caught.value.what


def test_bytes_that_one_item_brings_and_another_wants_gone_are_a_contradiction(story: Story) -> None:
    story.registries.push("app:1", ONE)
    for by in (f"app@{ONE.digest}", ONE.config.digest[7:]):
        with pytest.raises(InputError) as caught:
            story.plan(absent(by), present("app:1"))
        assert caught.value.subject == "images[0]"


@pytest.mark.parametrize("is_first", [True, False])
def test_bytes_can_be_wanted_gone_when_their_name_moves_on(story: Story, is_first: bool) -> None:
    story.host.hold(ONE, "app:1", "app:old")
    story.registries.push("app:1", TWO)
    items = [present("app:1", pull="newer"), absent(f"app@{ONE.digest}")]
    plan = story.plan(*(items if is_first else items[::-1]))
    assert [(action.kind, action.reference.familiar) for action in plan.actions] == [
        ("pull", "app:1"),
        ("untag", "app:old"),
    ]
    assert [row.action for row in plan.rows] == (["pull", "untag"] if is_first else ["untag", "pull"])


def test_a_name_goes_after_its_bytes_got_their_new_one(story: Story) -> None:
    story.host.hold(ONE, "app:old")
    plan = story.plan(absent("app:old"), present(f"app:new@{ONE.digest}"))
    assert [(action.kind, action.reference.familiar) for action in plan.actions] == [
        ("tag", "app:new"),
        ("untag", "app:old"),
    ]
    assert [action.is_last for action in plan.actions if isinstance(action, Untag)] == [False]


# --- unlisted -----------------------------------------------------------------------------------------------------


def test_names_that_are_not_listed_stay_unless_told_otherwise(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.host.hold(TWO, "old:1", "older:1")
    assert story.text(present("app:1")) == NOTHING
    assert story.text(present("app:1"), removes_unlisted=True) == (
        "Plan: 2 to untag; 0 B to move.\n"
        f"  - untag old:1    {short(TWO)}  (not listed)\n"
        f"  - untag older:1  {short(TWO)}  (not listed)\n"
    )


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [("old*", ["old:1"]), ("docker.io/library/old:*", ["old:1"]), ("*.test/*", ["r.test/old:1"]), ("OLD:1", [])],
)
def test_protected_names_stay(story: Story, pattern: str, kept: list[str]) -> None:
    story.host.hold(TWO, "old:1", "r.test/old:1")
    plan = story.plan(removes_unlisted=True, protect=(pattern,))
    gone = {action.reference.familiar for action in plan.actions}
    assert sorted({"old:1", "r.test/old:1"} - gone) == kept


def test_an_empty_list_removes_everything_unprotected(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    assert "- untag app:1" in story.text(removes_unlisted=True)


def test_the_names_that_hold_a_pinned_digest_count_as_listed(story: Story) -> None:
    story.host.hold(ONE, "app:1", "app:2", "other:1")
    plan = story.plan(present(f"app@{ONE.digest}"), removes_unlisted=True)
    assert [action.reference.familiar for action in plan.actions] == ["other:1"]


def test_further_names_and_new_ones_count_as_listed(story: Story) -> None:
    story.host.hold(TWO, "app:latest")
    story.registries.push("app:1", ONE)
    plan = story.plan(present("app:1", tags=["app:latest"]), removes_unlisted=True)
    assert [action.kind for action in plan.actions] == ["pull", "tag"]


# --- short names with several meanings ----------------------------------------------------------------------------

SPACES = ("team", "library")


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


# --- all at once --------------------------------------------------------------------------------------------------


def test_several_problems_are_told_at_once(story: Story) -> None:
    story.host.hold(BOTH.images[0], "x:1", index=BOTH)
    story.host.hold(BOTH.images[1], "x:2", index=BOTH)
    with pytest.raises(ApplyError) as caught:
        story.plan(present("a:1", pull="never"), absent(BOTH.digest[7:]), present("b:1", pull="never"))
    assert {path: error.code for path, error in caught.value.failed.items()} == {
        "images[0]": "not-on-host",
        "images[1]": "ambiguous-id",
        "images[2]": "not-on-host",
    }
    assert (caught.value.done, caught.value.not_started) == ((), ())


def test_bytes_that_two_images_share_are_counted_once(story: Story) -> None:
    one, other = image(5, layers=2), image(5, layers=3)
    assert set(one.layers) < set(other.layers)
    story.registries.push("app:1", one)
    story.registries.push("app:2", other)
    plan = story.plan(present("app:1"), present("app:2"))
    assert plan.size == sum(len(blob.data) for blob in {one.config, other.config, *other.layers})
    assert [row.size for row in plan.rows] == [action.size for action in plan.actions]


def test_the_same_input_gives_the_same_bytes_in_every_process() -> None:
    code = (
        "from ansible_collections.fleet.images.tests.unit.plan.test_plan_stories import told_in_full\n"
        "print(told_in_full())"
    )
    told = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        told.add(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
    assert len(told) == 1
    assert told.pop().decode() == told_in_full() + "\n"


def told_in_full() -> str:
    """Return all that a plan with every kind of action says."""
    story = Story()
    story.host.hold(ONE, "app:1", "library/old:1", "old:2", "z:1")
    story.registries.push("team/x:1", index(3))
    story.registries.push("library/app:1", TWO)
    plan = story.plan(
        present("x:1", namespaces=SPACES, tags=["t:3", "t:1", "t:2"]),
        present("x:1", namespaces=("library", "team")),
        present("app:1", pull="newer", push=["r.test/app:1"]),
        built("dev:1", "k", push=["r.test/dev:2", "r.test/dev:1"]),
        absent(ONE.config.digest[7:]),
        removes_unlisted=True,
    )
    return repr([plan.text(), plan.diff(), plan.rows, [action.to_json() for action in plan.actions], plan.warnings])


@pytest.mark.parametrize(
    ("size_in_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (13_002_342, "12.4 MiB"), (5 * 1024**5, "5120.0 TiB")],
)
def test_sizes_read_well(size_in_bytes: int, text: str) -> None:
    assert size_text(size_in_bytes) == text


def test_a_plan_tells_each_action_as_a_row(story: Story) -> None:
    story.registries.push("app:1", ONE)
    (action,) = story.plan(present("app:1")).actions
    assert action.to_json() == {
        "id": 1,
        "action": "pull",
        "image": "docker.io/library/app:1",
        "digest": ONE.digest,
        "previous_digest": "",
        "bytes": size(ONE),
        "cause": "not on the host",
        "needs": [],
    }
    assert Digest.parse(ONE.digest) == action.digest
