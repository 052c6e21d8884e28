# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that tells how far pulls are: what is in it, how often it is written, and that it goes."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Pull
from ansible_collections.fleet.images.plugins.module_utils.task.progress import ProgressFile
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, image, present

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.images import MadeImage


class Case:
    """A file for the pulls of two images, and the clock that it goes by."""

    def __init__(self, folder: Path) -> None:
        story = Story()
        self.made = [image(1), image(2)]
        for number, made in enumerate(self.made):
            story.registries.push(f"r.test/app:{number}", made)
        actions = story.plan(*(present(f"r.test/app:{number}") for number in range(2))).actions
        self.pulls = [action for action in actions if isinstance(action, Pull)]
        self.path = folder / "progress.json"
        self.now = 100.0
        self.file = ProgressFile(str(self.path), clock=lambda: self.now)
        self.file.begin(self.pulls)
        self.now += 0.5

    def told(self) -> dict[str, t.Any]:
        """Return what the file says."""
        return t.cast("dict[str, t.Any]", json.loads(self.path.read_bytes()))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def part(made: MadeImage, layer: int) -> str:
    return made.layers[layer].digest.partition(":")[2][:12]


def size(*images: MadeImage) -> int:
    return sum({blob.digest: len(blob.data) for made in images for blob in (made.config, *made.layers)}.values())


def test_the_file_says_what_is_there_and_what_is_wanted(case: Case) -> None:
    first, second = case.made
    case.file.hear(part(second, 0), 5)
    assert case.told() == {
        "image": "r.test/app:1",
        "images": 2,
        "ready": 0,
        "fetched": 5,
        "total": size(first, second),
        "at": 100.5,
    }


def test_what_is_wanted_is_told_before_anything_comes(case: Case) -> None:
    assert case.told() == {
        "image": "r.test/app:1",
        "images": 2,
        "ready": 0,
        "fetched": 0,
        "total": size(*case.made),
        "at": 100.0,
    }


def test_it_is_written_twice_a_second_at_most(case: Case) -> None:
    case.file.hear(part(case.made[0], 0), 1)
    case.now += 0.4
    case.file.hear(part(case.made[0], 0), 2)
    assert case.told()["fetched"] == 1
    case.now += 0.2
    case.file.hear(part(case.made[0], 0), 3)
    assert case.told()["fetched"] == 3


def test_what_was_there_before_is_not_wanted(case: Case) -> None:
    layer = case.made[0].layers[0]
    case.file.hear(part(case.made[0], 0), None)
    assert case.told()["total"] == size(*case.made) - len(layer.data)
    case.now += 1
    case.file.hear(part(case.made[0], 0), 9)
    assert case.told()["fetched"] == 0


def test_bytes_that_are_fetched_again_do_not_count_twice(case: Case) -> None:
    for count in (6, 2, 4):
        case.file.hear(part(case.made[0], 0), count)
        case.now += 1
    assert case.told()["fetched"] == 6


def test_a_complete_image_has_all_its_bytes(case: Case) -> None:
    case.file.end(case.pulls[0])
    done = case.made[int(case.pulls[0].reference.tag or "")]
    told = case.told()
    assert (told["ready"], told["fetched"]) == (1, size(done))
    assert told["image"] == case.pulls[1].reference.familiar


def test_what_is_not_part_of_any_image_is_nothing(case: Case) -> None:
    case.file.hear("000000000000", 9)
    assert case.told()["fetched"] == 0


def test_everybody_who_may_enter_its_folder_reads_it(case: Case) -> None:
    case.path.unlink()
    before = os.umask(0o077)
    try:
        case.file.hear(part(case.made[0], 0), 1)
    finally:
        os.umask(before)
    assert case.path.stat().st_mode & 0o777 == 0o644


def test_it_goes_and_does_not_come_again(case: Case) -> None:
    case.file.hear(part(case.made[0], 0), 1)
    case.file.close()
    case.now += 1
    case.file.hear(part(case.made[0], 0), 2)
    case.file.close()
    assert list(case.path.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    case = Case(tmp_path / "nowhere")
    case.file.hear(part(case.made[0], 0), 1)
    case.file.end(case.pulls[0])
    case.file.close()
    assert not case.path.parent.exists()


def test_a_link_is_not_followed(case: Case) -> None:
    target = case.path.with_name("target")
    case.path.with_name("progress.json.new").symlink_to(target)
    case.file.hear(part(case.made[0], 0), 1)
    assert not target.exists()
