# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several places of one image become one entry; contradictions are told with both places."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model.reference import Defaults

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.image_sources import Sources

PIN = f"redis:7@sha256:{'a' * 64}"
OTHER = f"redis:7@sha256:{'b' * 64}"


def test_names_that_mean_the_same_are_one_image(sources: Sources) -> None:
    sources.write(
        {"a.txt": "redis\napp:1\n", "b.txt": "docker.io/library/redis:latest\nindex.docker.io/library/app:1\n"}
    )
    found = sources.read("a.txt", "b.txt")
    assert found.images == [{"image": "redis"}, {"image": "app:1"}]
    assert found.sources == [
        {"image": "redis", "found": ["a.txt: line 1", "b.txt: line 1"]},
        {"image": "app:1", "found": ["a.txt: line 2", "b.txt: line 2"]},
    ]
    defaults = Defaults("quay.io", ("team",), "stable")
    assert [row["image"] for row in sources.read("a.txt", "b.txt", defaults=defaults).images] == [
        "redis",
        "app:1",
        "docker.io/library/redis:latest",
        "index.docker.io/library/app:1",
    ]


def test_the_one_with_a_digest_and_the_one_with_a_platform_say_more(sources: Sources) -> None:
    sources.write({"a.txt": "redis:7\n", "b.yml": f"- {PIN}\n", "c.yml": "- {image: 'redis:7', arch: aarch64}\n"})
    sources.write({"d.yml": "services: {a: {image: 'redis:7', platform: linux/arm64}}"})
    assert sources.read("a.txt", "b.yml", "c.yml", "d.yml").images == [{"image": PIN, "platform": "aarch64"}]


def test_the_tasks_own_entry_goes_first_and_is_told_too(sources: Sources) -> None:
    sources.write({"a.yml": f"- {PIN}\n- {OTHER}\n- app:1\n"})
    declared = [{"name": "docker.io/library/redis:7", "state": "absent"}, {"image": "Not A Name"}, {}]
    found = sources.read("a.yml", declared=declared)
    assert found.images == [{"image": "app:1"}]
    assert [row["image"] for row in found.sources] == [PIN, "app:1"]


def test_contradictions_are_told_with_both_places(sources: Sources) -> None:
    one = "- {image: app, platform: amd64}\n- {image: gone, state: absent}\n- {image: t, tags: [a]}\n"
    other = "- {image: app, platform: arm64}\n- gone\n- {image: t, tags: [b]}\n"
    sources.write({"a.yml": f"- {PIN}\n{one}", "b.yml": f"- {OTHER}\n{other}"})
    assert sources.problems("a.yml", "b.yml") == [
        f"b.yml: [0]: image is {OTHER}, and {PIN} at a.yml: [0]",
        "b.yml: [1]: platform is arm64, and amd64 at a.yml: [1]",
        "b.yml: [2]: state is present, and absent at a.yml: [2]",
        "b.yml: [3]: tags is something else, and something else at a.yml: [3]",
    ]
