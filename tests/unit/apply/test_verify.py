# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""After a plan: the host is believed when it shows what was promised."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
from ansible_collections.fleet.images.plugins.module_utils.apply.verify import verify
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity, Look
from ansible_collections.fleet.images.plugins.module_utils.model.output import Output
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.outputs import Write
from ansible_collections.fleet.images.tests.support.images import make_index
from ansible_collections.fleet.images.tests.support.memory_daemon import MemoryDaemon
from ansible_collections.fleet.images.tests.unit.apply.carrying import apply
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, absent, built, image, index, present

ONE, TWO = image(1), image(2)


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_pull_that_is_not_there_is_a_broken_promise(story: Story) -> None:
    story.registries.push("app:1", ONE)
    plan = story.plan(present("app:1"))
    with pytest.raises(PeerError) as caught:
        verify(plan, outcome=Outcome(), observed=story.host.observe())
    assert (caught.value.code, caught.value.subject) == ("promise-broken", "docker.io/library/app:1")
    assert caught.value.why == f"it should be {ONE.digest}, it is gone"
    story.host.hold(ONE, "app:1")
    verify(plan, outcome=Outcome(), observed=story.host.observe())


def test_another_image_under_the_name_is_a_broken_promise(story: Story) -> None:
    story.registries.push("app:1", ONE)
    plan = story.plan(present("app:1"))
    story.host.hold(TWO, "app:1")
    with pytest.raises(PeerError) as caught:
        verify(plan, outcome=Outcome(), observed=story.host.observe())
    assert caught.value.why == f"it should be {ONE.digest}, it is {TWO.digest}"


def test_an_image_that_lost_parts_is_a_broken_promise(story: Story) -> None:
    story.registries.push("app:1", ONE)
    plan = story.plan(present("app:1"))
    story.host.hold(ONE, "app:1")
    story.host.content.lose(ONE.layers[0].digest)
    with pytest.raises(PeerError):
        verify(plan, outcome=Outcome(), observed=story.host.observe())


def test_a_name_that_did_not_go_is_a_broken_promise(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    plan = story.plan(absent("app:1"))
    with pytest.raises(PeerError) as caught:
        verify(plan, outcome=Outcome(), observed=story.host.observe())
    assert caught.value.why == f"it should be gone, it is {ONE.digest}"
    story.host.untag(parse_reference("app:1"))
    verify(plan, outcome=Outcome(), observed=story.host.observe())


def test_a_tag_that_did_not_move_is_a_broken_promise(story: Story) -> None:
    story.host.hold(ONE, "app:1")
    story.host.hold(TWO, "app:latest")
    plan = story.plan(present("app:1", tags=["app:latest"]))
    with pytest.raises(PeerError) as caught:
        verify(plan, outcome=Outcome(), observed=story.host.observe())
    assert caught.value.subject == "docker.io/library/app:latest"


def test_a_build_and_its_further_names_are_what_the_build_gave(story: Story) -> None:
    plan = story.plan(built("app:dev", "k", tags=["app:latest"]))
    outcome = Outcome({1: Identity(Digest.parse(ONE.digest), Digest.parse(ONE.config.digest))})
    story.host.hold(ONE, "app:dev", "app:latest")
    verify(plan, outcome=outcome, observed=story.host.observe())
    story.host.hold(TWO, "app:latest")
    with pytest.raises(PeerError):
        verify(plan, outcome=outcome, observed=story.host.observe())


def test_what_the_plan_did_not_touch_is_not_looked_at(story: Story) -> None:
    story.host.hold(TWO, "other:1")
    story.host.content.lose(TWO.layers[0].digest)
    story.registries.push("app:1", index(1))
    plan = story.plan(present("app:1"))
    story.host.hold(index(1).images[0], "app:1", index=index(1))
    verify(plan, outcome=Outcome(), observed=story.host.observe())


def test_a_name_by_digest_beside_a_tag_of_its_repository_is_found(story: Story) -> None:
    story.host = MemoryDaemon(story.registries)
    story.registries.push("app:1", ONE)
    plan = story.plan(present(f"app@{ONE.digest}"))
    story.host.hold(ONE, "app:1")
    observed = story.host.observe()
    assert [action.reference for action in plan.actions] == [parse_reference(f"app@{ONE.digest}")]
    assert set(observed.by_name) == {parse_reference("app:1")}
    verify(plan, outcome=Outcome(), observed=observed)


def test_what_a_daemon_names_by_a_config_and_digests_is_what_was_promised(story: Story) -> None:
    story.host = MemoryDaemon(story.registries)
    both = index(1)
    story.registries.push("app:1", both)
    plan = story.plan(present("app:1", tags=["app:latest"]))
    apply(story, plan)
    observed = story.host.observe()
    assert observed.by_name[parse_reference("app:1")].identity.manifest_digest is None
    verify(plan, outcome=Outcome(), observed=observed)


@pytest.mark.parametrize("tells_platform", [False, True])
def test_another_platform_of_the_same_index_is_told_as_such(story: Story, tells_platform: bool) -> None:
    story.host = MemoryDaemon(story.registries)
    both = index(1)
    story.registries.push("app:1", both)
    plan = story.plan(present("app:1"))
    story.host.hold(both.images[1], "app:1", index=both)
    look = Look(details_of=frozenset([parse_reference("app:1")]) if tells_platform else frozenset())
    with pytest.raises(PeerError) as caught:
        verify(plan, outcome=Outcome(), observed=story.host.observe(look))
    assert (caught.value.code, caught.value.subject) == ("wrong-platform-delivered", "docker.io/library/app:1")
    delivered = "linux/arm64" if tells_platform else "another image of the same index"
    assert caught.value.why == f"wanted linux/amd64, delivered {delivered}"


def test_an_index_that_calls_an_image_by_another_platform_than_its_own_is_told(story: Story) -> None:
    wrong = make_index([image(1, platform="linux/arm64")._replace(platform="linux/amd64")])
    story.registries.push("app:1", wrong)
    plan = story.plan(present("app:1"))
    apply(story, plan)
    with pytest.raises(PeerError) as caught:
        verify(plan, outcome=Outcome(), observed=story.host.observe())
    assert caught.value.code == "wrong-platform-delivered"
    assert caught.value.why == "wanted linux/amd64, delivered linux/arm64"


def test_a_variant_that_only_the_index_tells_is_no_other_platform(story: Story) -> None:
    story.host.platform = Platform.parse("linux/arm/v6")
    vague = make_index([image(1, platform="linux/arm")._replace(platform="linux/arm/v6")])
    story.registries.push("app:1", vague)
    plan = story.plan(present("app:1"))
    apply(story, plan)
    verify(plan, outcome=Outcome(), observed=story.host.observe())


def test_a_pull_is_held_to_its_platform_whatever_the_image_is_written_to_afterwards(story: Story) -> None:
    index_ = make_index([image(1), image(2, platform="linux/arm64")])
    story.registries.push("app:1", index_)
    plan = story.plan(present("app:1"))
    (pull,) = plan.actions
    basics = (2, pull.reference, "not written yet", (1,), pull.digest, None, "", pull.after, 0)
    write = Write(*basics, source=Identity(), output=Output("tar", "/srv/app.tar"))
    story.host.hold(index_.images[1], "app:1", index=index_)
    with pytest.raises(PeerError) as caught:
        verify(
            plan._replace(actions=(pull, write)),
            outcome=Outcome(),
            observed=story.host.observe(Look(details_of=frozenset({pull.reference}))),
        )
    assert caught.value.code == "wrong-platform-delivered"
