# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_state brings a host from nothing to the list, follows the list, and takes away what it says is absent."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, UNMADE, Host, Repository, kinds


def test_a_host_goes_from_nothing_through_a_change_to_nothing(host: Host, repository: Repository) -> None:
    app, other = repository.push("1", make_image({"v": b"1"}, layers=2)), repository.push("2", make_image({"v": b"2"}))
    first = f"{repository}:1"
    wanted = [{"image": first, "tags": ["local/app:stable"]}]

    done = host.settle("image_state", images=wanted)
    assert kinds(done) == ["pull", "tag"]
    assert host.names() == {first: app, "docker.io/local/app:stable": app}
    assert host.skopeo_digest(first) == app

    done = host.settle("image_state", images=[{"image": f"{repository}:2", "tags": ["local/app:stable"]}])
    assert kinds(done) == ["pull", "tag"]
    assert done["actions"][1]["previous_digest"] == app
    assert done["actions"][1]["digest"] == other
    assert host.names() == {first: app, f"{repository}:2": other, "docker.io/local/app:stable": other}
    assert host.skopeo_digest("docker.io/local/app:stable") == other

    done = host.settle("image_state", images=[{"image": first, "state": "absent"}])
    assert kinds(done) == ["untag"]
    assert done["untagged"] == [first]
    assert host.names() == {f"{repository}:2": other, "docker.io/local/app:stable": other}

    done = host.settle("image_state", images=[], unlisted="remove")
    assert kinds(done) == ["untag", "untag"]
    assert host.names() == {}


def test_a_row_tells_name_identity_cause_and_bytes_of_each_image(host: Host, repository: Repository) -> None:
    image = make_image({"v": b"row"}, layers=2)
    repository.push("1", image)
    done = host.settle("image_state", images=[{"image": f"{repository}:1"}])
    size = sum(len(blob.data) for blob in (image.config, *image.layers))
    assert done["engine"] == "layout"
    assert done["images"] == [
        {
            "name": f"{repository}:1",
            "id": image.config.digest,
            "digest": image.digest,
            "previous_digest": "",
            "changed": True,
            "action": "pull",
            "cause": "not on the host",
            "bytes": done["images"][0]["bytes"],
        }
    ]
    assert size <= done["images"][0]["bytes"] <= size + len(image.manifest.data)
    assert host.blobs() == {image.digest, image.config.digest, *(layer.digest for layer in image.layers)}


def test_a_digest_alone_and_a_tag_with_a_digest_name_the_same_bytes(host: Host, repository: Repository) -> None:
    first, second = repository.push("1", make_image({"v": b"1"})), repository.push("2", make_image({"v": b"2"}))

    host.settle("image_state", images=[{"image": f"{repository}@{first}"}])
    assert set(host.names().values()) == {first}

    # The tag of a pin is a name only: here it stands for other bytes than at the registry, which is the point of a pin.
    done = host.settle("image_state", images=[{"image": f"{repository}:2@{first}"}])
    assert kinds(done) == ["tag"]
    assert host.names()[f"{repository}:2"] == first

    done = host.settle("image_state", images=[{"image": f"{repository}:2@{second}"}])
    assert done["images"][0]["previous_digest"] == first
    assert done["images"][0]["digest"] == second
    assert host.names()[f"{repository}:2"] == second
    assert host.skopeo_digest(f"{repository}:2") == second

    done = host.settle("image_state", images=[{"image": f"{repository}@{first}", "state": "absent"}])
    assert host.names() == {f"{repository}:2": second}


def test_a_pin_of_the_same_tag_to_an_older_digest_goes_back(host: Host, repository: Repository) -> None:
    first = repository.push("1", make_image({"v": b"1"}))
    second = repository.push("1", make_image({"v": b"2"}))
    host.settle("image_state", images=[{"image": f"{repository}:1"}])
    assert host.names() == {f"{repository}:1": second}
    done = host.settle("image_state", images=[{"image": f"{repository}:1@{first}"}])
    assert done["images"][0]["cause"] == "another digest is pinned"
    assert host.names() == {f"{repository}:1": first}


def test_one_image_may_have_several_tags_and_loses_its_bytes_with_none_of_them(
    host: Host, repository: Repository
) -> None:
    digest = repository.push("1", make_image({"v": b"tags"}))
    tags = ["local/a:1", "local/b:1", "quay.example/c/d:2"]
    host.settle("image_state", images=[{"image": f"{repository}:1", "tags": tags}])
    names = {f"{repository}:1", "docker.io/local/a:1", "docker.io/local/b:1", "quay.example/c/d:2"}
    assert host.names() == dict.fromkeys(names, digest)

    done = host.settle("image_state", images=[{"image": f"{repository}:1", "state": "absent"}])
    assert done["deleted"] == []
    assert set(host.names()) == names - {f"{repository}:1"}
    assert host.skopeo_digest("quay.example/c/d:2") == digest


