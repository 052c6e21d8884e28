# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task returns, before and after its plan is carried out."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.task.report import report
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, absent, built, image, present

ONE = image(1, key="k")
BUILT = Identity(Digest.parse(ONE.digest), Digest.parse(ONE.config.digest))


@pytest.fixture
def story() -> Story:
    return Story()


def test_nothing_to_do_is_told_shortly(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    told = report(story.plan(present("app:1")), outcome=Outcome(), engine=story.host)
    assert told == {
        "changed": False,
        "engine": "memory",
        "images": [story.plan(present("app:1")).rows[0].to_json()],
        "actions": [],
        "diff": {"before": "", "after": ""},
    }


def test_what_goes_is_told_by_name_and_by_image(story: Story) -> None:
    story.host.hold(ONE, "app:1", "app:2")
    told = report(story.plan(absent("app:1")), outcome=Outcome(), engine=story.host)
    assert (told["untagged"], told["deleted"]) == (["docker.io/library/app:1"], [])
    told = report(story.plan(absent("app:1"), absent("app:2")), outcome=Outcome(), engine=story.host)
    assert told["deleted"] == [ONE.config.digest]


def test_an_image_that_gets_a_new_name_is_not_told_as_deleted(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    told = report(
        story.plan(absent("app:1"), present(f"app:2@{ONE.digest}")), outcome=Outcome(), engine=story.host
    )
    assert (told["untagged"], told["deleted"]) == (["docker.io/library/app:1"], [])


def test_the_digest_of_a_build_is_told_wherever_it_went_once_it_is_known(story: Story) -> None:
    items = built("app:dev", "k", tags=["app:latest"], push=["r.test/app:1"]), present("app:latest")
    plan = story.plan(*items)
    dry = report(plan, outcome=Outcome(), engine=story.host)
    assert [row["digest"] for row in (*dry["images"], *dry["actions"])] == [""] * 5
    real = report(plan, outcome=Outcome({1: BUILT}), engine=story.host)
    assert [row["digest"] for row in (*real["images"], *real["actions"])] == [ONE.digest] * 5
    assert {row["id"] for row in real["images"]} == {ONE.config.digest}


def test_results_are_plain_data(story: Story) -> None:
    story.registries.push("app:1", ONE)
    plan = story.plan(present("app:1"), built("b:1", "k"))
    told = report(plan, outcome=Outcome(), engine=story.host)
    assert json.loads(json.dumps(told)) == told
