# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Daemons that pull and push: what they are told, in which order, how often, and what is told when they fail."""

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    AuthError,
    ImagesError,
    NotFoundError,
    PeerError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.memory_daemon import MemoryDaemon
from ansible_collections.fleet.images.tests.support.memory_engine import MemoryRepository
from ansible_collections.fleet.images.tests.unit.apply.carrying import (
    NO_RETRY,
    ONE_BY_ONE,
    Down,
    apply,
    mirrors_of,
    steadily,
)
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, image, index, present, size

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.engines.base import Heard
    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
    from ansible_collections.fleet.images.tests.support.memory_engine import MemoryRegistries


class Moody(MemoryDaemon):
    """A daemon that fails as ``moods`` says: by a word in the source or target, the errors to raise, in order."""

    def __init__(self, registries: MemoryRegistries) -> None:
        super().__init__(registries)
        self.moods: dict[str, list[ImagesError]] = {}
        self.deadlines: list[float | None] = []
        self.platforms: list[Platform | None] = []

    def pull(
        self,
        reference: Reference,
        *,
        source: Reference,
        platform: Platform | None,
        deadline: float | None,
        heard: Heard | None = None,
    ) -> int:
        self.platforms.append(platform)
        self.deadlines.append(deadline)
        self._fail(source, self.pulls)
        return super().pull(reference, source=source, platform=platform, deadline=deadline, heard=heard)

    def push(self, reference: Reference, *, identity: Identity, deadline: float | None) -> None:
        self.deadlines.append(deadline)
        self._fail(reference, self.pushes)
        super().push(reference, identity=identity, deadline=deadline)

    def _fail(self, where: Reference, told: list[str]) -> None:
        errors = next((errors for word, errors in self.moods.items() if word in str(where)), [])
        if errors:
            told.append(str(where))
            raise errors.pop(0)


class Telling(MemoryRepository):
    """A repository that answers questions for a digest or a write with an error."""

    def __init__(self, error: ImagesError) -> None:
        super().__init__([], "telling")
        self.error = error

    def resolve(self, reference: Reference) -> Descriptor:
        if reference.digest is not None:
            raise self.error
        return super().resolve(reference)

    def write(self, *_what: t.Any) -> t.NoReturn:
        raise self.error


@pytest.fixture
def story() -> Story:
    made = Story()
    made.host = Moody(made.registries)
    return made


def daemon(story: Story) -> Moody:
    assert isinstance(story.host, Moody)
    return story.host


def pull_failed(words: str = "the daemon's words") -> PeerError:
    return PeerError("It cannot be pulled", code="engine-pull-failed", why=words)


def push_failed() -> PeerError:
    return PeerError("It cannot be pushed", code="engine-push-failed", why="the daemon's words")


def failure(caught: pytest.ExceptionInfo[ApplyError]) -> ImagesError:
    (error,) = caught.value.failed.values()
    return error


# --- pull ---------------------------------------------------------------------------------------------------------


def test_an_index_is_pulled_by_its_own_digest_for_the_platform(story: Story) -> None:
    both, single = index(1), image(9)
    story.registries.push("r.test/app:1", both)
    story.registries.push("r.test/one:1", single)
    outcome = apply(story, story.plan(present("r.test/app:1"), present("r.test/one:1")), patience=ONE_BY_ONE)
    told = dict(zip(daemon(story).pulls, map(str, daemon(story).platforms)))
    assert told == {f"r.test/app@{both.digest}": "linux/amd64", f"r.test/one@{single.digest}": "None"}
    assert outcome.moved == size(both.images[0]) + size(single)
    assert story.plan(present("r.test/app:1", pull="newer"), present("r.test/one:1")).is_empty


