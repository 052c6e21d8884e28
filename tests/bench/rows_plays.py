# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows 1 to 3, 5, 6 and 10: whole plays on Docker and podman, beside the modules made for them."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.fleet.images.tests.bench.contest import Contest, Line, Row, expect
from ansible_collections.fleet.images.tests.bench.place import process_time
from ansible_collections.fleet.images.tests.bench.plays import run_tasks
from ansible_collections.fleet.images.tests.bench.shapes import KIB, push_many

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ansible_collections.fleet.images.tests.bench.contest import Measures
    from ansible_collections.fleet.images.tests.bench.place import Place
    from ansible_collections.fleet.images.tests.bench.plays import Task

PRESENT = 100
TASKS = 20


PING: Task = {"name": "nothing", "ansible.builtin.ping": {}}


def docker_loop(names: Iterable[str], address: str, *, pull: str = "not_present") -> Task:
    """Return the peer's task: one image after the other."""
    options = {"name": "{{ item }}", "pull": pull, "docker_host": address}
    return {"name": "peer", "community.docker.docker_image_pull": options, "loop": list(names)}


def state(names: Iterable[str], **options: t.Any) -> Task:
    """Return our task for all images."""
    return {"name": "ours", "fleet.images.image_state": {"images": [{"image": name} for name in names], **options}}


def _on_docker(place: Place, *, asks: bool) -> Contest:
    digests = push_many(place.registry, PRESENT)
    names, home, address = list(digests), place.folder / "home", place.dockerd.address
    policy = "always" if asks else "missing"
    options = {"engine": "docker", "docker_host": address}
    run_tasks([state(names, **options)], home)
    shown = place.dockerd.cli("image", "inspect", "--format", "{{index .RepoDigests 0}}", *names).decode().split()
    expect("all are present", holds=[row.partition("@")[2] for row in shown] == list(digests.values()))

    def requests(before: int) -> dict[str, float]:
        asked = place.requests() - before
        expect(f"each tag was asked for, or none: {asked}", holds=asked >= PRESENT if asks else asked == 0)
        return {"asked": asked}

    def ours() -> Measures:
        before = place.requests()
        play = run_tasks([state(names, pull=policy, **options)], home).unchanged(1)
        expect("all were looked at", holds=len(play.tasks[0].result["images"]) == PRESENT)
        return {"ours": play.seconds, **requests(before)}

    def peer() -> Measures:
        before = place.requests()
        task = docker_loop(names, address, pull="always" if asks else "not_present")
        play = run_tasks([task], home).unchanged(PRESENT)
        return {"peer": play.seconds, "peer asked": requests(before)["asked"]}

    def floor() -> Measures:
        return {"floor": run_tasks([PING], home).unchanged(1).seconds}

    def warm() -> None:
        run_tasks([PING, state(names[:1], **options), docker_loop(names[:1], address)], home)

    return Contest([ours, floor, peer], repeats={ours: 5, floor: 5}, warm=warm)


def present_on_docker(place: Place) -> Contest:
    """A hundred images that are there; nobody is asked."""
    return _on_docker(place, asks=False)


def unmoved_on_docker(place: Place) -> Contest:
    """The same, and the registry is asked where each tag points."""
    return _on_docker(place, asks=True)


def present_on_podman(place: Place) -> Contest:
    """A hundred images that podman has."""
    names, home = list(push_many(place.registry, PRESENT)), place.folder / "home"
    around = place.podman.environment
    run_tasks([state(names, engine="podman")], home, environment=around)
    expect("all are present", holds=set(place.podman.names()) >= set(names))

    def loop(count: int) -> Task:
        options = {"name": "{{ item }}", "validate_certs": False}
        return {"name": "peer", "containers.podman.podman_image": options, "loop": names[:count]}

    def ours() -> Measures:
        play = run_tasks([state(names, engine="podman")], home, environment=around).unchanged(1)
        expect("all were looked at", holds=len(play.tasks[0].result["images"]) == PRESENT)
        return {"ours": play.seconds}

    def peer() -> Measures:
        return {"peer": run_tasks([loop(PRESENT)], home, environment=around).unchanged(PRESENT).seconds}

    def listing() -> Measures:
        return {"listing": process_time(*place.podman.command("podman", "images", "--quiet"), environment=around)}

    def warm() -> None:
        run_tasks([state(names[:1], engine="podman"), loop(1)], home, environment=around)

    return Contest([ours, listing, peer], repeats={ours: 5, listing: 5}, warm=warm)