@pytest.mark.parametrize("length", [12, 20, 64])
def test_an_image_is_made_absent_by_its_id_with_all_its_names(host: Host, repository: Repository, length: int) -> None:
    image = make_image({"v": b"id"})
    repository.push("1", image)
    host.do("image_state", images=[{"image": f"{repository}:1", "tags": ["local/a:1"]}])
    text = image.config.digest.partition(":")[2][:length]
    done = host.settle("image_state", images=[{"image": text, "state": "absent"}])
    assert sorted(done["untagged"]) == sorted([f"{repository}:1", "docker.io/local/a:1"])
    assert host.names() == {}


def test_of_an_index_the_image_for_this_host_is_taken(host: Host, repository: Repository) -> None:
    ours, foreign = make_image({"arch": b"ours"}, platform=HOST), make_image({"arch": b"other"}, platform=FOREIGN)
    index = repository.push("1", make_index([foreign, ours]))
    done = host.settle("image_state", images=[{"image": f"{repository}:1"}])
    assert done["images"][0]["digest"] == index
    assert done["images"][0]["id"] == ours.config.digest
    assert host.names() == {f"{repository}:1": ours.digest}
    assert foreign.config.digest not in host.blobs()

    host.rest("image_state", images=[{"image": f"{repository}:1@{index}"}])
    host.rest("image_state", images=[{"image": f"{repository}:1", "pull": "newer"}])
    host.rest("image_state", images=[{"image": f"{repository}:1", "platform": HOST}])


def test_an_image_of_another_platform_is_taken_where_it_is_asked_for(host: Host, repository: Repository) -> None:
    ours, foreign = make_image({"arch": b"ours"}, platform=HOST), make_image({"arch": b"other"}, platform=FOREIGN)
    repository.push("1", make_index([ours, foreign]))
    host.settle("image_state", images=[{"image": f"{repository}:1", "platform": FOREIGN}])
    assert host.names() == {f"{repository}:1": foreign.digest}

    done = host.settle("image_state", images=[{"image": f"{repository}:1"}])
    assert FOREIGN in done["images"][0]["cause"]
    assert host.names() == {f"{repository}:1": ours.digest}


def test_a_platform_that_does_not_exist_is_an_error_that_lists_those_that_do(
    host: Host, repository: Repository
) -> None:
    repository.push("1", make_index([make_image({"a": b"1"}, platform=name) for name in (HOST, FOREIGN)]))
    repository.push("single", make_image({"a": b"2"}, platform=HOST))
    error = host.refuse("image_state", images=[{"image": f"{repository}:1", "platform": UNMADE}])
    assert error["code"] == "platform-missing"
    assert HOST in error["why"]
    assert FOREIGN in error["why"]
    error = host.refuse("image_state", images=[{"image": f"{repository}:single", "platform": UNMADE}])
    assert error["code"] == "platform-missing"
    assert HOST in error["why"]


def test_protected_names_stay_when_what_is_not_listed_goes(host: Host, repository: Repository) -> None:
    for tag in ("keep", "drop", "safe"):
        repository.push(tag, make_image({"v": tag.encode()}))
    host.do("image_state", images=[{"image": f"{repository}:{tag}"} for tag in ("keep", "drop", "safe")])
    options: dict[str, t.Any] = {"unlisted": "remove", "protect": ["*:safe"]}
    done = host.settle("image_state", images=[{"image": f"{repository}:keep"}], **options)
    assert done["untagged"] == [f"{repository}:drop"]
    assert set(host.names()) == {f"{repository}:keep", f"{repository}:safe"}


def test_a_list_that_cannot_be_had_in_full_changes_nothing(host: Host, repository: Repository) -> None:
    repository.push("1", make_image({"v": b"1"}))
    items = [{"image": f"{repository}:1"}, {"image": f"{repository}:none"}]
    error = host.refuse("image_state", images=items)
    assert error["code"] == "image-not-found"
    assert f"{repository}:none" in error["msg"]
    assert not host.store.exists()


def test_a_damaged_image_is_mended(host: Host, repository: Repository) -> None:
    image = make_image({"v": b"damaged"}, layers=2)
    repository.push("1", image)
    host.do("image_state", images=[{"image": f"{repository}:1"}])
    (host.store / "blobs" / "sha256" / image.layers[1].digest.partition(":")[2]).unlink()
    done = host.settle("image_state", images=[{"image": f"{repository}:1"}])
    assert "missing or damaged" in done["images"][0]["cause"]
    assert host.blobs() == {image.digest, image.config.digest, *(layer.digest for layer in image.layers)}


def test_pushes_of_the_list_reach_the_registry_and_are_not_repeated(host: Host, repository: Repository) -> None:
    digest = repository.push("1", make_image({"v": b"push"}))
    item = {"image": f"{repository}:1", "push": [f"{repository}:copy", f"{repository}:2"]}
    done = host.settle("image_state", images=[item])
    assert kinds(done).count("push") == 2
    assert repository.digest("copy") == repository.digest("2") == digest
