# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying plans out between stores in memory: what moves, in which order, and what is told when some of it fails."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import Built
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ApplyError, AuthError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.tests.support.images import OCI_MANIFEST, Blob, MadeImage, make_image
from ansible_collections.fleet.images.tests.support.memory_engine import MemoryRepository
from ansible_collections.fleet.images.tests.unit.apply.carrying import NO_RETRY, ONE_BY_ONE, Failing, apply, serve
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, absent, built, image, index, present, size

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import ReadStream


def opened(story: Story) -> list[str]:
    """Return the digests of the blobs that were opened at registries, in that order."""
    return [row.split()[-1] for row in story.registries.requests if row.startswith("GET blob")]


def foreign() -> MadeImage:
    """Return an image whose first layer must not be distributed and is in no store."""
    import json

    made = image(1, layers=2)
    layer = Blob("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"from elsewhere" * 100)
    layers = (layer, *made.layers[1:])
    document = json.loads(made.manifest.data)
    document["layers"] = [one.descriptor for one in layers]
    return made._replace(manifest=Blob(OCI_MANIFEST, json.dumps(document).encode()), layers=layers)


# --- pull ---------------------------------------------------------------------------------------------------------


def test_a_pulled_image_is_there_whole_under_its_name(story: Story) -> None:
    both = index(1)
    story.registries.push("app:1", both)
    outcome = apply(story, story.plan(present("app:1")))
    held = story.host.observe().by_name[parse_reference("app:1")]
    assert held.is_complete
    assert str(held.identity.index_digest) == both.digest
    assert str(held.identity.manifest_digest) == both.images[0].digest
    assert outcome.moved == size(both.images[0])


def test_blobs_that_images_share_are_moved_once(story: Story) -> None:
    one, other = image(5, layers=3), image(5, layers=4)
    assert set(one.layers) < set(other.layers)
    for name, made in (("app:1", one), ("other:1", other), ("app:2", one)):
        story.registries.push(name, made)
    items = present("app:1"), present("other:1"), present("app:2")
    plan = story.plan(*items)
    outcome = apply(story, plan)
    assert len(opened(story)) == len(set(opened(story)))
    assert set(opened(story)) == {b.digest for made in (one, other) for b in (made.config, *made.layers)}
    assert outcome.moved == plan.size
    assert story.plan(*items).is_empty


def test_the_biggest_blobs_go_first(story: Story) -> None:
    for number in range(4):
        story.registries.push(f"app:{number}", make_image(seed=number, random_bytes=500 * (1 + number * 7 % 4)))
    plan = story.plan(*(present(f"app:{number}") for number in range(4)))
    apply(story, plan, patience=ONE_BY_ONE)
    sizes = [len(story.host.content.read_all(digest)) for digest in opened(story)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 8


def test_what_the_host_holds_already_is_not_opened(story: Story) -> None:
    one = image(1, layers=3)
    story.host.hold(one, "old:1")
    story.host.content.lose(one.layers[1].digest)
    story.registries.push("app:1", one)
    outcome = apply(story, story.plan(present("app:1")))
    assert opened(story) == [one.layers[1].digest]
    assert outcome.moved == len(one.layers[1].data)


def test_layers_that_must_not_be_distributed_are_never_moved(story: Story) -> None:
    made = foreign()
    story.registries.push("windows:1", made)
    plan = story.plan(present("windows:1"))
    apply(story, plan)
    assert set(opened(story)) == {made.config.digest, made.layers[1].digest}
    assert story.plan(present("windows:1")).is_empty


def test_layers_that_must_not_be_distributed_are_not_counted_as_bytes_to_move(story: Story) -> None:
    made = foreign()
    story.registries.push("windows:1", made)
    assert story.plan(present("windows:1")).size == len(made.config.data) + len(made.layers[1].data)


def test_many_images_cost_one_step_for_each_of_their_blobs(story: Story) -> None:
    images = [image(100 + number, layers=5) for number in range(200)]
    for number, made in enumerate(images):
        story.registries.push(f"app:{number}", made)
    plan = story.plan(*(present(f"app:{number}") for number in range(200)))
    story.host.content.steps.clear()
    apply(story, plan, patience=NO_RETRY._replace(parallel=1))
    distinct = {blob.digest for made in images for blob in (made.config, *made.layers)}
    assert len(opened(story)) == len(distinct)
    assert story.host.content.steps["write"] == len(distinct)
    assert story.host.content.steps["put_manifest"] == 200
    assert story.host.tagged == 200
    assert story.host.readings == 1


# --- failure ------------------------------------------------------------------------------------------------------


def test_a_failing_blob_is_told_with_what_is_done_and_what_was_not_started(story: Story) -> None:
    big, small = make_image(seed=1, random_bytes=9000), make_image(seed=2, random_bytes=100)
    broken = Failing(AuthError("refused", code="denied"), digests=[small.layers[0].digest])
    serve(story, broken, ("r.test/app:1", big), ("r.test/app:2", small))
    story.registries.push("tail:1", make_image(seed=3, random_bytes=10))
    plan = story.plan(
        present("r.test/app:1"), present("r.test/app:2", tags=["app:latest"]), present("tail:1"), absent("gone:1")
    )
    with pytest.raises(ApplyError) as caught:
        apply(story, plan, patience=ONE_BY_ONE)
    error = caught.value
    assert list(error.failed) == ["pull r.test/app:2"]
    assert error.failed["pull r.test/app:2"].code == "denied"
    assert error.code == "denied"
    assert set(error.not_started) >= {"tag docker.io/library/app:latest", "pull docker.io/library/tail:1"}
    assert {*error.done, *error.failed, *error.not_started} == {
        f"{action.kind} {action.reference}" for action in plan.actions
    }
    assert error.retryable is False


def test_what_succeeded_before_a_failure_stays_and_the_next_run_goes_on_from_there(story: Story) -> None:
    good, bad = make_image(seed=1, random_bytes=9000), make_image(seed=2, random_bytes=100)
    broken = Failing(AuthError("refused", code="denied"), digests=[bad.layers[0].digest], times=1)
    serve(story, broken, ("r.test/app:2", bad))
    story.registries.push("app:1", good)
    items = present("app:1"), present("r.test/app:2")
    with pytest.raises(ApplyError):
        apply(story, story.plan(*items), patience=ONE_BY_ONE)
    assert good.layers[0].digest in map(str, story.host.content.digests())
    plan = story.plan(*items)
    assert plan.size < size(good)
    apply(story, plan)
    assert story.plan(*items).is_empty


def test_nothing_is_started_after_a_failure(story: Story) -> None:
    made = [make_image(seed=number, random_bytes=100 * number) for number in (9, 8, 7, 6)]
    broken = Failing(AuthError("refused", code="denied"), digests=[made[0].layers[0].digest])
    serve(story, broken, *((f"r.test/app:{at}", one) for at, one in enumerate(made)))
    story.host.hold(image(1), "old:1")
    plan = story.plan(*(present(f"r.test/app:{at}") for at in range(4)), removes_unlisted=True)
    with pytest.raises(ApplyError):
        apply(story, plan, patience=ONE_BY_ONE)
    assert broken.attempts == [made[0].layers[0].digest]
    assert story.host.untagged == []
    assert [name.familiar for name in story.host.names] == ["old:1"]


def test_an_image_is_never_named_before_it_is_whole(story: Story) -> None:
    made = image(1, layers=3)
    broken = Failing(AuthError("refused", code="denied"), digests=[made.config.digest])
    serve(story, broken, ("r.test/app:1", made))
    with pytest.raises(ApplyError):
        apply(story, story.plan(present("r.test/app:1")))
    assert story.host.names == {}


def test_several_failures_are_all_told_with_a_code_of_their_own(story: Story) -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Together(Failing):
        def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
            meeting.wait()
            return super().open(descriptor, offset)

    made = [make_image(seed=number, random_bytes=3000) for number in (1, 2)]
    for number, one in enumerate(made):
        broken = Together(UnavailableError("gone", code=f"gone-{number}"), digests=[one.layers[0].digest])
        serve(story, broken, (f"r{number}.test/app:1", one))
    plan = story.plan(present("r0.test/app:1"), present("r1.test/app:1"))
    with pytest.raises(ApplyError) as caught:
        apply(story, plan)
    assert {error.code for error in caught.value.failed.values()} == {"gone-0", "gone-1"}
    assert caught.value.code == "apply-failed"
    assert caught.value.retryable is True
    assert caught.value.to_json()["failed"].keys() == caught.value.failed.keys()


def test_an_error_that_is_not_explained_is_a_bug_and_escapes(story: Story) -> None:
    class Buggy(MemoryRepository):
        def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
            raise ZeroDivisionError

    serve(story, Buggy([], "buggy"), ("r.test/app:1", image(1)))
    with pytest.raises(ZeroDivisionError):
        apply(story, story.plan(present("r.test/app:1")))


# --- push ---------------------------------------------------------------------------------------------------------


def test_a_push_moves_only_what_the_registry_lacks(story: Story) -> None:
    old, new = image(1, layers=3), image(2, layers=3)
    story.registries.push("r.test/app:1", old)
    story.host.hold(new, "app:1")
    remote = story.registries(parse_reference("r.test/app:1"))
    before, written = remote.digests(), remote.written
    outcome = apply(story, story.plan(present("app:1", push=["r.test/app:1"])))
    lacked = {blob for blob in (new.config, *new.layers) if Digest.parse(blob.digest) not in before}
    assert outcome.moved == remote.written - written == sum(len(blob.data) for blob in lacked)
    assert story.registries.digest("r.test/app:1") == new.digest
    assert story.plan(present("app:1", push=["r.test/app:1"])).is_empty


def test_a_push_of_what_was_built_in_this_run_has_the_digest_of_the_build(story: Story) -> None:
    made = image(1, key="k")

    def build(spec: object) -> Built:
        story.host.content.put(made)
        return Built(Identity(Digest.parse(made.digest), Digest.parse(made.config.digest)), "hands")

    item = built("app:dev", "k", tags=["app:latest"], push=["r.test/app:dev"])
    outcome = apply(story, story.plan(item), build=build)
    assert story.registries.digest("r.test/app:dev") == made.digest
    assert outcome.built == {1: Identity(Digest.parse(made.digest), Digest.parse(made.config.digest))}
    assert outcome.builders == {1: "hands"}
    assert story.host.names.keys() == {parse_reference("app:dev"), parse_reference("app:latest")}
    assert story.plan(item).is_empty


def test_a_failing_build_stops_what_needs_it(story: Story) -> None:
    def build(spec: object) -> Built:
        raise UnavailableError("no base", code="no-base")

    plan = story.plan(built("app:dev", "k", tags=["app:latest"], push=["r.test/app:dev"]), built("b:1", "k"))
    with pytest.raises(ApplyError) as caught:
        apply(story, plan, build=build)
    assert list(caught.value.failed) == ["build docker.io/library/app:dev"]
    assert caught.value.not_started == (
        "tag docker.io/library/app:latest",
        "push r.test/app:dev",
        "build docker.io/library/b:1",
    )


def test_a_push_leaves_layers_that_must_not_be_distributed(story: Story) -> None:
    made = foreign()
    story.host.hold(made, "windows:1")
    apply(story, story.plan(present("windows:1", push=["r.test/windows:1"])))
    assert story.registries.digest("r.test/windows:1") == made.digest


def test_a_push_mounts_from_repositories_of_the_same_registry_that_name_the_same_image(story: Story) -> None:
    story.host.hold(image(1), "reg.test/team/app:1")
    story.host.hold(image(1), "elsewhere.test/team/app:1")
    story.host.hold(image(2), "reg.test/team/other:1")
    apply(story, story.plan(present("reg.test/team/app:1", push=["reg.test/promoted/app:1"])))
    assert story.registries.mounts["reg.test/promoted/app"] == ("team/app",)


# --- names and space ----------------------------------------------------------------------------------------------


def test_removed_images_give_their_space_back_and_others_stay(story: Story) -> None:
    one, two = image(1, layers=2), image(2, layers=2)
    story.host.hold(one, "app:1")
    story.host.hold(two, "app:2")
    outcome = apply(story, story.plan(absent("app:1")))
    kept = {blob.digest for blob in (two.config, *two.layers, two.manifest)}
    assert {str(digest) for digest in story.host.content.digests()} == kept
    gone = [blob for blob in (one.config, *one.layers, one.manifest) if blob.digest not in kept]
    assert outcome.freed == sum(len(blob.data) for blob in gone)


def test_an_image_that_a_moved_tag_left_gives_its_space_back(story: Story) -> None:
    story.host.hold(image(1), "app:1")
    story.registries.push("app:1", image(2))
    assert apply(story, story.plan(present("app:1", pull="newer"))).freed > 0


def test_space_is_not_reclaimed_where_no_name_went(story: Story) -> None:
    story.host.content.put(image(9))
    story.registries.push("app:1", image(2))
    assert apply(story, story.plan(present("app:1"))).freed == 0
    assert Digest.parse(image(9).digest) in story.host.content.digests()


def test_an_empty_plan_does_nothing(story: Story) -> None:
    readings = story.host.readings
    outcome = apply(story, story.plan())
    assert outcome == type(outcome)()
    assert story.host.readings == readings + 1


def test_space_that_cannot_be_freed_is_a_warning_for_what_was_wanted_is_done(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise UnavailableError("The disk is busy", code="store-io")

    story.host.hold(image(1), "app:1")
    monkeypatch.setattr(story.host, "reclaim", fail)
    outcome = apply(story, story.plan(absent("app:1")))
    assert outcome.warnings == ("The space of what was removed is not free yet: The disk is busy.",)
    assert story.host.observe().by_name == {}
