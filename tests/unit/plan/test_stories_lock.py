# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Locked images: found by whatever the host tells of them, fetched by digest, and nothing else in their place."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError, IntegrityError, NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity, LocalImage, Observed
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.desired import DesiredImage
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import need_of
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex
from ansible_collections.fleet.images.tests.support.memory_engine import AMD64, DOCKER, EMBEDDED, TARGET, MemoryEngine
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

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.host import Abilities
    from ansible_collections.fleet.images.plugins.module_utils.plan.desired import PullPolicy

OURS, FOREIGN = BOTH.images


def identity(of: MadeImage, index: MadeIndex | None = None) -> Identity:
    """Return the digests of an image, and of the index it is in."""
    chosen_from = Digest.parse(index.digest) if index is not None else None
    return Identity(Digest.parse(of.digest), Digest.parse(of.config.digest), chosen_from)


def locked(
    name: str, of: MadeImage, *, index: MadeIndex | None = None, pull: PullPolicy = "missing", platform: str = ""
) -> DesiredImage:
    """Return an image that is wanted under ``name`` and locked."""
    item = present(f"{name}@{(index or of).digest}", pull=pull, platform=platform)
    return item._replace(locked=identity(of, index))


@pytest.mark.parametrize("pull", ["missing", "newer", "always", "never"])
@pytest.mark.parametrize("abilities", [EMBEDDED, DOCKER, TARGET])
def test_a_locked_image_that_is_there_costs_no_request_whatever_the_policy(
    story: Story, abilities: Abilities, pull: PullPolicy
) -> None:
    story.host = MemoryEngine(abilities=abilities)
    story.host.hold(OURS, "app:1", index=BOTH)
    story.host.hold(ONE, "tool:1")
    plan = story.plan(locked("app:1", OURS, index=BOTH, pull=pull), locked("tool:1", ONE, pull=pull))
    assert plan.text() == NOTHING
    assert [str(row.digest) for row in plan.rows] == [BOTH.digest, ONE.digest]
    assert story.requests == []


def test_what_came_from_elsewhere_is_known_by_its_config_and_shown_with_the_locked_digest(story: Story) -> None:
    story.host = MemoryEngine(abilities=DOCKER)
    story.host.hold(OURS, "app:1", is_pulled=False)
    plan = story.plan(locked("app:1", OURS, index=BOTH))
    assert plan.text() == NOTHING
    assert [str(plan.rows[0].digest), str(plan.rows[0].previous_digest)] == [BOTH.digest] * 2


def test_an_absent_image_is_fetched_by_the_locked_digest_though_its_tag_moved(story: Story) -> None:
    story.registries.push("app:1", BOTH)
    story.registries.push("app:1", TWO)
    plan = story.plan(locked("app:1", OURS, index=BOTH))
    assert plan.text() == (
        f"Plan: 1 to pull; {size(OURS)} B to move.\n"
        f"  + pull  app:1  {short(BOTH)}  ({size(OURS)} B, not on the host)\n"
    )
    name = f"docker.io/library/app:1@{BOTH.digest}"
    assert story.requests == [f"GET {name}", f"GET docker.io/library/app@{OURS.digest}"]


def test_another_image_under_the_name_is_replaced(story: Story) -> None:
    story.host.hold(TWO, "app:1")
    story.registries.push("app:1", ONE)
    plan = story.plan(locked("app:1", ONE))
    assert [(row.action, row.cause) for row in plan.rows] == [("pull", "another digest is locked")]
    assert str(plan.rows[0].previous_digest) == TWO.digest


def test_the_sibling_for_another_platform_is_replaced_and_the_digest_stays(story: Story) -> None:
    story.host.hold(FOREIGN, "app:1", index=BOTH)
    story.registries.push("app:1", BOTH)
    plan = story.plan(locked("app:1", OURS, index=BOTH))
    assert plan.rows[0].action == "pull"
    assert plan.rows[0].cause == "its platform is linux/arm64, linux/amd64 is wanted"
    name = "docker.io/library/app:1"
    assert plan.diff()["before"] == f"{name} {BOTH.digest} (linux/arm64)\n"
    assert plan.diff()["after"] == f"{name} {BOTH.digest} (linux/amd64)\n"


