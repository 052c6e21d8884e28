# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there or not, as wanted: pulls, pins, platforms and damage, and the plan as people read it."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import NotFoundError
from ansible_collections.fleet.images.tests.support.images import make_index
from ansible_collections.fleet.images.tests.unit.plan.stories import (
    BOTH,
    NOTHING,
    ONE,
    TWO,
    Story,
    image,
    present,
    short,
    size,
)

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


@pytest.mark.parametrize("wanted", ["app:1", ONE.config.digest[7:]])
def test_never_pulling_a_damaged_image_says_that_it_is_damaged(story: Story, wanted: str) -> None:
    story.host.hold(ONE, "app:1")
    story.host.content.lose(ONE.layers[0].digest)
    with pytest.raises(NotFoundError) as caught:
        story.plan(present(wanted, pull="never"))
    assert caught.value.why == "1 of its parts is missing or damaged"
