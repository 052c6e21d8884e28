# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host holds under one name is pushed, or refused, under another: on engines that move content by our hands."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Repository

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost

OURS, OTHERS = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
by_our_hands = pytest.mark.parametrize("engine_host", ["containerd", "layout"], indirect=True)


@by_our_hands
def test_an_index_that_is_there_under_another_name_is_named_and_pushed(
    engine_host: EngineHost, repository: Repository
) -> None:
    index = repository.push("1", make_index([OURS, OTHERS]))
    engine_host.do("image_pull", name=f"{repository}:1")
    engine_host.do("image_state", images=[{"image": f"{repository}/copy:2@{index}", "push": True}])
    assert Repository(repository.registry, f"{repository.path}/copy").digest("2") == OURS.digest


@by_our_hands
def test_a_tag_of_an_index_that_is_there_under_another_tag_is_named_and_pushed(
    engine_host: EngineHost, repository: Repository
) -> None:
    for tag in ("1", "2"):
        repository.push(tag, make_index([OURS, OTHERS]))
    engine_host.do("image_pull", name=f"{repository}:1")
    engine_host.do("image_state", images=[{"image": f"{repository}:2", "push": [f"{repository}/copy:2"]}])
    assert Repository(repository.registry, f"{repository.path}/copy").digest("2") == OURS.digest


@by_our_hands
def test_another_platform_of_an_index_that_is_there_is_not_taken_for_this_one(
    engine_host: EngineHost, repository: Repository
) -> None:
    for tag in ("1", "2"):
        repository.push(tag, make_index([OURS, OTHERS]))
    engine_host.do("image_pull", name=f"{repository}:1", platform=FOREIGN)
    engine_host.settle("image_pull", name=f"{repository}:2")
    assert engine_host.images()[f"{repository}:2"] == OURS.config.digest
    engine_host.rest("image_pull", name=f"{repository}:1", platform=FOREIGN)
