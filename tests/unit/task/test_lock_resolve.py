# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a lock says of images, and what it costs to learn it: one request by tag, each child once, nothing twice."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ApplyError, ImagesError
from ansible_collections.fleet.images.plugins.module_utils.model.lock import Lock
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Defaults, candidates, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.locking import Declared, Found, plan_lock
from ansible_collections.fleet.images.plugins.module_utils.task.lock_resolve import LockResolver, LockRules
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.memory_registries import MemoryRegistries

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex

NOW = datetime(2026, 1, 5, tzinfo=timezone.utc)  # images of these tests are of the first of January
AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")
NAME = "example.com/app:1"


def image(seed: int, platform: str = "linux/amd64") -> MadeImage:
    return make_image({"seed": b"%d" % seed}, platform=platform, layers=2, seed=seed)


def index(seed: int, *platforms: str) -> MadeIndex:
    return make_index([image(seed, name) for name in platforms or ("linux/amd64", "linux/arm64")])


def declared(*names: str, platforms: tuple[Platform, ...] = ()) -> list[Declared]:
    return [Declared("", name, (parse_reference(name),), platforms) for name in names]


class Fleet:
    """Registries, and the lock of what was declared last."""

    def __init__(self) -> None:
        self.registries = MemoryRegistries()
        self.lock = Lock({})

    def look(self, wanted: list[Declared], **rules: t.Any) -> list[Found]:
        """Return what the images mean now, and count the requests for that alone."""
        del self.registries.requests[:]
        opened = t.cast("t.Any", self.registries)
        resolver = LockResolver(self.lock, rules=LockRules(NOW, **rules), registry=opened)
        return resolver.find(wanted, parallel=2)

    def locked(self, wanted: list[Declared], **rules: t.Any) -> Lock:
        """Look, and keep the lock."""
        self.lock = plan_lock(self.lock, self.look(wanted, **rules)).lock
        return self.lock

    @property
    def by_tag(self) -> list[str]:
        return [text for text in self.registries.requests if "@" not in text]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_an_index_is_locked_with_all_its_platforms_by_all_digests(fleet: Fleet) -> None:
    made = index(1)
    fleet.registries.push(NAME, made)
    entry = fleet.locked(declared(NAME)).images[NAME]
    assert str(entry.digest) == made.digest
    assert entry.media_type == made.manifest.media_type
    assert sorted(entry.platforms) == ["linux/amd64", "linux/arm64"]
    for single in made.images:
        row = entry.platforms[single.platform]
        assert str(row.manifest) == single.digest
        assert str(row.config) == single.config.digest
        parts = [single.manifest, single.config, *single.layers]
        assert row.size == sum(len(part.data) for part in parts)
        assert len(row.diff_ids) == 2


def test_an_image_without_an_index_is_locked_for_the_platform_of_its_config(fleet: Fleet) -> None:
    made = image(1, "linux/arm/v7")
    fleet.registries.push(NAME, made)
    entry = fleet.locked(declared(NAME)).images[NAME]
    assert list(entry.platforms) == ["linux/arm/v7"]
    assert str(entry.digest) == str(entry.platforms["linux/arm/v7"].manifest) == made.digest


def test_each_name_costs_one_request_by_tag_and_each_child_comes_once(fleet: Fleet) -> None:
    names = ["example.com/app:1", "example.com/app:latest"]
    for name in names:
        fleet.registries.push(name, index(1))
    fleet.locked(declared(*names))
    assert sorted(fleet.by_tag) == [f"GET {name}" for name in names]
    assert len(fleet.registries.requests) == 2 + 2 * 2  # two names; two manifests and two configs


def test_what_the_lock_has_is_not_fetched_again(fleet: Fleet) -> None:
    fleet.registries.push(NAME, index(1))
    fleet.registries.push("example.com/one:1", image(2))
    wanted = declared(NAME, "example.com/one:1")
    before = fleet.locked(wanted).to_text()
    assert fleet.locked(wanted).to_text() == before
    assert sorted(fleet.registries.requests) == [f"GET {NAME}", "HEAD example.com/one:1"]


