# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags move: what follows them, what does not, and what moving one by push means."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, Repository, kinds


@pytest.mark.parametrize("policy", ["newer", "always"])
@pytest.mark.parametrize("module", ["image_pull", "image_state"])
def test_a_moved_tag_is_announced_with_old_and_new_digest_and_followed(
    host: Host, repository: Repository, module: str, policy: str
) -> None:
    name = f"{repository}:1"
    options = {"name": name} if module == "image_pull" else {"images": [{"image": name}]}
    old = repository.push("1", make_image({"v": b"old"}, layers=2))
    host.do(module, **options)
    new = repository.push("1", make_image({"v": b"new"}, layers=2))

    announced = host.announce(module, **options, pull=policy)
    (action,) = announced["actions"]
    assert (action["previous_digest"], action["digest"], action["cause"]) == (old, new, "the tag moved")
    assert announced["diff"]["before"] == f"{name} {old}\n"
    assert announced["diff"]["after"] == f"{name} {new}\n"
    assert host.names() == {name: old}

    host.settle(module, **options, pull=policy)
    assert host.skopeo_digest(name) == new


def test_missing_does_not_follow_a_tag(host: Host, repository: Repository) -> None:
    old = repository.push("1", make_image({"v": b"old"}))
    host.do("image_pull", name=f"{repository}:1")
    repository.push("1", make_image({"v": b"new"}))
    for policy in ("missing", "not_present", "never"):
        host.rest("image_pull", name=f"{repository}:1", pull=policy)
    host.rest("image_state", images=[{"image": f"{repository}:1"}])
    assert host.names() == {f"{repository}:1": old}


def test_an_item_may_follow_its_tag_where_the_others_do_not(host: Host, repository: Repository) -> None:
    old = {tag: repository.push(tag, make_image({"v": tag.encode()})) for tag in ("a", "b")}
    host.do("image_state", images=[{"image": f"{repository}:{tag}"} for tag in old])
    new = {tag: repository.push(tag, make_image({"v": tag.encode() * 2})) for tag in old}
    items = [{"image": f"{repository}:a", "pull": "newer"}, {"image": f"{repository}:b"}]
    done = host.settle("image_state", images=items)
    assert [row["changed"] for row in done["images"]] == [True, False]
    assert host.names() == {f"{repository}:a": new["a"], f"{repository}:b": old["b"]}


def test_a_pin_does_not_follow_its_tag(host: Host, repository: Repository) -> None:
    old = repository.push("1", make_image({"v": b"old"}))
    host.do("image_pull", name=f"{repository}:1@{old}")
    repository.push("1", make_image({"v": b"new"}))
    host.rest("image_pull", name=f"{repository}:1@{old}", pull="always")


def test_a_tag_that_moved_between_images_on_the_host_is_only_renamed(host: Host, repository: Repository) -> None:
    one, two = make_image({"v": b"1"}), make_image({"v": b"2"})
    repository.push("1", one)
    repository.push("2", two)
    host.do("image_pull", name=[f"{repository}:1", f"{repository}:2"])
    repository.push("1", two)
    done = host.settle("image_pull", name=f"{repository}:1", pull="newer")
    assert kinds(done) == ["tag"]
    assert done["actions"][0]["previous_digest"] == one.digest
    assert set(host.names().values()) == {two.digest}


def test_an_index_that_moved_for_another_platform_keeps_the_layers(host: Host, repository: Repository) -> None:
    ours = make_image({"v": b"ours"}, platform=HOST)
    old = repository.push("1", make_index([ours, make_image({"v": b"1"}, platform=FOREIGN)]))
    host.do("image_pull", name=f"{repository}:1")
    new = repository.push("1", make_index([ours, make_image({"v": b"2"}, platform=FOREIGN)]))
    done = host.settle("image_pull", name=f"{repository}:1", pull="newer")
    assert done["images"][0]["previous_digest"] == old
    assert done["images"][0]["digest"] == new
    assert host.names() == {f"{repository}:1": ours.digest}


def test_a_tag_that_vanished_is_an_error_for_who_follows_it_only(host: Host, repository: Repository) -> None:
    digest = repository.push("1", make_image({"v": b"1"}))
    host.do("image_pull", name=f"{repository}:1")
    images_path = repository.registry.data / "docker/registry/v2/repositories" / repository.path / "_manifests/tags/1"
    (images_path / "current/link").unlink()
    assert repository.digest("1") == ""
    assert host.refuse("image_pull", name=f"{repository}:1", pull="newer")["code"] == "image-not-found"
    host.rest("image_pull", name=f"{repository}:1", pull="missing")
    assert host.names() == {f"{repository}:1": digest}


def test_moving_a_remote_tag_by_push_is_a_change_and_pushing_again_is_none(
    host: Host, repository: Repository
) -> None:
    old, new = (make_image({"v": text}) for text in (b"old", b"new"))
    repository.push("1", old)
    repository.push("new", new)
    host.do("image_pull", name=f"{repository}:new")
    host.do("image_tag", name=f"{repository}:new", repository=[f"{repository}:1"])
    announced = host.announce("image_push", name=f"{repository}:1")
    (action,) = announced["actions"]
    assert (action["action"], action["previous_digest"], action["digest"]) == ("push", old.digest, new.digest)
    assert f"{repository}:1 (registry) {old.digest}" in announced["diff"]["before"]
    assert f"{repository}:1 (registry) {new.digest}" in announced["diff"]["after"]
    assert repository.digest("1") == old.digest
    host.settle("image_push", name=f"{repository}:1")
    assert repository.digest("1") == new.digest

    repository.push("1", old)  # somebody moves it back
    host.settle("image_push", name=f"{repository}:1")
    assert repository.digest("1") == new.digest
