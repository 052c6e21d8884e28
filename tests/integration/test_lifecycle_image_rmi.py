# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_rmi: names go, bytes go with the last name, and what is not there is fine."""

from __future__ import annotations

import os
import time

import pytest
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, Repository, kinds


@pytest.fixture
def image(host: Host, repository: Repository) -> MadeImage:
    """Return an image that the host holds under the tag 1 and as local/app:a."""
    made = make_image({"v": b"1"}, layers=2)
    repository.push("1", made)
    host.do("image_state", images=[{"image": f"{repository}:1", "tags": ["local/app:a"]}])
    return made


def test_removing_from_a_host_without_a_store_is_no_change(host: Host, repository: Repository) -> None:
    for name in (f"{repository}:1", f"{repository}@sha256:{'0' * 64}", "0123456789ab"):
        host.rest("image_rmi", name=name)
        assert host.announce("image_rmi", name=name)["changed"] is False
    assert not host.store.exists()


def test_a_tag_is_removed_alone_and_the_last_one_with_the_image(
    host: Host, repository: Repository, image: MadeImage
) -> None:
    done = host.settle("image_rmi", name=f"{repository}:1")
    assert (done["untagged"], done["deleted"]) == ([f"{repository}:1"], [])
    assert host.skopeo_digest("docker.io/local/app:a") == image.digest

    host.do("image_tag", name="local/app:a", repository=["local/app:b"])
    done = host.settle("image_rmi", name="local/app", tag="b")
    assert host.names() == {"docker.io/local/app:a": image.digest}

    done = host.settle("image_rmi", name="local/app:a")
    assert (done["untagged"], done["deleted"]) == (["docker.io/local/app:a"], [image.config.digest])
    assert host.names() == {}

    host.settle("image_pull", name=f"{repository}:1")
    assert host.skopeo_digest(f"{repository}:1") == image.digest


def test_bytes_that_no_name_leads_to_go_after_their_grace_period(
    host: Host, repository: Repository, image: MadeImage
) -> None:
    other = make_image({"v": b"1"}, layers=1)
    repository.push("other", other)
    host.do("image_pull", name=f"{repository}:other")
    shared = {image.layers[0].digest}
    assert shared == {layer.digest for layer in other.layers}
    long_ago = time.time() - 2 * 3600
    for path in (host.store / "blobs" / "sha256").iterdir():
        os.utime(path, (long_ago, long_ago))
    host.settle("image_rmi", name=[f"{repository}:1", "local/app:a"])
    assert host.blobs() == {other.digest, other.config.digest, *shared}
    assert host.skopeo_digest(f"{repository}:other") == other.digest


@pytest.mark.parametrize("form", ["full", "prefix", "with-algorithm"])
def test_an_id_removes_all_names_of_its_image(
    host: Host, repository: Repository, image: MadeImage, form: str
) -> None:
    bare = image.config.digest.partition(":")[2]
    text = {"full": bare, "prefix": bare[:12], "with-algorithm": image.config.digest}[form]
    done = host.settle("image_rmi", name=text)
    assert kinds(done) == ["untag", "untag"]
    assert done["deleted"] == [image.config.digest]
    assert host.names() == {}


def test_a_digest_removes_the_names_in_its_repository(host: Host, repository: Repository, image: MadeImage) -> None:
    host.do("image_tag", name=f"{repository}:1", repository=[f"{repository}:too"])
    host.settle("image_rmi", name=f"{repository}@{image.digest}")
    assert host.names() == {"docker.io/local/app:a": image.digest}


def test_a_tag_with_a_digest_is_removed_only_where_both_agree(
    host: Host, repository: Repository, image: MadeImage
) -> None:
    host.rest("image_rmi", name=f"{repository}:1@sha256:{'0' * 64}")
    host.settle("image_rmi", name=f"{repository}:1@{image.digest}")
    assert host.names() == {"docker.io/local/app:a": image.digest}


def test_an_ambiguous_id_removes_nothing(host: Host, repository: Repository) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index = repository.push("1", make_index([ours, foreign]))
    host.do("image_pull", name=f"{repository}:1", platform=FOREIGN)
    host.do("image_tag", name=f"{repository}:1", repository=["local/foreign:1"])
    host.do("image_pull", name=f"{repository}:1")
    error = host.refuse("image_rmi", name=index.partition(":")[2])
    assert error["code"] == "ambiguous-id"
    assert ours.config.digest in error["why"]
    assert foreign.config.digest in error["why"]
