#!/usr/bin/env python3
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what one image_state task costs where everything is present: for 1 image and for 100, in one run.

Run it with the checkout's Python; ``docker`` as its argument measures on real Docker daemons instead of the embedded
store. Stores, daemons and a registry are made in a temporary folder and removed again. Two ways are measured: the
module as a process of its own, and the task as ansible-playbook runs it (payload and all).
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "build" / "collections"))

from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, EngineHost, LayoutHost
from ansible_collections.fleet.images.tests.support.images import make_image, push
from ansible_collections.fleet.images.tests.support.module import run_module
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.registry import Registry, start_registry

COUNTS = (1, 100)
ROUNDS = 15


class Case(t.NamedTuple):
    """A host that holds ``images``, as a document lists them."""

    host: EngineHost
    images: list[dict[str, str]]


def main() -> None:
    """Measure and print one JSON object: medians in seconds, and their ratio."""
    engine = sys.argv[1] if len(sys.argv) > 1 else "layout"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        registry = stack.enter_context(start_registry(folder / "registry"))
        cases = {}
        for count in COUNTS:
            host: EngineHost = LayoutHost(folder / str(count))
            if engine == "docker":
                host = DockerHost(stack.enter_context(start_dockerd(folder / f"dockerd-{count}")))
            cases[count] = fill(host, registry, count)
        told = {"module": by_module(cases), "playbook": by_playbook(cases, folder / "home")}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")


def fill(host: EngineHost, registry: Registry, count: int) -> Case:
    """Let ``host`` hold ``count`` images of three layers."""
    images = []
    for number in range(count):
        push(registry, f"team/app{number}", make_image(layers=3, labels={"n": str(number)}), tag="1.0")
        images.append({"image": registry.reference(f"team/app{number}", "1.0")})
    if host.do("image_state", images=images)["changed"] is not True:
        raise SystemExit("nothing was stored")
    return Case(host, images)


def by_module(cases: dict[int, Case]) -> dict[str, float]:
    """Return the medians of the module alone, its process included; rounds alternate between the counts."""
    seconds: dict[int, list[float]] = {count: [] for count in COUNTS}
    inside: dict[int, list[float]] = {count: [] for count in COUNTS}
    for _ in range(ROUNDS):
        for count in COUNTS:
            started = time.perf_counter()
            options = cases[count].host.options({"images": cases[count].images})
            result = run_module("image_state", options, diff=True).succeed()
            seconds[count].append(time.perf_counter() - started)
            if result["changed"]:
                raise SystemExit("what is present was changed")
            inside[count].append(result["elapsed"])
    return {**summary(seconds), **{f"{count} inside the module": statistics.median(inside[count]) for count in COUNTS}}


def by_playbook(cases: dict[int, Case], home: Path) -> dict[str, float]:
    """Return the medians of the task inside one ansible-playbook run, as the profile of its results tells them."""
    tasks = []
    for number in range(ROUNDS):
        for count in COUNTS:
            options = cases[count].host.options({"images": cases[count].images})
            now = {"at": "{{ now().timestamp() }}"}
            tasks.append({"name": f"start {count} {number}", "ansible.builtin.set_fact": now})
            tasks.append({"name": f"state {count} {number}", "fleet.images.image_state": options})
            took = {"took": "{{ now().timestamp() - at | float }}"}
            tasks.append({"name": f"end {count} {number}", "ansible.builtin.set_fact": took})
    run = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], home, timeout=600)
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
