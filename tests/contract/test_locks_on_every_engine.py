# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock on every engine: the locked bytes, wherever tags point by now, and no registry where they are there."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.contract.test_life_of_an_image import put
from ansible_collections.fleet.images.tests.contract.test_mirrors_everywhere import put_at
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex, make_image, make_index, push
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, UNMADE, Repository, kinds
from ansible_collections.fleet.images.tests.support.locks import entry_of, lock_of
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.registry import Registry


@pytest.fixture
def counted(repository: Repository) -> Iterator[tuple[CountingProxy, Repository]]:
    """Yield a proxy that counts, and the test's repository as it is named behind it."""
    with CountingProxy(repository.registry.url) as proxy:
        yield proxy, repository._replace(host=proxy.host)


def test_a_tag_that_moved_after_locking_changes_nothing_and_no_registry_is_asked(
    engine_host: EngineHost, counted: tuple[CountingProxy, Repository]
) -> None:
    proxy, repository = counted
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index, single = make_index([foreign, ours]), put(repository, "single")
    repository.push("index", index)
    names: dict[str, MadeImage | MadeIndex] = {f"{repository}:index": index, f"{repository}:single": single}
    options: dict[str, t.Any] = {"lock": lock_of(names), "images": [{"image": name} for name in names]}
    put(repository, "index", "moved")
    put(repository, "single", "moved too")

    done = engine_host.settle("image_state", **options)
    assert kinds(done) == ["pull", "pull"]
    assert [row["digest"] for row in done["images"]] == [index.digest, single.digest]
    wanted = {f"{repository}:index": ours.config.digest, f"{repository}:single": single.config.digest}
    assert engine_host.images() == wanted

    proxy.reset()
    for policy in ("missing", "newer", "always", "never"):
        again = engine_host.rest("image_state", pull=policy, **options)
        assert [row["digest"] for row in again["images"]] == [index.digest, single.digest]
    engine_host.announce("image_state", **options)
    assert proxy.exchanges() == []
    assert engine_host.images() == wanted


def test_a_name_that_moved_on_the_host_is_brought_back(engine_host: EngineHost, repository: Repository) -> None:
    name = f"{repository}:1"
    locked = put(repository, "1")
    lock = lock_of({name: locked})
    moved = put(repository, "1", "moved")
    engine_host.settle("image_pull", name=name)
    done = engine_host.settle("image_state", images=[{"image": name}], lock=lock)
    assert [(row["action"], row["cause"]) for row in done["images"]] == [("pull", "another digest is locked")]
    assert (done["images"][0]["previous_digest"], done["images"][0]["digest"]) == (moved.digest, locked.digest)
    assert engine_host.images() == {name: locked.config.digest}


def test_what_the_host_holds_under_another_name_only_gets_its_name(
    engine_host: EngineHost, counted: tuple[CountingProxy, Repository]
) -> None:
    proxy, repository = counted
    image = put(repository, "1")
    engine_host.do("image_pull", name=f"{repository}:1")
    name = f"{repository}:2"
    proxy.reset()
    done = engine_host.settle("image_state", images=[{"image": name}], lock=lock_of({name: image}))
    assert (kinds(done), done["images"][0]["digest"]) == (["tag"], image.digest)
    assert proxy.exchanges() == []


def test_locked_bytes_come_from_a_mirror_and_are_known_again_without_it(
    engine_host: EngineHost, counted: tuple[CountingProxy, Repository], registry: Registry
) -> None:
    proxy, repository = counted
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index, single = make_index([foreign, ours]), put(repository, "single")
    names: dict[str, MadeImage | MadeIndex] = {f"{repository}:index": index, f"{repository}:single": single}
    put_at(registry, repository, single)
    push(registry, f"hub/{repository.path}", index, tag="cached")
    mirrors = [{"registry": proxy.host, "location": f"{registry.host}/hub"}]
    options: dict[str, t.Any] = {"lock": lock_of(names), "images": [{"image": name} for name in names]}
    engine_host.settle("image_state", mirrors=mirrors, **options)
    again = engine_host.rest("image_state", **options)
    assert [row["digest"] for row in again["images"]] == [index.digest, single.digest]
    assert engine_host.images() == {
        f"{repository}:index": ours.config.digest,
        f"{repository}:single": single.config.digest,
    }
    assert proxy.exchanges() == []


