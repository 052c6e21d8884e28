# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_info tells what is there, by every kind of name, and never changes anything."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, Repository, told, tree_digest


@pytest.fixture
def image(host: Host, repository: Repository) -> MadeImage:
    """Return an image that the host holds under the tag 1 and as local/app:a."""
    made = make_image({"v": b"1"}, layers=2, labels={"team": "blue"})
    repository.push("1", made)
    host.do("image_state", images=[{"image": f"{repository}:1", "tags": ["local/app:a"]}])
    return made


def test_a_host_without_a_store_has_no_images(host: Host, repository: Repository) -> None:
    result = host.announce("image_info")
    assert (result["changed"], result["images"], result["missing"]) == (False, [], [])
    assert host.do("image_info", name=f"{repository}:1")["missing"] == [f"{repository}:1"]
    assert not host.store.exists()


def test_it_follows_what_happens_to_the_host(host: Host, repository: Repository, image: MadeImage) -> None:
    (row,) = host.announce("image_info")["images"]
    assert row["names"] == sorted([f"{repository}:1", "docker.io/local/app:a"])
    other = make_image({"v": b"2"})
    repository.push("1", other)
    host.do("image_pull", name=f"{repository}:1", pull="newer")
    rows = host.announce("image_info")["images"]
    assert {name: row["digest"] for row in rows for name in row["names"]} == {
        f"{repository}:1": other.digest,
        "docker.io/local/app:a": image.digest,
    }
    host.do("image_rmi", name=[f"{repository}:1", "local/app:a"])
    assert host.announce("image_info")["images"] == []


def test_check_mode_says_the_same_and_the_store_stays_as_it_is(
    host: Host, repository: Repository, image: MadeImage
) -> None:
    before, names = tree_digest(host.store), [f"{repository}:1"]
    done = host.do("image_info", name=names, detail=True, remote=True)
    assert done["changed"] is False
    assert told(host.announce("image_info", name=names, detail=True, remote=True)) == told(done)
    assert tree_digest(host.store) == before


def test_every_kind_of_name_finds_the_image_once(host: Host, repository: Repository, image: MadeImage) -> None:
    bare = image.config.digest.partition(":")[2]
    pinned = [f"{repository}@{image.digest}", f"{repository}:1@{image.digest}"]
    names = [f"{repository}:1", *pinned, "local/app:a", bare, bare[:12], image.config.digest]
    absent = [f"{repository}:2", f"{repository}:1@sha256:{'0' * 64}", "0123456789ab"]
    result = host.do("image_info", name=[*names, *absent])
    (row,) = result["images"]
    assert row["config_digest"] == row["id"] == image.config.digest
    assert row["digest"] == row["manifest_digest"] == image.digest
    assert row["complete"] is True
    assert row["labels"] == {"team": "blue"}
    assert row["platform"] == image.platform
    assert result["missing"] == absent


def test_details_are_those_that_skopeo_reads(host: Host, repository: Repository, image: MadeImage) -> None:
    (row,) = host.do("image_info", name=f"{repository}:1", detail=True)["images"]
    config = skopeo.image_config(f"oci:{host.store}:{repository}:1")
    assert row["config"] == config["config"]
    assert [step["created_by"] for step in row["history"]] == [step["created_by"] for step in config["history"]]
    assert row["layers"] == [layer.digest for layer in image.layers]


def test_remote_digests_are_those_at_the_registry_now(host: Host, repository: Repository, image: MadeImage) -> None:
    moved = repository.push("1", make_image({"v": b"2"}))
    result = host.do("image_info", name=[f"{repository}:1", f"{repository}:none"], remote=True)
    assert result["remotes"] == {f"{repository}:1": moved, f"{repository}:none": ""}
    assert result["images"][0]["digest"] == image.digest


def test_an_image_of_an_index_tells_its_index_and_platform(host: Host, repository: Repository) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index = repository.push("1", make_index([ours, foreign]))
    host.do("image_pull", name=f"{repository}:1", platform=FOREIGN)
    host.do("image_tag", name=f"{repository}:1", repository=["local/foreign:1"])
    host.do("image_pull", name=f"{repository}:1")
    rows = {row["platform"]: row for row in host.do("image_info")["images"]}
    assert set(rows) == {HOST, FOREIGN}
    assert {row["index_digest"] for row in rows.values()} == {index}
    assert rows[FOREIGN]["manifest_digest"] == foreign.digest
    error = host.refuse("image_info", name=index.partition(":")[2][:12])
    assert error["code"] == "ambiguous-id"


def test_a_registry_that_nobody_named_may_be_down(host: Host, repository: Repository, image: MadeImage) -> None:
    moved = repository.push("1", image)
    host.do("image_state", images=[{"image": f"{repository}:1", "tags": ["127.0.0.1:1/local/app:1"]}])
    result = host.do("image_info", remote=True)
    assert result["remotes"] == {f"{repository}:1": moved}
    assert "127.0.0.1:1/local/app:1 is at its registry is not known" in str(result["warnings"])
    assert host.refuse("image_info", name=["127.0.0.1:1/local/app:1"], remote=True)["code"] == "connection-refused"
