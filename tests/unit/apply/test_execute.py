# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying plans out between stores in memory: what moves, in which order, and what is told when some of it fails."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.execute import Host, apply_plan
from ansible_collections.fleet.images.plugins.module_utils.apply.transfer import BlobCopy, Copies, Patience, patiently
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    AuthError,
    ImagesError,
    IntegrityError,
    NotFoundError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.tests.support.images import (
    OCI_LAYER,
    OCI_MANIFEST,
    Blob,
    MadeImage,
    make_image,
)
from ansible_collections.fleet.images.tests.support.memory_engine import (
    MemoryContent,
    MemoryRepository,
    descriptor_of,
    opening,
)
from ansible_collections.fleet.images.tests.unit.plan.stories import (
    Story,
    absent,
    built,
    image,
    index,
    present,
    size,
)

if t.TYPE_CHECKING:

    from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import OpenAt, ReadStream

NO_RETRY = Patience(2, lambda failures, elapsed: None)
ONE_BY_ONE = NO_RETRY._replace(parallel=1)


def apply(story: Story, plan: Plan, *, patience: Patience = NO_RETRY, build: t.Any = None) -> Outcome:
    """Carry out ``plan`` in the world of ``story``."""
    host = Host(story.host, lambda: story.host.content, build or (lambda spec: pytest.fail("nothing is to be built")))
    return apply_plan(plan, host=host, registry=story.registries, patience=patience)


def steadily(retries: int, pauses: list[float], parallel: int = 2) -> Patience:
    """Return a patience that allows ``retries``, with a pause of 1, 2, 3 … seconds that is noted and not waited."""
    return Patience(parallel, lambda failures, elapsed: float(failures) if failures <= retries else None, pauses.append)


def opened(story: Story) -> list[str]:
    """Return the digests of the blobs that were opened at registries, in that order."""
    return [row.split()[-1] for row in story.registries.requests if row.startswith("GET blob")]


class Failing(MemoryRepository):
    """A repository whose blobs fail to open in a given way, so many times (each)."""

    def __init__(self, error: ImagesError, *, times: int = 1_000_000, digests: t.Collection[str] = ()) -> None:
        super().__init__([], "failing")
        self._error = error
        self._times = times
        self._digests = digests
        self.attempts: list[str] = []

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        name = str(descriptor.digest)
        self.attempts.append(name)
        if (not self._digests or name in self._digests) and self.attempts.count(name) <= self._times:
            raise self._error
        return super().open(descriptor, offset)


class Corrupting(MemoryRepository):
    """A repository that sends other bytes than it should, so many times (each)."""

    def __init__(self, *, times: int) -> None:
        super().__init__([], "corrupting")
        self._times = times
        self.attempts: list[str] = []

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        self.attempts.append(str(descriptor.digest))
        if self.attempts.count(str(descriptor.digest)) <= self._times:
            return opening(bytes(descriptor.size))(offset)
        return super().open(descriptor, offset)


def serve(story: Story, repository: MemoryRepository, *names: tuple[str, MadeImage]) -> None:
    """Let ``repository`` be the one in which all of ``names`` lie."""
    for name, made in names:
        reference = parse_reference(name)
        story.registries.place(reference, repository)
        story.registries.push(name, made)


@pytest.fixture
def story() -> Story:
    return Story()


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


# --- another try --------------------------------------------------------------------------------------------------


def test_failures_that_may_pass_are_tried_again_after_the_pause_that_is_asked_for(story: Story) -> None:
    made, pauses = image(1), list[float]()
    broken = Failing(UnavailableError("busy", code="busy"), digests=[made.layers[0].digest], times=3)
    serve(story, broken, ("r.test/app:1", made))
    apply(story, story.plan(present("r.test/app:1")), patience=steadily(3, pauses))
    assert pauses == [1.0, 2.0, 3.0]
    assert story.plan(present("r.test/app:1")).is_empty


def test_trying_ends_when_the_patience_does(story: Story) -> None:
    made, pauses = image(1), list[float]()
    broken = Failing(UnavailableError("busy", code="busy"), digests=[made.layers[0].digest])
    serve(story, broken, ("r.test/app:1", made))
    with pytest.raises(ApplyError) as caught:
        apply(story, story.plan(present("r.test/app:1")), patience=steadily(2, pauses))
    assert broken.attempts.count(made.layers[0].digest) == 3
    assert pauses == [1.0, 2.0]
    assert caught.value.retryable


def test_failures_that_do_not_pass_are_not_tried_again(story: Story) -> None:
    made, pauses = image(1), list[float]()
    broken = Failing(NotFoundError("gone", code="blob-not-found"), digests=[made.layers[0].digest])
    serve(story, broken, ("r.test/app:1", made))
    with pytest.raises(ApplyError):
        apply(story, story.plan(present("r.test/app:1")), patience=steadily(5, pauses))
    assert broken.attempts.count(made.layers[0].digest) == 1
    assert pauses == []