def test_the_image_for_another_platform_of_the_same_index_is_not_the_locked_one(
    engine_host: EngineHost, repository: Repository
) -> None:
    name = f"{repository}:1"
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index = make_index([foreign, ours])
    repository.push("1", index)
    engine_host.do("image_pull", name=name, platform=FOREIGN)
    lock = lock_of({name: index})
    engine_host.settle("image_state", images=[{"image": name}], lock=lock)
    assert engine_host.images() == {name: ours.config.digest}
    engine_host.settle("image_state", images=[{"image": name, "platform": FOREIGN}], lock=lock)
    assert engine_host.images() == {name: foreign.config.digest}


def test_what_the_lock_lacks_is_an_error_that_changes_nothing(
    engine_host: EngineHost, repository: Repository
) -> None:
    name, other = f"{repository}:1", f"{repository}:2"
    index = make_index([make_image({"a": b"2"}, platform=FOREIGN), make_image({"a": b"3"}, platform=UNMADE)])
    repository.push("1", index)
    image = put(repository, "2")
    lock = lock_of({name: index})
    error = engine_host.refuse("image_state", images=[{"image": name}], lock=lock)
    assert (error["class"], error["code"], error["subject"]) == ("NotFoundError", "lock-platform-missing", "images[0]")
    assert FOREIGN in error["why"]
    assert UNMADE in error["why"]
    error = engine_host.refuse("image_state", images=[{"image": other}], lock=lock)
    assert (error["class"], error["code"], error["subject"]) == ("NotFoundError", "not-in-lock", "images[0]")
    engine_host.settle("image_state", images=[{"image": other}], lock=lock, lock_missing="resolve")
    assert engine_host.images() == {other: image.config.digest}


def test_bytes_that_are_not_the_locked_ones_are_refused(engine_host: EngineHost, repository: Repository) -> None:
    name = f"{repository}:1"
    image, other = put(repository, "1"), make_image({"v": b"other"})
    forged = entry_of(name, other)
    document = lock_of({name: image._replace(config=other.config)})
    error = engine_host.refuse("image_state", images=[{"image": name}], lock=document)
    assert (error["class"], error["code"]) == ("IntegrityError", "lock-mismatch")
    assert image.config.digest in error["why"]
    broken = {"version": 1, "images": {name: {**forged, "digest": image.digest}}}
    assert engine_host.refuse("image_state", images=[{"image": name}], lock=broken)["code"] == "lock-edited"


def test_a_build_starts_from_what_the_lock_says(
    engine_host: EngineHost, counted: tuple[CountingProxy, Repository]
) -> None:
    proxy, repository = counted
    base = make_image({"base": b"1"}, layers=2, labels={"base": "locked"})
    repository.push("base", base)
    lock = lock_of({f"{repository}:base": base})
    repository.push("base", make_image({"base": b"2"}, labels={"base": "moved"}))
    build = {"dockerfile_inline": f"FROM {repository}:base\nLABEL built=yes\n", "pull": True}
    images = [{"image": "app:1", "build": build}, {"image": "app:2", "build": {"dockerfile_inline": "FROM app:1\n"}}]
    announced = engine_host.announce("image_state", images=images, lock=lock)
    done = engine_host.do("image_state", images=images, lock=lock)
    assert kinds(done) == kinds(announced) == ["build", "build"]
    found = engine_host.do("image_info", name="app:2", detail=True)["images"][0]
    assert (found["labels"]["base"], found["labels"]["built"]) == ("locked", "yes")
    proxy.reset()
    engine_host.rest("image_state", images=images, lock=lock)
    assert proxy.exchanges() == []

    error = engine_host.refuse("image_state", images=images, lock=lock_of({}))
    assert (error["code"], error["subject"]) == ("not-in-lock", f"{repository}:base")


def test_names_with_a_digest_are_locked_under_that_digest(
    engine_host: EngineHost, counted: tuple[CountingProxy, Repository]
) -> None:
    proxy, repository = counted
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index, single = make_index([foreign, ours]), put(repository, "single")
    repository.push("index", index)
    names: dict[str, MadeImage | MadeIndex] = {
        f"{repository}:index@{index.digest}": index,
        f"{repository}@{single.digest}": single,
    }
    options: dict[str, t.Any] = {"lock": lock_of(names), "images": [{"image": name} for name in names]}
    done = engine_host.settle("image_state", **options)
    assert [row["digest"] for row in done["images"]] == [index.digest, single.digest]
    assert engine_host.images() == {f"{repository}:index": ours.config.digest}
    assert f"{repository}@{single.digest}" in engine_host.digests()
    proxy.reset()
    engine_host.rest("image_state", pull="always", **options)
    assert proxy.exchanges() == []
