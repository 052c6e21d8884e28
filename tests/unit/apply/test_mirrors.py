# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content by digest comes from mirrors in their order, object by object, and from its origin where they fail."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.apply.sources import Mirrors
from ansible_collections.fleet.images.plugins.module_utils.apply.transfer import BlobCopy, Copies
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    AuthError,
    ConflictError,
    ImagesError,
    IntegrityError,
    NotFoundError,
    PeerError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.mirror import Mirror
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.support.memory_engine import MemoryContent, MemoryRepository, opening
from ansible_collections.fleet.images.tests.unit.apply.carrying import (
    ONE_BY_ONE,
    Down,
    Failing,
    apply,
    mirrors_of,
    serve,
    steadily,
)
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, image, index, present

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import OpenAt, ReadStream

NAME = parse_reference("r.test/app:1")


def failing(story: Story, location: str, error: ImagesError) -> Failing:
    """Let all blobs at a mirror fail with ``error``."""
    broken = Failing(error)
    story.registries.place(parse_reference(f"{location}/app:1"), broken)
    return broken


def origin_blobs(story: Story) -> list[str]:
    return [row for row in story.registries.requests if row.startswith("GET blob")]


def test_a_mirror_that_has_everything_serves_every_blob(story: Story) -> None:
    made = image(1, layers=3)
    origin = Failing(AssertionError("the origin was asked"))  # type: ignore[arg-type]
    serve(story, origin, ("r.test/app:1", made))
    story.registries.push("m.test/app:1", made)
    apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors_of(story, "m.test"))
    assert origin.attempts == []
    assert story.plan(present("r.test/app:1")).is_empty
    assert [name.registry for name in story.host.names] == ["r.test"]


def test_mirrors_are_asked_in_order_and_only_for_what_the_ones_before_lack(story: Story) -> None:
    made = image(1, layers=3)
    story.registries.push("r.test/app:1", made)
    first, second = (story.registries(parse_reference(f"{name}.test/app:1")) for name in ("one", "two"))
    story.registries.push("one.test/app:1", made)
    story.registries.push("two.test/app:1", made)
    first.lose(made.layers[0].digest)
    first.lose(made.layers[1].digest)
    second.lose(made.layers[1].digest)
    opened: list[str] = []
    for name, repository in (("one", first), ("two", second), ("origin", story.registries(NAME))):
        repository._requests = Tagged(opened, name)
    mirrors = mirrors_of(story, "one.test", "two.test")
    apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors, patience=ONE_BY_ONE)
    served = {digest: [row.split()[0] for row in opened if row.endswith(digest)] for digest in map(str, blobs(made))}
    assert served == {
        made.config.digest: ["one"],
        made.layers[0].digest: ["one", "two"],
        made.layers[1].digest: ["one", "two", "origin"],
        made.layers[2].digest: ["one"],
    }
    assert story.plan(present("r.test/app:1")).is_empty


class Tagged(list[str]):
    """A list of requests that notes those for blobs in another list, with a name before them."""

    def __init__(self, into: list[str], name: str) -> None:
        super().__init__()
        self._into = into
        self._name = name

    def append(self, row: str) -> None:
        if row.startswith("GET blob"):
            self._into.append(f"{self._name} {row}")