@pytest.mark.parametrize(("times", "attempts"), [(1, 2), (9, 2)])
def test_wrong_bytes_are_fetched_once_more_and_never_published(story: Story, times: int, attempts: int) -> None:
    made, corrupting = image(1), Corrupting(times=times)
    serve(story, corrupting, ("r.test/app:1", made))
    plan, patience = story.plan(present("r.test/app:1")), steadily(9, [], parallel=1)
    if times == 1:
        apply(story, plan, patience=patience)
    else:
        with pytest.raises(ApplyError) as caught:
            apply(story, plan, patience=patience)
        assert isinstance(next(iter(caught.value.failed.values())), IntegrityError)
        assert story.host.names == {}
    first = corrupting.attempts[0]
    assert corrupting.attempts.count(first) == attempts
    assert (Digest.parse(first) in story.host.content.digests()) == (times == 1)


@pytest.mark.parametrize(
    ("errors", "is_success", "calls"),
    [
        ([], True, 1),
        ([UnavailableError("a", code="a")] * 2, True, 3),
        ([IntegrityError("a", code="a")], True, 2),
        ([IntegrityError("a", code="a")] * 2, False, 2),
        ([UnavailableError("a", code="a"), IntegrityError("b", code="b")], False, 2),
        ([IntegrityError("b", code="b"), UnavailableError("a", code="a")], True, 3),
        ([AuthError("a", code="a")], False, 1),
    ],
)
def test_patience_by_kind_of_error(errors: list[ImagesError], is_success: bool, calls: int) -> None:
    left, made = list(errors), 0

    def step() -> str:
        nonlocal made
        made += 1
        if left:
            raise left.pop(0)
        return "done"

    if is_success:
        assert patiently(step, steadily(5, [])) == "done"
    else:
        with pytest.raises(ImagesError):
            patiently(step, steadily(5, []))
    assert made == calls


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

    def build(spec: object) -> Identity:
        story.host.content.put(made)
        return Identity(Digest.parse(made.digest), Digest.parse(made.config.digest))

    item = built("app:dev", "k", tags=["app:latest"], push=["r.test/app:dev"])
    outcome = apply(story, story.plan(item), build=build)
    assert story.registries.digest("r.test/app:dev") == made.digest
    assert outcome.built == {1: Identity(Digest.parse(made.digest), Digest.parse(made.config.digest))}
    assert story.host.names.keys() == {parse_reference("app:dev"), parse_reference("app:latest")}
    assert story.plan(item).is_empty


def test_a_failing_build_stops_what_needs_it(story: Story) -> None:
    def build(spec: object) -> Identity:
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


# --- copies -------------------------------------------------------------------------------------------------------


def test_bytes_are_counted_right_by_many_threads() -> None:
    source, target = MemoryContent(), MemoryContent()
    blobs = [descriptor_of(Blob(OCI_LAYER, b"%d" % number * 7)) for number in range(300)]
    for number, blob in enumerate(blobs):
        source.write(blob, opening(b"%d" % number * 7))
    arrived: list[Digest] = []
    copies = Copies([BlobCopy(blob, source, target) for blob in blobs], patience=NO_RETRY._replace(parallel=8))
    copies.run(arrived.append)
    assert copies.moved == sum(blob.size for blob in blobs) == target.written
    assert sorted(map(str, arrived)) == sorted(str(blob.digest) for blob in blobs)


def test_never_more_blobs_move_at_a_time_than_allowed() -> None:
    source, target = MemoryContent(), Crowd()
    blobs = [descriptor_of(Blob(OCI_LAYER, b"%d" % number)) for number in range(30)]
    for number, blob in enumerate(blobs):
        source.write(blob, opening(b"%d" % number))
    Copies([BlobCopy(blob, source, target) for blob in blobs], patience=NO_RETRY._replace(parallel=3)).run(
        lambda digest: None
    )
    assert 1 <= target.most <= 3


def test_what_the_listener_raises_ends_the_transfer() -> None:
    source, target = MemoryContent(), MemoryContent()
    blobs = [descriptor_of(Blob(OCI_LAYER, b"%d" % number)) for number in range(50)]
    for number, blob in enumerate(blobs):
        source.write(blob, opening(b"%d" % number))

    def listen(digest: Digest) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Copies([BlobCopy(blob, source, target) for blob in blobs], patience=ONE_BY_ONE).run(listen)


class Crowd(MemoryContent):
    """A store that knows how many write into it at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._guard = threading.Lock()
        self.most = 0

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        with self._guard:
            self._count += 1
            self.most = max(self.most, self._count)
        try:
            return super().write(descriptor, open_at)
        finally:
            with self._guard:
                self._count -= 1


def foreign() -> MadeImage:
    """Return an image whose first layer must not be distributed and is in no store."""
    import json

    made = image(1, layers=2)
    layer = Blob("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", b"from elsewhere" * 100)
    layers = (layer, *made.layers[1:])
    document = json.loads(made.manifest.data)
    document["layers"] = [one.descriptor for one in layers]
    return made._replace(manifest=Blob(OCI_MANIFEST, json.dumps(document).encode()), layers=layers)


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


def test_a_push_mounts_from_repositories_of_the_same_registry_that_name_the_same_image(story: Story) -> None:
    story.host.hold(image(1), "reg.test/team/app:1")
    story.host.hold(image(1), "elsewhere.test/team/app:1")
    story.host.hold(image(2), "reg.test/team/other:1")
    apply(story, story.plan(present("reg.test/team/app:1", push=["reg.test/promoted/app:1"])))
    assert story.registries.mounts["reg.test/promoted/app"] == ("team/app",)