def test_the_biggest_image_goes_first(story: Story) -> None:
    for number in range(4):
        made = make_image(seed=number, random_bytes=5000 * (1 + number * 7 % 4))
        story.registries.push(f"r.test/app:{number}", made)
    plan = story.plan(*(present(f"r.test/app:{number}") for number in range(4)))
    apply(story, plan, patience=ONE_BY_ONE)
    by_source = {f"r.test/app@{action.digest}": action.size for action in plan.actions}
    sizes = [by_source[source] for source in daemon(story).pulls]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


def test_as_many_images_are_pulled_at_a_time_as_allowed_and_no_more(story: Story) -> None:
    guard, running, most = threading.Lock(), 0, 0
    together = threading.Barrier(3, timeout=10)

    class Meeting(MemoryDaemon):
        def pull(
            self,
            reference: Reference,
            *,
            source: Reference,
            platform: Platform | None,
            deadline: float | None,
            heard: Heard | None = None,
        ) -> int:
            nonlocal running, most
            with guard:
                running += 1
                most = max(most, running)
            together.wait()
            with guard:
                running -= 1
            return super().pull(reference, source=source, platform=platform, deadline=deadline, heard=heard)

    story.host = Meeting(story.registries)
    for number in range(6):
        story.registries.push(f"r.test/app:{number}", image(number))
    items = [present(f"r.test/app:{number}") for number in range(6)]
    apply(story, story.plan(*items), patience=NO_RETRY._replace(parallel=3))
    assert most == 3
    assert story.plan(*items).is_empty


def test_mirrors_are_asked_in_order_and_the_name_is_the_origins(story: Story) -> None:
    made = image(1)
    for name in ("r.test/app:1", "two.test/app:1"):
        story.registries.push(name, made)
    mirrors, pauses = mirrors_of(story, "one.test", "two.test"), list[float]()
    apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors, patience=steadily(5, pauses))
    assert daemon(story).pulls == [f"{name}.test/app@{made.digest}" for name in ("one", "two")]
    assert {name.repository for name in story.host.names} == {"r.test/app"}
    assert pauses == []


def test_a_mirror_without_the_image_leads_to_the_origin(story: Story) -> None:
    made = image(1)
    story.registries.push("r.test/app:1", made)
    apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors_of(story, "m.test"))
    assert daemon(story).pulls == [f"{name}.test/app@{made.digest}" for name in ("m", "r")]
    assert story.plan(present("r.test/app:1")).is_empty


def test_a_mirror_that_our_own_client_finds_down_is_not_given_to_the_daemon_again(story: Story) -> None:
    daemon(story).moods["m.test"] = [pull_failed(), pull_failed()]
    for number in (1, 2):
        story.registries.push(f"r.test/app{number}:1", image(number))
        story.registries.place(parse_reference(f"m.test/app{number}:1"), Down())
    plan = story.plan(present("r.test/app1:1"), present("r.test/app2:1"))
    apply(story, plan, mirrors=mirrors_of(story, "m.test"), patience=ONE_BY_ONE)
    assert [source.partition("/")[0] for source in daemon(story).pulls] == ["m.test", "r.test", "r.test"]


def test_a_mirror_that_holds_the_daemon_up_is_followed_by_the_origin(story: Story) -> None:
    daemon(story).moods["m.test"] = [UnavailableError("It took too long", code="engine-timeout")]
    for name in ("r.test/app:1", "m.test/app:1"):
        story.registries.push(name, image(1))
    apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors_of(story, "m.test"))
    assert len(daemon(story).pulls) == 2


def test_what_the_daemon_cannot_explain_is_tried_again_when_the_registry_finds_nothing_wrong(story: Story) -> None:
    story.registries.push("r.test/app:1", image(1))
    daemon(story).moods["r.test"] = [pull_failed(), pull_failed()]
    plan, pauses = story.plan(present("r.test/app:1")), list[float]()
    story.requests.clear()
    apply(story, plan, patience=steadily(3, pauses))
    assert pauses == [1.0, 2.0]
    assert len(daemon(story).pulls) == 3
    assert story.requests[0] == f"HEAD r.test/app@{image(1).digest}"