def test_a_locked_image_under_another_name_gets_the_name(story: Story) -> None:
    story.host.hold(OURS, "other:1", index=BOTH)
    plan = story.plan(locked("app:1", OURS, index=BOTH))
    assert [action.kind for action in plan.actions] == ["tag"]
    assert str(plan.rows[0].digest) == BOTH.digest
    assert story.requests == []


def test_parts_that_were_lost_are_fetched(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.host.content.lose(ONE.layers[0].digest)
    story.registries.push("app:1", ONE)
    plan = story.plan(locked("app:1", ONE))
    assert [(row.action, row.cause) for row in plan.rows] == [("pull", "1 of its parts is missing or damaged")]


@pytest.mark.parametrize("wanted", [identity(FOREIGN), identity(OURS)._replace(config_digest=Digest.of(b"other"))])
def test_what_the_digest_leads_to_must_be_the_locked_manifest_and_config(story: Story, wanted: Identity) -> None:
    story.registries.push("app:1", ONE)
    item = locked("app:1", ONE)
    with pytest.raises(IntegrityError) as caught:
        story.plan(item._replace(locked=wanted))
    assert caught.value.code == "lock-mismatch"


def test_an_index_that_does_not_list_the_locked_manifest_is_refused(story: Story) -> None:
    story.registries.push("app:1", BOTH)
    with pytest.raises(IntegrityError) as caught:
        story.plan(locked("app:1", OURS, index=BOTH)._replace(locked=identity(image(7), BOTH)))
    assert caught.value.code == "lock-mismatch"


def test_the_locked_image_is_taken_where_the_index_would_suit_the_host_better(story: Story) -> None:
    item = locked("app:1", FOREIGN, index=BOTH)
    story.registries.push("app:1", BOTH)
    plan = story.plan(item)
    assert plan.rows[0].image_id == FOREIGN.config.digest


def test_what_may_not_be_pulled_must_be_there_as_it_is_locked(story: Story) -> None:
    story.host.hold(TWO, "app:1")
    with pytest.raises(NotFoundError) as caught:
        story.plan(locked("app:1", ONE, pull="never"))
    assert caught.value.code == "not-on-host"
    assert story.requests == []


def test_a_name_that_an_earlier_item_gives_to_other_bytes_is_told(story: Story) -> None:
    story.host.hold(ONE, "one:1")
    tagged = present("one:1", tags=["app:1"])
    with pytest.raises(InputError) as caught:
        story.plan(tagged, locked("app:1", TWO))
    assert (caught.value.code, caught.value.subject) == ("lock-conflict", "images[1]")
    plan = story.plan(tagged, locked("app:1", ONE))
    assert [action.kind for action in plan.actions] == ["tag"]


@pytest.mark.parametrize(
    ("blobs", "need"),
    [((OURS.manifest, OURS.config), ""), ((OURS.manifest,), "platform"), ((FOREIGN.manifest,), "platform")],
)
def test_of_an_image_known_by_its_index_alone_the_locked_parts_must_be_there(
    blobs: tuple[t.Any, ...], need: str
) -> None:
    name, index = parse_reference("app:1"), Digest.parse(BOTH.digest)
    there = LocalImage("id", Identity(index_digest=index), (name,))
    held = frozenset(Digest.parse(blob.digest) for blob in blobs)
    observed = Observed((there,), engine="memory", platform=AMD64, blobs=held, abilities=TARGET)
    assert need_of(locked("app:1", OURS, index=BOTH), observed, made=set()) == need


def test_a_locked_name_by_digest_alone_is_found_in_its_repository(story: Story) -> None:
    story.host.hold(OURS, "app:other", index=BOTH)
    item = locked("app:1", OURS, index=BOTH)
    (name,) = item.candidates
    assert isinstance(name, Reference)
    plan = story.plan(item._replace(candidates=(name._replace(tag=None),)))
    assert plan.text() == NOTHING


def test_locked_names_are_listed_names(story: Story) -> None:
    story.host.hold(OURS, "app:1", index=BOTH)
    story.host.hold(TWO, "old:1")
    plan = story.plan(locked("app:1", OURS, index=BOTH), removes_unlisted=True)
    assert [str(action.reference) for action in plan.actions] == ["docker.io/library/old:1"]
