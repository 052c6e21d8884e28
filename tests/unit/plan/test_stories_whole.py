# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans as a whole: all problems at once, sizes, the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ApplyError
from ansible_collections.fleet.images.plugins.module_utils.plan.plan import size_text
from ansible_collections.fleet.images.tests.unit.plan.stories import (
    BOTH,
    ONE,
    SPACES,
    TWO,
    Story,
    absent,
    built,
    image,
    index,
    present,
    size,
)


def test_several_problems_are_told_at_once(story: Story) -> None:
    story.host.hold(BOTH.images[0], "x:1", index=BOTH)
    story.host.hold(BOTH.images[1], "x:2", index=BOTH)
    with pytest.raises(ApplyError) as caught:
        story.plan(present("a:1", pull="never"), absent(BOTH.digest[7:]), present("b:1", pull="never"))
    assert {path: error.code for path, error in caught.value.failed.items()} == {
        "images[0]": "not-on-host",
        "images[1]": "ambiguous-id",
        "images[2]": "not-on-host",
    }
    assert (caught.value.done, caught.value.not_started) == ((), ())


def test_bytes_that_two_images_share_are_counted_once(story: Story) -> None:
    one, other = image(5, layers=2), image(5, layers=3)
    assert set(one.layers) < set(other.layers)
    story.registries.push("app:1", one)
    story.registries.push("app:2", other)
    plan = story.plan(present("app:1"), present("app:2"))
    assert plan.size == sum(len(blob.data) for blob in {one.config, other.config, *other.layers})
    assert [row.size for row in plan.rows] == [action.size for action in plan.actions]


def test_the_same_input_gives_the_same_bytes_in_every_process() -> None:
    code = (
        "from ansible_collections.fleet.images.tests.unit.plan.test_stories_whole import told_in_full\n"
        "print(told_in_full())"
    )
    told = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        told.add(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)
    assert len(told) == 1
    assert told.pop().decode() == told_in_full() + "\n"


def told_in_full() -> str:
    """Return all that a plan with every kind of action says."""
    story = Story()
    story.host.hold(ONE, "app:1", "library/old:1", "old:2", "z:1")
    story.registries.push("team/x:1", index(3))
    story.registries.push("library/app:1", TWO)
    plan = story.plan(
        present("x:1", namespaces=SPACES, tags=["t:3", "t:1", "t:2"]),
        present("x:1", namespaces=("library", "team")),
        present("app:1", pull="newer", push=["r.test/app:1"]),
        built("dev:1", "k", push=["r.test/dev:2", "r.test/dev:1"]),
        absent(ONE.config.digest[7:]),
        removes_unlisted=True,
    )
    return repr([plan.text(), plan.diff(), plan.rows, [action.to_json() for action in plan.actions], plan.warnings])


@pytest.mark.parametrize(
    ("size_in_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (13_002_342, "12.4 MiB"), (5 * 1024**5, "5120.0 TiB")],
)
def test_sizes_read_well(size_in_bytes: int, text: str) -> None:
    assert size_text(size_in_bytes) == text


def test_a_plan_tells_each_action_as_a_row(story: Story) -> None:
    story.registries.push("app:1", ONE)
    (action,) = story.plan(present("app:1")).actions
    assert action.to_json() == {
        "id": 1,
        "action": "pull",
        "image": "docker.io/library/app:1",
        "digest": ONE.digest,
        "previous_digest": "",
        "bytes": size(ONE),
        "cause": "not on the host",
        "needs": [],
    }
    assert Digest.parse(ONE.digest) == action.digest