def test_in_the_end_the_daemons_own_words_are_told(story: Story) -> None:
    story.registries.push("r.test/app:1", image(1))
    daemon(story).moods["r.test"] = [pull_failed(f"no space ({number})") for number in range(9)]
    with pytest.raises(ApplyError) as caught:
        apply(story, story.plan(present("r.test/app:1")), patience=steadily(2, []))
    error = failure(caught)
    assert (error.code, error.why, error.attempts) == ("engine-pull-failed", "no space (2)", 3)
    assert len(daemon(story).pulls) == 3


@pytest.mark.parametrize(
    "told",
    [
        AuthError("Who are you", code="auth-required", why="401"),
        AuthError("Not you", code="access-denied", why="403"),
        NotFoundError("It is not there", code="image-not-found", why="404"),
    ],
)
def test_what_the_registry_refuses_is_told_as_such_and_never_tried_again(story: Story, told: ImagesError) -> None:
    story.registries.place(parse_reference("r.test/app:1"), Telling(told))
    story.registries.push("r.test/app:1", image(1))
    daemon(story).moods["r.test"] = [pull_failed(), pull_failed()]
    plan, why = story.plan(present("r.test/app:1")), told.why
    with pytest.raises(ApplyError) as caught:
        apply(story, plan, patience=steadily(9, []))
    assert failure(caught) is told
    assert told.why == f"{why}; the daemon's words"
    assert len(daemon(story).pulls) == 1


def test_a_blob_that_the_registry_lost_is_told_and_not_tried_again(story: Story) -> None:
    made = image(1, layers=2)
    story.registries.push("r.test/app:1", made)
    plan = story.plan(present("r.test/app:1"))
    story.registries(parse_reference("r.test/app:1")).lose(made.layers[1].digest)
    with pytest.raises(ApplyError) as caught:
        apply(story, plan, patience=steadily(9, []))
    assert failure(caught).code == "blob-not-found"
    assert made.layers[1].digest in failure(caught).why
    assert len(daemon(story).pulls) == 1


@pytest.mark.parametrize("attempts", [1, 4])
def test_a_busy_registry_is_waited_for_once(story: Story, attempts: int) -> None:
    """Once by our client, with its own attempts and the pauses that were asked for, or, where it made none, here."""
    busy = UnavailableError("busy", code="rate-limited")
    busy.attempts = attempts
    story.registries.place(parse_reference("r.test/app:1"), Telling(busy))
    story.registries.push("r.test/app:1", image(1))
    daemon(story).moods["r.test"] = [pull_failed()]
    pauses: list[float] = []
    plan = story.plan(present("r.test/app:1"))
    if attempts == 1:
        apply(story, plan, patience=steadily(3, pauses))
    else:
        with pytest.raises(ApplyError) as caught:
            apply(story, plan, patience=steadily(3, pauses))
        assert failure(caught).code == "rate-limited"
    assert len(pauses) == (attempts == 1)


def test_an_engine_that_is_lost_and_comes_back_is_asked_again_without_asking_the_registry(story: Story) -> None:
    story.registries.push("r.test/app:1", image(1))
    daemon(story).moods["r.test"] = [UnavailableError("gone", code="engine-unreachable")]
    plan, pauses = story.plan(present("r.test/app:1")), list[float]()
    story.requests.clear()
    apply(story, plan, patience=steadily(3, pauses))
    assert pauses == [1.0]
    assert [row for row in story.requests if row.startswith("HEAD")] == []


