# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Transfers between stores in memory: what is tried again and for how long, and what many threads move."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.transfer import BlobCopy, Copies, patiently
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    AuthError,
    ImagesError,
    IntegrityError,
    NotFoundError,
    UnavailableError,
)
from ansible_collections.fleet.images.tests.support.images import OCI_LAYER, Blob
from ansible_collections.fleet.images.tests.support.memory_engine import (
    MemoryContent,
    MemoryRepository,
    descriptor_of,
    opening,
)
from ansible_collections.fleet.images.tests.unit.apply.carrying import (
    NO_RETRY,
    ONE_BY_ONE,
    Failing,
    apply,
    serve,
    steadily,
)
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, image, present

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import OpenAt, ReadStream


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


# --- deadline -----------------------------------------------------------------------------------------------------


class Trickling(MemoryRepository):
    """A repository that takes a second for each byte, on a clock of its own; ``sent`` is what it gave."""

    def __init__(self) -> None:
        super().__init__([], "trickling")
        self.now = 0.0
        self.sent = 0

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        trickling, stream = self, super().open(descriptor, offset)

        class Slow:
            def read(self, _size: int, /) -> bytes:
                piece = stream.read(1)
                trickling.now += 1.0
                trickling.sent += len(piece)
                return piece

            def close(self) -> None:
                stream.close()

        return Slow()


def test_a_transfer_that_goes_on_and_on_is_given_up_at_the_deadline(story: Story) -> None:
    made, slow, pauses = image(1), Trickling(), list[float]()
    serve(story, slow, ("r.test/app:1", made))
    patience = steadily(9, pauses, parallel=1)._replace(deadline=20.0, clock=lambda: slow.now)
    with pytest.raises(ApplyError) as caught:
        apply(story, story.plan(present("r.test/app:1")), patience=patience)
    error = caught.value.failed["pull r.test/app:1"]
    assert (error.code, error.retryable, error.attempts) == ("deadline-passed", False, 1)
    assert slow.sent == 20
    assert pauses == []
    assert story.host.names == {}


def test_each_transfer_has_a_deadline_of_its_own(story: Story) -> None:
    made, slow = image(1, layers=3), Trickling()
    serve(story, slow, ("r.test/app:1", made))
    longest = max(len(blob.data) for blob in (made.config, *made.layers))
    deadline = longest + 2.0
    patience = ONE_BY_ONE._replace(deadline=deadline, clock=lambda: slow.now)
    apply(story, story.plan(present("r.test/app:1")), patience=patience)
    assert slow.now > deadline
    assert story.plan(present("r.test/app:1")).is_empty


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
