# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Twenty hosts with twenty images over real ssh: a rollout that stops, goes on, rests, and is taken back.

``FLEET_OVER_SSH_HOSTS=7`` runs it with fewer; what is shown is the same.
"""

from __future__ import annotations

import json
import os
import typing as t
from contextlib import ExitStack

import pytest
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, push, write_layout
from ansible_collections.fleet.images.tests.support.lifecycle import tree_digest
from ansible_collections.fleet.images.tests.support.locks import lock_of
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.rollout import Rollout, changed_hosts, tells
from ansible_collections.fleet.images.tests.support.small_disk import SmallDisk, small_disk
from ansible_collections.fleet.images.tests.support.ssh_hosts import SshFleet, ssh_hosts

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.registry import Registry

HOSTS = [f"host{number}" for number in range(1, 1 + int(os.environ.get("FLEET_OVER_SSH_HOSTS", "20")))]
CANARY, FULL, LOST, SPOILED, FINE = HOSTS[:5]
PATHS = [f"fleet-over-ssh/{number}" for number in range(20)]
EXTRA = "fleet-over-ssh/extra"


def generation(number: int) -> dict[str, MadeImage]:
    """Return an image for each path, other ones in each generation."""
    return {
        path: make_image({"generation": b"%d" % number}, seed=100 * number + at, random_bytes=2000)
        for at, path in enumerate([*PATHS, EXTRA])
    }


class World(t.NamedTuple):
    """Hosts that have the first generation of all images, and a registry, which is counted, with the second."""

    fleet: SshFleet
    proxy: CountingProxy
    disk: SmallDisk
    rollout: Rollout
    made: tuple[dict[str, MadeImage], dict[str, MadeImage]]

    def names(self, number: int, *, of: str) -> dict[str, str]:
        """Return the names that a host is to have, each with its digest in that generation."""
        paths = [*PATHS, *([EXTRA] if of == SPOILED else [])]
        return {f"{self.proxy.host}/{path}:1": self.made[number][path].digest for path in paths}

    def held(self, name: str) -> dict[str, str]:
        """Return the names that a host has."""
        return self.rollout.host(name).names()


@pytest.fixture
def world(tmp_path: Path, shared_registry: Registry) -> Iterator[World]:
    """Yield twenty hosts; one has a disk that can be filled."""
    first, second = generation(1), generation(2)
    with ExitStack() as held:
        disk = held.enter_context(small_disk(8 << 20))  # first: hosts see what was mounted before them
        fleet = held.enter_context(ssh_hosts(len(HOSTS)))
        proxy = held.enter_context(CountingProxy(shared_registry.url, address=fleet.gateway))
        (disk.folder / "store").mkdir()
        (fleet.host(FULL).folder / "store").symlink_to(disk.folder / "store")
        for path, image in [*first.items(), *second.items()]:
            push(shared_registry, path, image, tag="1")
        options = {"registry_validate_certs": False}
        rollout = Rollout(tmp_path, fleet.inventory, f"{fleet.folder}/{{}}/store", options)
        world = World(fleet, proxy, disk, rollout, (first, second))
        for name in HOSTS:
            paths = [*PATHS, *([EXTRA] if name == SPOILED else [])]
            write_layout(rollout.host(name).store, {f"{proxy.host}/{path}:1": first[path] for path in paths})
        before = lock_of({f"{proxy.host}/{path}:1": image for path, image in first.items()})
        (tmp_path / "before.lock.json").write_text(json.dumps(before), encoding="utf-8")
        yield world


@pytest.mark.long
def test_twenty_hosts_stop_within_a_failure_budget_go_on_rest_and_go_back(world: World) -> None:
    rollout, proxy = world.rollout, world.proxy
    images = [{"image": f"{proxy.host}/{path}:1"} for path in PATHS]
    extra = {SPOILED: {"": [*images, {"image": f"{proxy.host}/{EXTRA}:1"}]}}
    careless = {FULL: {"state_options": {"disk_margin": "-1GiB"}}}
    settings: dict[str, t.Any] = {"": images, "waves": [1, 4, "100%"], "max_fail_percentage": 10}
    untouched = {name: tree_digest(rollout.host(name).store) for name in HOSTS}

    # Two of the second wave fail by themselves. A third loses its power when the canary fetches its last image.
    def cut_power(data: bytes) -> bytes:
        world.fleet.kill(LOST)
        return data

    world.disk.leave(30_000)
    proxy.fail(Fault(path=world.made[1][PATHS[-1]].layers[0].digest, tamper=cut_power))
    proxy.fail(Fault(path=world.made[1][EXTRA].layers[0].digest, times=1000, tamper=lambda data: data[::-1]))
    stopped = rollout.run(of={**extra, **careless}, **settings)
    assert stopped.returncode != 0
    assert set(changed_hosts(stopped)) == {CANARY, FINE}, stopped.output
    for name in (CANARY, FINE):
        assert world.held(name) == world.names(1, of=name)
    for name in HOSTS[5:]:
        assert tree_digest(rollout.host(name).store) == untouched[name]
    said = tells(stopped)
    assert said[0] == f"2 of {len(HOSTS)} hosts hold what is declared"
    causes = {line.partition(" failed: ")[0]: line for line in said[1:4]}
    assert sorted(causes) == sorted([FULL, LOST, SPOILED])
    assert "is full" in causes[FULL]
    assert "Free some space" in causes[FULL]
    assert causes[LOST].endswith("Run again when the host can be reached, or leave it out with --limit.")
    assert world.made[1][EXTRA].layers[0].digest in causes[SPOILED]
    assert said[4].startswith(f"not touched, because hosts before failed: {', '.join(HOSTS[5:])}. Run again")

    # Mended, the rest goes on; who is done is left alone.
    world.disk.clear()
    world.fleet.start(LOST)
    proxy.reset()
    resumed = rollout.run(of=extra, **settings)
    assert resumed.returncode == 0, resumed.output
    assert set(changed_hosts(resumed)) == {*HOSTS} - {CANARY, FINE}
    assert {name: world.held(name) for name in HOSTS} == {name: world.names(1, of=name) for name in HOSTS}

    proxy.reset()
    rested = rollout.run(frozen=True, **settings)
    assert rested.returncode == 0, rested.output
    assert rested.output.count("changed=0") == len(HOSTS)
    assert proxy.exchanges() == []

    undone = rollout.run(frozen=True, lock="before.lock.json", **settings)
    assert undone.returncode == 0, undone.output
    assert tells(undone)[0] == f"{len(HOSTS)} of {len(HOSTS)} hosts hold what is declared"
    assert set(changed_hosts(undone)) == {*HOSTS}
    assert {name: world.held(name) for name in HOSTS} == {name: world.names(0, of=name) for name in HOSTS}
    assert proxy.count(path="/blobs/") == 0
