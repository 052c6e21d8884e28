# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs of images: when they are written, and how the plan tells it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.output import Output, Written
from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired
from ansible_collections.fleet.images.plugins.module_utils.plan.planner import plan_images
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import Answers, look_for
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, built, image, short

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
    from ansible_collections.fleet.images.tests.support.images import MadeImage

OCI, ROOT = Output("oci", "/srv/app.tar"), Output("local", "/srv/root")
NAME = "docker.io/library/app:1"
HELD, OTHER = image(1, key="k"), image(2, key="k")


def plan(story: Story, there: dict[Output, Written | None], *, key: str = "k") -> Plan:
    """Return the plan for a build with the outputs of ``there``, which hold what it says."""
    desired = Desired((built("app:1", key)._replace(path="name", outputs=tuple(there)),))
    return plan_images(desired, story.host.observe(look_for(desired)), answers=Answers(written=there))


def told(of: MadeImage, *, name: str = NAME, is_intact: bool = True) -> Written:
    """Return what an output tells that holds an image: engines make manifests anew, so its config counts."""
    known_as = (Digest.parse(of.digest),)
    return Written(Identity(None, Digest.parse(of.config.digest), None, known_as), name, is_intact)


def test_outputs_that_hold_the_image_are_left_alone(story: Story) -> None:
    story.host.hold(HELD, "app:1")
    assert plan(story, {OCI: told(HELD), ROOT: told(HELD, name="")}).is_empty


def test_of_a_build_that_is_due_all_outputs_are_written_after_it(story: Story) -> None:
    story.host.hold(HELD, "app:1")
    actions = plan(story, {OCI: told(HELD), ROOT: None}, key="another").actions
    assert [(action.kind, action.cause, action.needs) for action in actions[1:]] == [
        ("write", "built in this run", (1,)),
        ("write", "not written yet", (1,)),
    ]


@pytest.mark.parametrize(
    ("output", "there", "cause"),
    [
        (OCI, None, "not written yet"),
        (OCI, told(OTHER), "another image is there"),
        (OCI, told(HELD, name="docker.io/library/app:0"), "the image is named docker.io/library/app:0 there"),
        (OCI, told(HELD, name=""), "the image has no name there"),
        (ROOT, told(OTHER, name=""), "another image is there"),
        (ROOT, told(HELD, name="", is_intact=False), "it changed since it was written"),
    ],
)
def test_what_an_output_lacks_is_the_cause(story: Story, output: Output, there: Written | None, cause: str) -> None:
    story.host.hold(HELD, "app:1")
    made = plan(story, {output: there})
    assert [action.to_json()["cause"] for action in made.actions] == [cause]
    assert made.rows[0].action == "write"
    assert made.actions[0].to_json()["dest"] == output.dest


def test_the_plan_tells_where_it_goes_and_what_was_there(story: Story) -> None:
    story.host.hold(HELD, "app:1")
    made = plan(story, {OCI: told(OTHER), ROOT: told(HELD, is_intact=False)})
    assert made.text() == (
        "Plan: 2 to write; 0 B to move.\n"
        f"  ~ write app:1 to /srv/app.tar (oci)  {short(OTHER)} -> {short(HELD)}  (another image is there)\n"
        f"  ~ write app:1 to /srv/root (local)   {short(HELD)} -> {short(HELD)}  (it changed since it was written)\n"
    )
    assert made.names_before == {
        "/srv/app.tar (oci)": OTHER.digest,
        "/srv/root (local)": f"{HELD.digest} (changed since it was written)",
    }


def test_an_index_is_known_by_its_own_digest(story: Story) -> None:
    index = Digest.parse("sha256:" + "3" * 64)
    story.host.hold(HELD, "app:1", index=index)
    assert plan(story, {OCI: Written(Identity(index_digest=index), NAME)}).is_empty
