# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows 4 and 18: many hosts, and how cost grows with images and with hosts."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.tests.bench.contest import Contest, Line, Row, expect
from ansible_collections.fleet.images.tests.bench.place import own_time
from ansible_collections.fleet.images.tests.bench.plays import play_peak, run_tasks
from ansible_collections.fleet.images.tests.bench.rows_plays import docker_loop, state
from ansible_collections.fleet.images.tests.bench.shapes import push_many
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.locks import lock_of
from ansible_collections.fleet.images.tests.support.ssh_hosts import ssh_hosts

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.bench.contest import Measures
    from ansible_collections.fleet.images.tests.bench.place import Place

HOSTS = 10
IMAGES = 20
FEW, MANY = 10, 1000
CROWD = 200


def over_ssh(place: Place) -> Contest:
    """Twenty present images on each of ten hosts, which share a daemon; whole plays over ssh."""
    names, home = list(push_many(place.registry, IMAGES)), place.folder / "home"
    options = {"engine": "docker", "docker_host": place.dockerd.address}
    run_tasks([state(names, **options)], home)
    fleet = place.enter(ssh_hosts(HOSTS))

    def ours() -> Measures:
        play = run_tasks([state(names, **options)], home, inventory=fleet.inventory, forks=HOSTS).unchanged(HOSTS)
        looked_at = {len(row.result["images"]) for row in play.tasks}
        expect("all were looked at on all hosts", holds=looked_at == {IMAGES})
        return {"ours": play.seconds}

    def peer() -> Measures:
        tasks = [docker_loop(names, place.dockerd.address)]
        play = run_tasks(tasks, home, inventory=fleet.inventory, forks=HOSTS).unchanged(HOSTS * IMAGES)
        return {"peer": play.seconds}

    def warm() -> None:
        tasks = [state(names[:1], **options), docker_loop(names[:1], place.dockerd.address)]
        run_tasks(tasks, home, inventory=fleet.inventory, forks=HOSTS)

    return Contest([ours, peer], repeats={ours: 5}, warm=warm)


def more_images(place: Place) -> Contest:
    """Ten images and a thousand, all there: the seconds of each, and what the registry is asked."""
    digests = push_many(place.registry, MANY)
    names = list(digests)
    base = {"engine": "layout", "store": str(place.folder / "store")}
    wanted = {count: [{"image": name} for name in names[:count]] for count in (FEW, MANY)}
    own_time("image_state", {**base, "images": wanted[MANY]}, changes=True)
    lock = lock_of({name: make_image(labels={"number": str(number)}) for number, name in enumerate(names)})
    expect("the lock is right", holds=[row["digest"] for row in lock["images"].values()] == list(digests.values()))

    def run(count: int, **options: t.Any) -> tuple[float, int]:
        before = place.requests()
        seconds = own_time("image_state", {**base, "images": wanted[count], **options}, changes=False)
        return 1000 * seconds / count, place.requests() - before

    def few() -> Measures:
        return {"few": run(FEW)[0], "few asked for": run(FEW, pull="newer")[0]}

    def many() -> Measures:
        alone, asked = run(MANY)
        expect("nobody was asked without need", holds=asked == 0)
        asking, requests = run(MANY, pull="newer")
        locked, asked = run(MANY, lock=lock)
        expect("with a lock nobody was asked", holds=asked == 0)
        figures = {"many": alone, "many asked for": asking, "many locked": locked}
        return {**figures, "requests": requests / MANY, "limit": 1}

    return Contest([few, many])


class _Crowd:
    """Hosts on a local connection that read one store."""

    def __init__(self, place: Place) -> None:
        names = list(push_many(place.registry, IMAGES))
        self._home = place.folder / "home"
        self._ours = state(names, engine="layout", store=str(place.folder / "store"))
        run_tasks([self._ours], self._home)

    def peak(self, count: int, *, is_ours: bool) -> float:
        """Return the peak memory of ansible-playbook, with so many hosts, in MiB."""
        inventory = "".join(f"host{number} ansible_connection=local\n" for number in range(count))
        task = self._ours if is_ours else {"ansible.builtin.ping": {}}
        play, peak = play_peak([task], self._home, inventory=inventory, forks=4)
        play.unchanged(count)
        return peak


def more_hosts(place: Place) -> Contest:
    """One host and two hundred: the memory that a host more costs the control node, beside a task that does nothing."""
    crowd = _Crowd(place)

    def grown(*, is_ours: bool) -> float:
        alone, all_together = (crowd.peak(count, is_ours=is_ours) for count in (1, CROWD))
        return 1024 * max(all_together - alone, 0.001) / (CROWD - 1)

    return Contest(
        [lambda: {"ours": grown(is_ours=True)}, lambda: {"peer": grown(is_ours=False)}],
        warm=lambda: crowd.peak(1, is_ours=True),
    )


def _grown(name: str, measure: str) -> Line:
    few = "few asked for" if measure == "many asked for" else "few"
    return Line(18, f"{MANY:,} images, {name}", f"{FEW} images", 1.0, measure, few, "ms an image")


ROWS = (
    Row(
        [Line(4, "20 present images on 10 hosts over ssh (whole play)", "docker_image_pull, a loop", 12)],
        over_ssh,
        rounds=1,
    ),
    Row(
        [
            _grown("nothing to do", "many"),
            _grown("tags asked for", "many asked for"),
            _grown("with a lock (no requests)", "many locked"),
            Line(18, "requests an image, tags asked for", "the limit set", 1.0, "requests", "limit", "requests"),
        ],
        more_images,
    ),
    Row(
        [Line(18, "memory of the control node, 1 to 200 hosts", "ping", 0.0, unit="KiB a host")],
        more_hosts,
        rounds=1,
    ),
)
