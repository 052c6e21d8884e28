#!/usr/bin/env python3
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what one image_state task costs where everything is present: for 1 image and for 100, in one run.

Run it with the checkout's Python. Stores and a registry are made in a temporary folder and removed again. Two ways are
measured: the module as a process of its own, and the task as ansible-playbook runs it (payload and all).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "build" / "collections"))

from ansible_collections.fleet.images.tests.support.images import make_image, push
from ansible_collections.fleet.images.tests.support.lifecycle import Host
from ansible_collections.fleet.images.tests.support.module import run_module
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.registry import Registry, start_registry

COUNTS = (1, 100)
ROUNDS = 15


def main() -> None:
    """Measure and print one JSON object: medians in seconds, and their ratio."""
    with tempfile.TemporaryDirectory() as name, start_registry(Path(name) / "registry") as registry:
        folder = Path(name)
        lists = {count: fill(folder, registry, count) for count in COUNTS}
        told = {"module": by_module(folder, lists), "playbook": by_playbook(folder, lists)}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


def fill(folder: Path, registry: Registry, count: int) -> list[dict[str, str]]:
    """Return a list of ``count`` images of three layers that the host of that name holds."""
    images = []
    for number in range(count):
        push(registry, f"team/app{number}", make_image(layers=3, labels={"n": str(number)}), tag="1.0")
        images.append({"image": registry.reference(f"team/app{number}", "1.0")})
    host = Host(folder / str(count))
    if host.do("image_state", images=images)["changed"] is not True:
        raise SystemExit("nothing was stored")
    return images


def by_module(folder: Path, lists: dict[int, list[dict[str, str]]]) -> dict[str, float]:
    """Return the medians of the module alone, its process included; rounds alternate between the counts."""
    seconds: dict[int, list[float]] = {count: [] for count in COUNTS}
    inside: dict[int, list[float]] = {count: [] for count in COUNTS}
    for _ in range(ROUNDS):
        for count in COUNTS:
            started = time.perf_counter()
            options = {"engine": "layout", "store": str(folder / str(count)), "images": lists[count]}
            result = run_module("image_state", options, diff=True).succeed()
            seconds[count].append(time.perf_counter() - started)
            if result["changed"]:
                raise SystemExit("what is present was changed")
            inside[count].append(result["elapsed"])
    return {**summary(seconds), **{f"{count} inside the module": statistics.median(inside[count]) for count in COUNTS}}


def by_playbook(folder: Path, lists: dict[int, list[dict[str, str]]]) -> dict[str, float]:
    """Return the medians of the task inside one ansible-playbook run, as the profile of its results tells them."""
    tasks = []
    for number in range(ROUNDS):
        for count in COUNTS:
            options = {"images": lists[count], "engine": "layout", "store": str(folder / str(count))}
            now = {"at": "{{ now().timestamp() }}"}
            tasks.append({"name": f"start {count} {number}", "ansible.builtin.set_fact": now})
            tasks.append({"name": f"state {count} {number}", "fleet.images.image_state": options})
            took = {"took": "{{ now().timestamp() - at | float }}"}
            tasks.append({"name": f"end {count} {number}", "ansible.builtin.set_fact": took})
    run = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], folder / "home", timeout=600)
    if run.returncode or any(row.changed for row in run.results if row.task.startswith("state")):
        raise SystemExit(run.output)
    seconds = {
        count: [
            float(row.result["ansible_facts"]["took"]) for row in run.results if row.task.startswith(f"end {count} ")
        ]
        for count in COUNTS
    }
    return summary(seconds)


def summary(seconds: dict[int, list[float]]) -> dict[str, float]:
    """Return the median for each count, and the ratio of the last to the first."""
    medians = {str(count): round(statistics.median(rows), 4) for count, rows in seconds.items()}
    return {**medians, "ratio": round(medians[str(COUNTS[-1])] / medians[str(COUNTS[0])], 3)}


if __name__ == "__main__":
    main()
