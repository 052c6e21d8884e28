# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_push: the registry gets what the host holds, once; a name at the registry that moves is a change."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, Repository, kinds


@pytest.fixture
def images(host: Host, repository: Repository) -> tuple[MadeImage, MadeImage]:
    """Return two images that the host holds under the tags 1 and 2."""
    made = make_image({"v": b"1"}, layers=2), make_image({"v": b"2"}, layers=2)
    for tag, image in zip("12", made, strict=True):
        repository.push(tag, image)
    host.do("image_pull", name=[f"{repository}:1", f"{repository}:2"])
    return made


def test_an_image_is_pushed_once_moved_once_and_the_registry_serves_it_to_others(
    host: Host, repository: Repository, images: tuple[MadeImage, MadeImage]
) -> None:
    target = repository._replace(path=f"{repository.path}/copy")
    assert target.digest("x") == ""
    done = host.settle("image_push", name=f"{repository}:1", repository=[f"{target}:x"])
    assert kinds(done) == ["tag", "push"]
    assert target.digest("x") == images[0].digest
    assert skopeo.manifest_digest(f"docker://{target}:x") == images[0].digest

    done = host.settle("image_push", name=f"{repository}:2", repository=[f"{target}:x"])
    push = done["actions"][-1]
    assert push["previous_digest"] == images[0].digest
    assert push["digest"] == target.digest("x") == images[1].digest

    host.settle("image_rmi", name=f"{target}:x")
    assert target.digest("x") == images[1].digest  # what is at a registry is not the host's to remove


def test_check_mode_leaves_the_registry_as_it_is(
    host: Host, repository: Repository, images: tuple[MadeImage, MadeImage]
) -> None:
    target = repository._replace(path=f"{repository.path}/copy")
    host.announce("image_push", name=f"{repository}:1", repository=[f"{target}:x"])
    assert repository.registry.tags(target.path) == []


def test_a_name_is_pushed_to_where_it_says(
    host: Host, repository: Repository, images: tuple[MadeImage, MadeImage]
) -> None:
    target = repository._replace(path=f"{repository.path}/own")
    names = [f"{target}:a", f"{target}:b"]
    host.do("image_tag", name=f"{repository}:1", repository=names[:1])
    host.do("image_tag", name=f"{repository}:2", repository=names[1:])
    done = host.settle("image_push", name=names)
    assert kinds(done) == ["push", "push"]
    assert (target.digest("a"), target.digest("b")) == (images[0].digest, images[1].digest)


def test_an_image_is_pushed_by_digest_pin_and_id(
    host: Host, repository: Repository, images: tuple[MadeImage, MadeImage]
) -> None:
    digest, bare = images[0].digest, images[0].config.digest.partition(":")[2]
    forms = [f"{repository}@{digest}", f"{repository}:1@{digest}", bare, bare[:12]]
    for number, form in enumerate(forms):
        done = host.do("image_push", name=form, repository=[f"{repository}:form{number}"])
        assert "push" in kinds(done)
        assert repository.digest(f"form{number}") == digest
    error = host.refuse("image_push", name=bare)
    assert "set repository" in error["msg"].lower()


def test_of_an_index_the_image_that_the_host_holds_is_pushed(host: Host, repository: Repository) -> None:
    ours = make_image({"a": b"1"}, platform=HOST)
    repository.push("1", make_index([make_image({"a": b"2"}, platform=FOREIGN), ours]))
    host.do("image_pull", name=f"{repository}:1")
    host.settle("image_push", name=f"{repository}:1", repository=[f"{repository}:mine"])
    assert repository.digest("mine") == ours.digest


def test_what_the_host_does_not_hold_is_not_pushed(host: Host, repository: Repository) -> None:
    error = host.refuse("image_push", name=f"{repository}:1")
    assert error["code"] == "not-on-host"