def test_with_platforms_a_tag_that_did_not_move_costs_its_digest_alone(fleet: Fleet) -> None:
    fleet.registries.push(NAME, index(1))
    fleet.locked(declared(NAME), platforms=(AMD64,))
    assert len(fleet.registries.requests) == 3
    fleet.locked(declared(NAME), platforms=(AMD64,))
    assert fleet.registries.requests == [f"HEAD {NAME}"]


def test_a_pinned_image_that_is_locked_costs_nothing(fleet: Fleet) -> None:
    made = image(1)
    fleet.registries.push(NAME, made)
    pinned = f"{NAME}@{made.digest}"
    entry = fleet.locked(declared(pinned)).images[pinned]
    assert str(entry.digest) == made.digest
    fleet.locked(declared(pinned))
    assert fleet.registries.requests == []


def test_of_a_moved_tag_only_new_children_are_fetched(fleet: Fleet) -> None:
    arm = image(1, "linux/arm64")
    fleet.registries.push(NAME, make_index([image(1), arm]))
    fleet.locked(declared(NAME))
    fleet.registries.push(NAME, make_index([image(2), arm]))
    (found,) = fleet.look(declared(NAME))
    assert fleet.registries.requests[0] == f"GET {NAME}"
    assert len(fleet.registries.requests) == 3  # the index, and the manifest and config of amd64
    whole = fleet.lock.images[NAME].platforms["linux/arm64"]
    assert found.image.platforms["linux/arm64"] == whole


def test_what_a_change_adds_are_the_layers_that_no_entry_had(fleet: Fleet) -> None:
    lower = {"seed": b"1"}
    fleet.registries.push(NAME, make_image(lower, layers=1))
    (first,) = fleet.look(declared(NAME))
    fleet.locked(declared(NAME))
    more = make_image(lower, layers=2)
    fleet.registries.push(NAME, more)
    (second,) = fleet.look(declared(NAME))
    assert first.added == next(iter(first.image.platforms.values())).size
    assert second.added == len(more.layers[1].data) + len(more.config.data) + len(more.manifest.data)


def test_platforms_limit_what_is_locked_to_what_suits_them_best(fleet: Fleet) -> None:
    fleet.registries.push(NAME, index(1, "linux/386", "linux/amd64", "linux/arm64", "linux/s390x"))
    fleet.registries.push("example.com/old:1", index(2, "linux/386", "linux/s390x"))
    lock = fleet.locked(declared(NAME, "example.com/old:1"), platforms=(AMD64, ARM64))
    assert sorted(lock.images[NAME].platforms) == ["linux/amd64", "linux/arm64"]
    assert sorted(lock.images["example.com/old:1"].platforms) == ["linux/386"]


def test_more_and_less_platforms_of_an_unmoved_tag_are_told_from_its_index(fleet: Fleet) -> None:
    fleet.registries.push(NAME, index(1))
    whole = fleet.locked(declared(NAME)).to_text()
    assert sorted(fleet.locked(declared(NAME), platforms=(ARM64,)).images[NAME].platforms) == ["linux/arm64"]
    assert fleet.locked(declared(NAME)).to_text() == whole


@pytest.mark.parametrize("made", [index(1, "linux/arm64"), image(1, "linux/arm64")])
def test_a_platform_that_an_entry_names_must_be_there(fleet: Fleet, made: MadeImage | MadeIndex) -> None:
    fleet.registries.push(NAME, made)
    for _round in range(2):
        with pytest.raises(ImagesError) as caught:
            fleet.look(declared(NAME, platforms=(AMD64,)))
        assert caught.value.code == "platform-missing"
        assert "linux/arm64" in caught.value.why
        fleet.locked(declared(NAME))


def test_none_of_the_platforms_is_an_error_and_some_of_them_are_enough(fleet: Fleet) -> None:
    fleet.registries.push(NAME, index(1, "linux/arm64"))
    with pytest.raises(ImagesError) as caught:
        fleet.look(declared(NAME), platforms=(Platform.parse("s390x"),))
    assert caught.value.code == "platform-missing"
    assert fleet.look(declared(NAME), platforms=(AMD64, ARM64))