def blobs(made: t.Any) -> list[str]:
    return [blob.digest for blob in (made.config, *made.layers)]


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("none", code="blob-not-found"),
        AuthError("refused", code="access-denied"),
        UnavailableError("busy", code="server-failed"),
        UnavailableError("cut", code="connection-broken"),
        PeerError("odd", code="unexpected-answer"),
        IntegrityError("other", code="digest-mismatch"),
    ],
)
def test_whatever_a_mirror_says_is_a_reason_to_ask_the_origin_and_none_to_wait(
    story: Story, error: ImagesError
) -> None:
    made, pauses = image(1), list[float]()
    story.registries.push("r.test/app:1", made)
    broken = failing(story, "m.test", error)
    plan, mirrors = story.plan(present("r.test/app:1")), mirrors_of(story, "m.test")
    apply(story, plan, mirrors=mirrors, patience=steadily(5, pauses))
    assert sorted(broken.attempts) == sorted(blobs(made))
    assert pauses == []
    assert story.plan(present("r.test/app:1")).is_empty
    told = [warning.partition(": ")[0] for warning in mirrors.warnings]
    is_wrong = isinstance(error, (PeerError, IntegrityError))
    assert told == (["The mirror m.test/app was passed over"] if is_wrong else [])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("connection-refused", UnavailableError),
        ("host-not-found", UnavailableError),
        ("timed-out", UnavailableError),
        ("rate-limited", UnavailableError),
        ("tls-untrusted", PeerError),
    ],
)
def test_a_mirror_that_is_down_is_asked_once_in_a_task(story: Story, code: str, kind: type[ImagesError]) -> None:
    down = Down(code, kind)
    for number in (1, 2):
        name = f"r.test/app{number}:1"
        story.registries.push(name, image(number, layers=3))
        story.registries.place(parse_reference(f"m.test/app{number}:1"), down)
    mirrors = mirrors_of(story, "m.test")
    for number in (1, 2):
        apply(story, story.plan(present(f"r.test/app{number}:1")), mirrors=mirrors, patience=ONE_BY_ONE)
    assert down.asked == 1
    assert len(story.host.names) == 2


def test_a_mirror_that_is_down_does_not_take_others_along(story: Story) -> None:
    made = image(1, layers=2)
    origin = Failing(AssertionError("the origin was asked"))  # type: ignore[arg-type]
    serve(story, origin, ("r.test/app:1", made))
    down = Down()
    story.registries.place(parse_reference("one.test/app:1"), down)
    story.registries.push("two.test/app:1", made)
    apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors_of(story, "one.test", "two.test"))
    assert origin.attempts == []


def test_of_all_that_failed_the_origin_is_told_and_the_mirrors_are_evidence(story: Story) -> None:
    made = image(1)
    serve(story, Failing(AuthError("refused", code="denied")), ("r.test/app:1", made))
    failing(story, "one.test", NotFoundError("It is not there", code="blob-not-found"))
    failing(story, "two.test", UnavailableError("It is cut", code="connection-broken"))
    mirrors = mirrors_of(story, "one.test", "two.test")
    with pytest.raises(ApplyError) as caught:
        apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors, patience=ONE_BY_ONE)
    error = caught.value.failed["pull r.test/app:1"]
    assert (error.code, error.what) == ("denied", "refused")
    assert error.why == "the mirror one.test/app: It is not there; the mirror two.test/app: It is cut"


def test_a_mirror_that_was_found_down_before_is_evidence_too(story: Story) -> None:
    made = image(1)
    second = min(made.config, *made.layers, key=lambda blob: len(blob.data))
    serve(story, Failing(AuthError("refused", code="denied"), digests=[second.digest]), ("r.test/app:1", made))
    down = Down()
    story.registries.place(parse_reference("m.test/app:1"), down)
    with pytest.raises(ApplyError) as caught:
        apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors_of(story, "m.test"), patience=ONE_BY_ONE)
    assert caught.value.failed["pull r.test/app:1"].why == "the mirror m.test/app: no answer"
    assert down.asked == 1


def test_the_origin_is_tried_again_and_mirrors_are_not(story: Story) -> None:
    made, pauses = image(1), list[float]()
    origin = Failing(UnavailableError("busy", code="busy"), digests=[made.layers[0].digest], times=2)
    serve(story, origin, ("r.test/app:1", made))
    broken = failing(story, "m.test", UnavailableError("busy", code="server-failed"))
    plan = story.plan(present("r.test/app:1"))
    apply(story, plan, mirrors=mirrors_of(story, "m.test"), patience=steadily(5, pauses))
    assert broken.attempts.count(made.layers[0].digest) == 1
    assert pauses == [1.0, 2.0]


def test_a_target_that_is_full_is_no_reason_to_ask_another_source(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: Descriptor, open_at: OpenAt) -> bool:
        open_at(0).close()
        raise ConflictError("full", code="disk-full")

    made = image(1)
    origin = Failing(AssertionError("the origin was asked"))  # type: ignore[arg-type]
    serve(story, origin, ("r.test/app:1", made))
    story.registries.push("m.test/app:1", made)
    monkeypatch.setattr(story.host.content, "write", full)
    with pytest.raises(ApplyError) as caught:
        apply(story, story.plan(present("r.test/app:1")), mirrors=mirrors_of(story, "m.test"))
    assert caught.value.code == "disk-full"
    assert origin.attempts == []


