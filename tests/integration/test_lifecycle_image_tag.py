# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_tag: further names for what the host holds, kept or moved, by name and by ID."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, Repository, kinds


@pytest.fixture
def images(host: Host, repository: Repository) -> tuple[MadeImage, MadeImage]:
    """Return two images that the host holds under the tags 1 and 2."""
    made = make_image({"v": b"1"}), make_image({"v": b"2"})
    for tag, image in zip("12", made, strict=True):
        repository.push(tag, image)
    host.do("image_pull", name=[f"{repository}:1", f"{repository}:2"])
    return made


def test_a_name_is_given_moved_and_taken_away(
    host: Host, repository: Repository, images: tuple[MadeImage, MadeImage]
) -> None:
    one, two = images
    new = ["local/app:a", "quay.example/b:c"]
    done = host.settle("image_tag", name=f"{repository}:1", repository=new)
    assert kinds(done) == ["tag", "tag"]
    assert host.names()["docker.io/local/app:a"] == host.names()["quay.example/b:c"] == one.digest

    done = host.settle("image_tag", name=f"{repository}:2", repository=["local/app:a"])
    assert done["actions"][0]["previous_digest"] == one.digest
    assert done["actions"][0]["digest"] == two.digest
    assert host.skopeo_digest("docker.io/local/app:a") == two.digest
    assert host.names()["quay.example/b:c"] == one.digest

    host.settle("image_rmi", name=["local/app:a", "quay.example/b:c"])
    assert host.names() == {f"{repository}:1": one.digest, f"{repository}:2": two.digest}


def test_existing_names_are_kept_where_that_is_asked_for(
    host: Host, repository: Repository, images: tuple[MadeImage, MadeImage]
) -> None:
    host.do("image_tag", name=f"{repository}:1", repository=["local/app:a"])
    result = host.rest("image_tag", name=f"{repository}:2", repository=["local/app:a"], existing_images="keep")
    assert "local/app:a" in str(result["warnings"])
    host.settle("image_tag", name=f"{repository}:2", repository=["local/app:b"], existing_images="keep")
    assert host.names()["docker.io/local/app:a"] == images[0].digest
    assert host.names()["docker.io/local/app:b"] == images[1].digest


def test_the_image_may_be_named_by_tag_digest_both_or_id(
    host: Host, repository: Repository, images: tuple[MadeImage, MadeImage]
) -> None:
    digest, image_id = images[0].digest, images[0].config.digest
    bare = image_id.partition(":")[2]
    forms = [f"{repository}@{digest}", f"{repository}:1@{digest}", image_id, bare, bare[:12], f"sha256:{bare[:16]}"]
    for number, form in enumerate(forms):
        done = host.do("image_tag", name=form, repository=[f"local/form:{number}"])
        assert kinds(done) == ["tag"]
        assert host.names()[f"docker.io/local/form:{number}"] == digest
    host.rest("image_tag", name=bare, repository=[f"local/form:{number}" for number in range(len(forms))])


def test_an_id_that_fits_two_images_is_an_error_that_lists_both(host: Host, repository: Repository) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index = repository.push("1", make_index([ours, foreign]))
    host.do("image_pull", name=f"{repository}:1", platform=FOREIGN)
    host.do("image_tag", name=f"{repository}:1", repository=["local/foreign:1"])
    host.do("image_pull", name=f"{repository}:1")
    assert set(host.names().values()) == {ours.digest, foreign.digest}

    error = host.refuse("image_tag", name=index.partition(":")[2][:12], repository=["local/which:1"])
    assert error["code"] == "ambiguous-id"
    assert ours.config.digest in error["why"]
    assert foreign.config.digest in error["why"]
    assert "local/foreign:1" in error["why"]
    host.settle("image_tag", name=ours.config.digest, repository=["local/which:1"])
    assert host.names()["docker.io/local/which:1"] == ours.digest


def test_what_the_host_does_not_hold_gets_no_name(host: Host, repository: Repository) -> None:
    repository.push("1", make_image())
    for absent in (f"{repository}:1", "0123456789ab", "sha256:" + "0" * 64):
        error = host.refuse("image_tag", name=absent, repository=["local/app:a"])
        assert error["code"] == "not-on-host"
