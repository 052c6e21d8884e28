# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs when a plan is carried out: after the build, with what was built, and told by where they go."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.execute import Host, apply_plan
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import Built
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ApplyError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.output import Output
from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired
from ansible_collections.fleet.images.plugins.module_utils.plan.planner import plan_images
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import Answers
from ansible_collections.fleet.images.tests.unit.apply.carrying import NO_RETRY
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, built, image

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.apply.execute import WriteOutput
    from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
    from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference

ONE, TWO = Output("oci", "/srv/app.tar"), Output("local", "/srv/root")
MADE = image(7)
IDENTITY = Identity(Digest.parse(MADE.digest), Digest.parse(MADE.config.digest))


def carry_out(write: WriteOutput) -> Outcome:
    """Carry out the plan for a build with two outputs that hold nothing."""
    story = Story()
    desired = Desired((built("app:1", "k")._replace(path="name", outputs=(ONE, TWO)),))
    plan = plan_images(desired, story.host.observe(), answers=Answers(written={ONE: None, TWO: None}))

    def build(_spec: object) -> Built:
        story.host.content.put(MADE)
        return Built(IDENTITY, "native")

    host = Host(story.host, lambda: story.host.content, build, write=write)
    return apply_plan(plan, host=host, registry=story.registries, patience=NO_RETRY)


def test_outputs_get_what_was_built_by_its_name() -> None:
    seen: list[tuple[Output, str, Identity]] = []

    def write(output: Output, *, name: Reference, identity: Identity) -> None:
        seen.append((output, str(name), identity))

    carry_out(write)
    assert seen == [(output, "docker.io/library/app:1", IDENTITY) for output in (ONE, TWO)]


def test_an_output_that_fails_is_told_by_where_it_goes_and_the_image_stays() -> None:
    def write(output: Output, *, name: Reference, identity: Identity) -> None:
        raise UnavailableError("the disk is full", code="output-unwritable", subject=output.dest)

    with pytest.raises(ApplyError) as caught:
        carry_out(write)
    assert caught.value.done == ("build docker.io/library/app:1",)
    assert list(caught.value.failed) == ["write docker.io/library/app:1 to /srv/app.tar (oci)"]
    assert caught.value.not_started == ("write docker.io/library/app:1 to /srv/root (local)",)