def one_a_task(place: Place) -> Contest:
    """Twenty tasks with an image each; the task's own time beside a task that does nothing."""
    names, home, address = list(push_many(place.registry, TASKS)), place.folder / "home", place.dockerd.address
    run_tasks([state(names, engine="docker", docker_host=address)], home)

    def tasks(module: str, *, count: int = TASKS) -> list[Task]:
        options = {"docker_host": address, "pull": "not_present"}
        if module == "fleet.images.image_pull":
            options["engine"] = "docker"
        return [{"name": name, module: {"name": name, **options}} for name in names[:count]]

    def play(module: str, name: str) -> Measures:
        done = run_tasks(tasks(module), home).unchanged(TASKS)
        return {name: done.seconds, f"{name} task": sum(row.seconds for row in done.tasks) / TASKS}

    def ours() -> Measures:
        return play("fleet.images.image_pull", "ours")

    def peer() -> Measures:
        return play("community.docker.docker_image_pull", "peer")

    def ping() -> Measures:
        done = run_tasks([PING] * TASKS, home).unchanged(TASKS)
        return {"ping": done.seconds, "ping task": sum(row.seconds for row in done.tasks) / TASKS}

    def warm() -> None:
        first = tasks("fleet.images.image_pull", count=1) + tasks("community.docker.docker_image_pull", count=1)
        run_tasks([*first, PING], home)

    return Contest([ours, peer, ping], warm=warm)


def cold_on_docker(place: Place) -> Contest:
    """Twenty small images that the daemon does not have."""
    digests = push_many(place.registry, 20, layers=5, size=200 * KIB)
    names, home, daemon = list(digests), place.folder / "home", place.dockerd

    def start() -> None:
        daemon.cli("image", "prune", "--all", "--force")
        expect("the daemon is empty", holds=not daemon.cli("images", "--quiet").strip())

    def run(task: Task) -> float:
        play = run_tasks([task], home)
        results = [item for row in play.tasks for item in row.result.get("results", [row.result])]
        expect("every result says that it changed", holds=all(result["changed"] for result in results))
        shown = daemon.cli("image", "inspect", "--format", "{{index .RepoDigests 0}}", *names).decode().split()
        expect("all arrived", holds=[row.partition("@")[2] for row in shown] == list(digests.values()))
        return play.seconds

    def ours() -> Measures:
        return {"ours": run(state(names, engine="docker", docker_host=daemon.address))}

    def peer() -> Measures:
        return {"peer": run(docker_loop(names, daemon.address))}

    def limit() -> Measures:
        started = time.perf_counter()
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(lambda name: daemon.cli("pull", "--quiet", name), names))
        return {"limit": time.perf_counter() - started}

    def warm() -> None:
        first = [state(names[:1], engine="docker", docker_host=daemon.address), docker_loop(names[:1], daemon.address)]
        run_tasks(first, home)

    return Contest([ours, limit, peer], start=start, warm=warm)


_LOOP = "docker_image_pull, a loop"
_FLOOR = Line(1, "the same", "one ping: what any play takes", 0.0, peer="floor")
ROWS = (
    Row([Line(1, "100 images present, docker (whole play)", _LOOP, 40), _FLOOR], present_on_docker, rounds=1),
    Row([Line(2, "the same, tags asked for (whole play)", f"{_LOOP}, always", 40)], unmoved_on_docker, rounds=1),
    Row(
        [
            Line(3, "100 images present, podman (whole play)", "podman_image, a loop", 33),
            Line(3, "the same", "podman images, once: what podman takes", 0.0, peer="listing"),
        ],
        present_on_podman,
        rounds=1,
    ),
    Row(
        [
            Line(5, "20 tasks with a present image each (whole play)", "docker_image_pull", 1.5),
            Line(5, "the same", "20 pings: what any 20 tasks take", 0.0, peer="ping"),
            Line(6, "one of these tasks", "ping", 0.7, ours="ours task", peer="ping task"),
        ],
        one_a_task,
    ),
    Row(
        [
            Line(10, "cold pull of 20 images into docker (whole play)", _LOOP, 4),
            Line(10, "the same", "docker pull, 4 at a time: what docker takes", 0.0, peer="limit"),
        ],
        cold_on_docker,
    ),
)