def test_a_short_name_is_locked_as_the_first_meaning_that_exists(fleet: Fleet) -> None:
    fleet.registries.push("docker.io/second/app:1", image(1))
    meanings = tuple(candidates("app:1", Defaults(namespaces=("first", "second"))))
    found = fleet.look([Declared("", "app:1", meanings), *declared("docker.io/second/app:1", platforms=(AMD64,))])
    assert [str(row.reference) for row in found] == ["docker.io/second/app:1"]


def test_all_that_cannot_be_resolved_is_told_at_once(fleet: Fleet) -> None:
    fleet.registries.push(NAME, image(1))
    with pytest.raises(ApplyError) as caught:
        fleet.look(declared(NAME, "example.com/one:1", "example.com/two:1"))
    assert sorted(caught.value.failed) == ["example.com/one:1", "example.com/two:1"]


def test_a_moved_tag_that_is_too_young_keeps_its_entry_and_says_until_when(fleet: Fleet) -> None:
    fleet.registries.push(NAME, index(1))
    before = fleet.locked(declared(NAME)).to_text()
    fleet.registries.push(NAME, index(2))
    (held,) = fleet.look(declared(NAME), least_age=timedelta(days=7))
    assert held.is_held
    assert "held until 2026-01-08 00:00 UTC" in held.cause
    assert index(2).digest in held.cause
    assert plan_lock(fleet.lock, [held]).lock.to_text() == before
    (free,) = fleet.look(declared(NAME), least_age=timedelta(days=4))
    assert str(free.image.digest) == index(2).digest


def test_a_young_image_without_an_entry_is_an_error(fleet: Fleet) -> None:
    fleet.registries.push(NAME, image(1))
    with pytest.raises(ImagesError) as caught:
        fleet.look(declared(NAME), least_age=timedelta(days=7))
    assert caught.value.code == "image-too-young"
    assert "held until 2026-01-08" in caught.value.why


def test_an_image_that_did_not_move_is_never_too_young(fleet: Fleet) -> None:
    fleet.registries.push(NAME, index(1))
    before = fleet.locked(declared(NAME)).to_text()
    assert fleet.locked(declared(NAME), least_age=timedelta(days=700)).to_text() == before


class Signers:
    """Stands for what checks signatures: says who signed which digest."""

    def __init__(self, **signers: str) -> None:
        self._signers = signers
        self.asked: list[str] = []

    def check(self, reference: object, *, descriptor: t.Any, manifest_digest: object, repository: object) -> tuple[str]:
        self.asked.append(f"{reference} {descriptor.digest} {manifest_digest}")
        return (self._signers["one"] if len(self.asked) % 2 else self._signers["two"],)


def test_signers_of_all_platforms_are_in_the_entry_also_of_a_tag_that_did_not_move(fleet: Fleet) -> None:
    made = index(1)
    fleet.registries.push(NAME, made)
    for _round in range(2):
        signers = Signers(one="SHA256:b", two="SHA256:a")
        lock = fleet.locked(declared(NAME), verifier=signers)
        assert lock.images[NAME].verified_by == ("SHA256:a", "SHA256:b")
        assert sorted(signers.asked) == sorted(f"{NAME} {made.digest} {one.digest}" for one in made.images)
    assert fleet.locked(declared(NAME)).images[NAME].verified_by == ()


def test_an_entry_that_is_held_back_is_verified_as_others_are(fleet: Fleet) -> None:
    before = image(1)
    fleet.registries.push(NAME, before)
    fleet.locked(declared(NAME))
    fleet.registries.push(NAME, image(2))
    signers = Signers(one="SHA256:a", two="SHA256:a")
    plan = plan_lock(fleet.lock, fleet.look(declared(NAME), least_age=timedelta(days=7), verifier=signers))
    assert signers.asked == [f"{NAME} {before.digest} {before.digest}"]
    assert [(row.action, str(row.reference)) for row in plan.changes] == [("held", NAME)]
    assert plan.lock.images[NAME].verified_by == ("SHA256:a",)
    (unasked,) = plan_lock(plan.lock, fleet.look(declared(NAME), least_age=timedelta(days=7))).rows
    assert unasked.action == "held"
