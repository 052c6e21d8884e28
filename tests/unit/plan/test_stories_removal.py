# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes: names, digests and IDs that are wanted absent, and what is not listed."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, InputError
from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Untag
from ansible_collections.fleet.images.tests.support.images import MadeIndex, make_index
from ansible_collections.fleet.images.tests.unit.plan.stories import (
    BOTH,
    NOTHING,
    ONE,
    TWO,
    Story,
    absent,
    index,
    present,
    short,
)

# --- absent -------------------------------------------------------------------------------------------------------


def test_an_absent_name_goes_and_the_image_stays_for_its_other_name(story: Story) -> None:
    story.host.hold(ONE, "app:1", "app:2")
    plan = story.plan(absent("app:1"))
    assert plan.text() == (
        f"Plan: 1 to untag; 0 B to move.\n  - untag app:1  {short(ONE)}  (wanted absent)\n"
    )
    assert [bool(action.deletes) for action in plan.actions if isinstance(action, Untag)] == [False]
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
    assert [bool(action.deletes) for action in plan.actions if isinstance(action, Untag)] == [False, True]


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
    assert f"by which it holds what images[{int(not is_first)}] wants" in caught.value.what


#: As BOTH, but another image for arm64: what an index becomes when one platform alone is built anew.
ARM_MOVED = make_index([BOTH.images[0], index(8, "linux/arm64").images[0]])


@pytest.mark.parametrize("known_by", [BOTH, None])
def test_a_name_beside_which_a_pin_is_pulled_stays_with_what_is_not_listed(
    story: Story, known_by: MadeIndex | None
) -> None:
    story.host.hold(BOTH.images[0], "app:1", "app:2", index=known_by)
    story.registries.push("app:1", ARM_MOVED)
    plan = story.plan(present(f"app@{ARM_MOVED.digest}"), removes_unlisted=True)
    assert [(action.kind, str(action.digest)) for action in plan.actions] == [("pull", ARM_MOVED.digest)]


@pytest.mark.parametrize("known_by", [BOTH, None])
def test_a_name_beside_which_a_pin_is_pulled_cannot_be_wanted_gone(story: Story, known_by: MadeIndex | None) -> None:
    story.host.hold(BOTH.images[0], "app:1", index=known_by)
    story.registries.push("app:1", ARM_MOVED)
    with pytest.raises(InputError) as caught:
        story.plan(present(f"app@{ARM_MOVED.digest}"), absent("app:1"))
    assert caught.value.subject == "images[1]"
    assert "by which it holds what images[0] wants" in caught.value.what


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
    assert [bool(action.deletes) for action in plan.actions if isinstance(action, Untag)] == [False]


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