def test_pushes_ask_no_mirror(story: Story) -> None:
    down = Down()
    story.registries.place(parse_reference("m.test/app:1"), down)
    story.host.hold(image(1), "app:1")
    plan = story.plan(present("app:1", push=["r.test/app:1"]))
    apply(story, plan, mirrors=mirrors_of(story, "m.test"))
    assert down.asked == 0


# --- into a store that resumes -------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 4096
BLOB = Descriptor("application/octet-stream", Digest.of(CONTENT), len(CONTENT))


class Sending(MemoryRepository):
    """A repository that sends ``content`` for any blob, breaks after ``breaks_at`` bytes, and notes the offsets."""

    def __init__(self, content: bytes, *, breaks_at: int | None = None) -> None:
        super().__init__([], "sending")
        self._content = content
        self._breaks_at = breaks_at
        self.offsets: list[int] = []

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        self.offsets.append(offset)
        stream = opening(self._content[: self._breaks_at])(offset)
        if self._breaks_at is None:
            return stream

        class Breaking:
            def read(self, size: int, /) -> bytes:
                piece = stream.read(size)
                if not piece:
                    raise UnavailableError("cut", code="connection-broken")
                return piece

            def close(self) -> None:
                stream.close()

        return Breaking()


def copy_into_layout(folder: Path, *sources: Sending) -> LayoutStore:
    """Copy BLOB from mirrors, the last of ``sources`` being the origin, into a layout that is returned."""
    store = LayoutStore(folder / "store", create=True)
    *mirrored, origin = sources
    places = {f"m{at}.test": source for at, source in enumerate(mirrored)}
    rows = [Mirror("r.test", location) for location in places]
    mirrors = Mirrors(rows, open=lambda reference: places[reference.registry])
    copies = Copies([BlobCopy(BLOB, origin, store, NAME)], patience=ONE_BY_ONE, mirrors=mirrors)
    arrived: list[Digest] = []
    copies.run(arrived.append)
    assert copies.failed == {}
    assert arrived == [BLOB.digest]
    assert store.read(BLOB) == CONTENT
    return store


def test_the_origin_goes_on_where_a_mirror_broke(tmp_path: Path) -> None:
    mirror, origin = Sending(CONTENT, breaks_at=700_000), Sending(CONTENT)
    copy_into_layout(tmp_path, mirror, origin)
    assert (mirror.offsets, origin.offsets) == ([0], [700_000])


def test_wrong_bytes_of_a_mirror_are_thrown_away_and_the_origin_begins_anew(tmp_path: Path) -> None:
    mirror, origin = Sending(bytes(len(CONTENT))), Sending(CONTENT)
    store = copy_into_layout(tmp_path, mirror, origin)
    assert (mirror.offsets, origin.offsets) == ([0], [0])
    assert list((store.root / ".fleet-images" / "partial").iterdir()) == []


def test_wrong_bytes_of_a_mirror_that_broke_do_not_poison_what_follows(tmp_path: Path) -> None:
    mirror, origin = Sending(bytes(len(CONTENT)), breaks_at=500_000), Sending(CONTENT)
    copy_into_layout(tmp_path, mirror, origin)
    assert (mirror.offsets, origin.offsets) == ([0], [500_000, 0])


def test_a_mirror_that_sends_too_much_or_too_little_is_not_believed(tmp_path: Path) -> None:
    long, short, origin = Sending(CONTENT + b"x"), Sending(CONTENT[:-1]), Sending(CONTENT)
    copy_into_layout(tmp_path, long, short, origin)
    assert origin.offsets == [0]


# --- the index ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_index", [False, True])
def test_the_index_is_stored_where_the_host_keeps_it(story: Story, keeps_index: bool) -> None:
    both = index(1)
    story.registries.push("r.test/app:1", both)
    apply(story, story.plan(present("r.test/app:1")), keeps_index=keeps_index)
    assert (Digest.parse(both.digest) in story.host.content.digests()) == keeps_index
    assert isinstance(story.host.content, MemoryContent)
