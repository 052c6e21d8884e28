# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_pull: absent, announced, pulled, pulled again, moved, removed."""

from __future__ import annotations

from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, UNMADE, Host, Repository, kinds


def test_a_pull_goes_from_nothing_through_a_moved_tag_to_nothing(host: Host, repository: Repository) -> None:
    first = repository.push("1", make_image({"v": b"1"}, layers=2))
    done = host.settle("image_pull", name=f"{repository}:1")
    assert kinds(done) == ["pull"]
    assert host.skopeo_digest(f"{repository}:1") == first

    second = repository.push("1", make_image({"v": b"2"}, layers=2))
    done = host.settle("image_pull", name=f"{repository}:1", pull="newer")
    assert done["actions"][0]["previous_digest"] == first
    assert done["actions"][0]["digest"] == second
    assert host.skopeo_digest(f"{repository}:1") == second

    host.settle("image_rmi", name=f"{repository}:1")
    assert host.names() == {}


def test_several_names_are_pulled_in_one_task_and_layers_they_share_are_kept_once(
    host: Host, repository: Repository
) -> None:
    images = {tag: make_image({"shared": b"base"}, layers=count) for tag, count in (("1", 1), ("2", 2), ("3", 3))}
    for tag, image in images.items():
        repository.push(tag, image)
    names = [f"{repository}:{tag}" for tag in images]
    done = host.settle("image_pull", name=names)
    assert [row["name"] for row in done["images"]] == names
    assert host.names() == {f"{repository}:{tag}": image.digest for tag, image in images.items()}
    parts = {blob.digest for image in images.values() for blob in (image.manifest, image.config, *image.layers)}
    assert host.blobs() == parts


def test_every_way_to_write_a_name_pulls_the_same_bytes(host: Host, repository: Repository) -> None:
    digest = repository.push("1", make_image({"v": b"names"}))
    host.settle("image_pull", name=f"{repository}@{digest}")
    host.rest("image_pull", name=f"{repository}@{digest}")
    done = host.settle("image_pull", name=f"{repository}:1@{digest}")
    assert kinds(done) == ["tag"]
    host.rest("image_pull", name=f"{repository}:1")
    host.rest("image_pull", name=str(repository), tag="1")
    host.rest("image_pull", name=f"{repository}:1", pull="always")
    host.rest("image_pull", name=f"{repository}:1", pull="never")
    assert set(host.names().values()) == {digest}


def test_what_may_not_be_pulled_and_is_not_there_is_an_error(host: Host, repository: Repository) -> None:
    repository.push("1", make_image())
    error = host.refuse("image_pull", name=f"{repository}:1", pull="never")
    assert error["code"] == "not-on-host"


def test_platforms_of_an_index_are_pulled_as_asked(host: Host, repository: Repository) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index = repository.push("1", make_index([foreign, ours]))
    done = host.settle("image_pull", name=f"{repository}:1")
    assert done["images"][0]["digest"] == index
    assert host.names() == {f"{repository}:1": ours.digest}

    host.settle("image_pull", name=f"{repository}:1", platform=FOREIGN)
    assert host.names() == {f"{repository}:1": foreign.digest}

    error = host.refuse("image_pull", name=f"{repository}:1", platform=UNMADE)
    assert error["code"] == "platform-missing"
    assert HOST in error["why"]
    assert FOREIGN in error["why"]


def test_docker_manifests_and_lists_are_kept_as_they_are(host: Host, repository: Repository) -> None:
    image = make_image({"v": b"docker"}, platform=HOST, docker=True)
    repository.push("single", image)
    listed = repository.push("list", make_index([make_image(platform=FOREIGN, docker=True), image], docker=True))
    done = host.settle("image_pull", name=[f"{repository}:single", f"{repository}:list"])
    assert [row["digest"] for row in done["images"]] == [image.digest, listed]
    assert host.names() == {f"{repository}:single": image.digest, f"{repository}:list": image.digest}
    assert host.blobs() == {image.digest, image.config.digest, *(layer.digest for layer in image.layers)}
    host.settle("image_push", name=f"{repository}:single", repository=[f"{repository}:back"])
    assert repository.digest("back") == image.digest


def test_a_namespace_is_tried_after_the_other_for_a_short_name(host: Host, repository: Repository) -> None:
    digest = repository.push("1", make_image({"v": b"short"}))
    space, _, short = repository.path.rpartition("/")
    options = {"default_registry": repository.registry.host, "default_namespaces": ["nobody", space]}
    host.settle("image_pull", name=f"{short}:1", **options)
    assert host.names() == {f"{repository}:1": digest}