def test_the_deadline_is_one_for_all_attempts_at_an_image(story: Story) -> None:
    now = [0.0]

    class Hanging(Moody):
        def pull(
            self,
            reference: Reference,
            *,
            source: Reference,
            platform: Platform | None,
            deadline: float | None,
            heard: Heard | None = None,
        ) -> int:
            try:
                return super().pull(reference, source=source, platform=platform, deadline=deadline, heard=heard)
            finally:
                now[0] += 40.0

    story.host = Hanging(story.registries)
    for number in (1, 2):
        story.registries.push(f"r.test/app{number}:1", make_image(seed=number, random_bytes=9000 // number))
    daemon(story).moods["app2"] = [pull_failed() for _time in range(9)]
    plan = story.plan(present("r.test/app1:1"), present("r.test/app2:1"))
    patience = steadily(9, [], parallel=1)._replace(deadline=100.0, clock=lambda: now[0])
    with pytest.raises(ApplyError) as caught:
        apply(story, plan, patience=patience)
    assert daemon(story).deadlines == [100.0, 100.0, 60.0, 20.0]
    error = failure(caught)
    assert (error.code, error.retryable, error.subject) == ("deadline-passed", False, "r.test/app2:1")
    assert error.why == "before: It cannot be pulled: the daemon's words"


def test_a_failure_keeps_what_is_done_and_starts_nothing_more(story: Story) -> None:
    for number in range(4):
        story.registries.push(f"r.test/app{number}:1", make_image(seed=number, random_bytes=9000 - 1000 * number))
    daemon(story).moods["app1"] = [pull_failed()]
    items = [present(f"r.test/app{number}:1", tags=[f"tag{number}:1"]) for number in range(4)]
    with pytest.raises(ApplyError) as caught:
        apply(story, story.plan(*items), patience=ONE_BY_ONE)
    assert caught.value.done == ("pull r.test/app0:1",)
    assert list(caught.value.failed) == ["pull r.test/app1:1"]
    assert len(caught.value.not_started) == 6
    assert {name.repository for name in story.host.names} == {"r.test/app0"}
    apply(story, story.plan(*items))
    assert story.plan(*items).is_empty


# --- push ---------------------------------------------------------------------------------------------------------


def pushed(story: Story) -> t.Any:
    story.host.hold(image(1), "app:1", is_pulled=False)
    return story.plan(present("app:1", push=["r.test/app:1"]))


def test_the_registry_tells_the_digest_of_what_a_daemon_pushed(story: Story) -> None:
    plan = pushed(story)
    outcome = apply(story, plan)
    (action,) = plan.actions
    assert {at: str(digest) for at, digest in outcome.pushed.items()} == {
        action.id: story.registries.digest("r.test/app:1")
    }
    assert str(outcome.pushed[action.id]) != image(1).digest


@pytest.mark.parametrize("code", ["auth-required", "access-denied"])
def test_a_push_that_the_registry_forbids_is_told_as_such_and_not_tried_again(story: Story, code: str) -> None:
    plan = pushed(story)
    story.registries.place(parse_reference("r.test/app:1"), Telling(AuthError("Not you", code=code)))
    daemon(story).moods["r.test"] = [push_failed(), push_failed()]
    with pytest.raises(ApplyError) as caught:
        apply(story, plan, patience=steadily(9, []))
    assert (failure(caught).code, failure(caught).why) == (code, "the daemon's words")
    assert len(daemon(story).pushes) == 1


def test_a_push_that_the_registry_would_take_is_tried_again_and_leaves_nothing_else_there(story: Story) -> None:
    plan, pauses = pushed(story), list[float]()
    daemon(story).moods["r.test"] = [push_failed(), push_failed()]
    apply(story, plan, patience=steadily(3, pauses))
    assert pauses == [1.0, 2.0]
    made = image(1)
    remote = {str(digest) for digest in story.registries(parse_reference("r.test/app:1")).digests()}
    assert remote == {made.config.digest, made.layers[0].digest, story.registries.digest("r.test/app:1")}


def test_a_push_that_left_nothing_is_a_broken_promise(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = pushed(story)
    monkeypatch.setattr(story.host, "push", lambda *_what, **_more: None)
    with pytest.raises(ApplyError) as caught:
        apply(story, plan)
    assert failure(caught).code == "promise-broken"
