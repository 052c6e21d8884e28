# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rollouts that meet what goes wrong in real fleets: broken canaries, servers that die half-way, mirrors that lie."""

from __future__ import annotations

import json
import typing as t
from contextlib import ExitStack

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, Repository
from ansible_collections.fleet.images.tests.support.locks import lock_of
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.rollout import Rollout, tells
from ansible_collections.fleet.images.tests.support.small_disk import small_disk

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS = ("canary", "web1", "web2", "web3")
ONE = make_image({"v": b"1"}, seed=81, layers=2, random_bytes=300_000)
LAYER = ONE.layers[0].digest
BLOBS = "/blobs/sha256:"


class World(t.NamedTuple):
    """Four hosts, and the registry that all of them use, which is counted and has ONE under its tag."""

    rollout: Rollout
    proxy: CountingProxy
    repository: Repository

    @property
    def image(self) -> str:
        """Return the name of the image."""
        return f"{self.repository}:1"

    def run(self, *arguments: str, of: t.Mapping[str, t.Mapping[str, t.Any]] = {}, **variables: t.Any) -> PlaybookRun:
        """Roll the image out, to the canary first."""
        return self.rollout.run(*arguments, of=of, **{"": [{"image": self.image}], "waves": [1, "100%"], **variables})

    def digests(self) -> list[str]:
        """Return what each host has under the name, "" if nothing; fails if any blob of a host is not what it says."""
        hosts = [self.rollout.host(name) for name in HOSTS]
        for host in hosts:
            host.blobs()
        return [host.names().get(self.image, "") for host in hosts]

    def keep_on(self, folder: Path, *, host: str) -> None:
        """Let the store of a host lie in ``folder``."""
        (folder / "store").mkdir()
        self.rollout.host(host).store.symlink_to(folder / "store")


@pytest.fixture
def world(tmp_path: Path, repository: Repository) -> Iterator[World]:
    """Yield hosts with nothing on them."""
    with CountingProxy(repository.registry.url) as proxy:
        seen = repository._replace(host=proxy.host)
        seen.push("1", ONE)
        inventory = "".join(f"{name} ansible_connection=local\n" for name in HOSTS)
        yield World(Rollout(tmp_path / "home", inventory, f"{tmp_path}/{{}}"), proxy, seen)


def test_canaries_with_wrong_bytes_or_a_disk_that_fills_up_keep_all_others_untouched(world: World) -> None:
    bad = world.repository._replace(path=f"{world.repository.path}/bad")
    bad.push("1", ONE)
    world.proxy.fail(Fault(path=f"/bad/blobs/{LAYER}", times=1000, tamper=lambda data: data[::-1]))
    with small_disk(4 << 20) as disk:
        world.keep_on(disk.folder, host="web1")
        disk.leave(300_000)
        # The guard that plans would refuse the disk: web1 does not listen to it.
        careless = {"state_options": {"disk_margin": "-1GiB"}}
        own: dict[str, dict[str, t.Any]] = {"canary": {"": [{"image": f"{bad}:1"}]}, "web1": careless}
        stopped = world.run(of=own, waves=[2, "100%"], max_fail_percentage=90)
        assert stopped.returncode != 0
        assert world.digests() == [""] * len(HOSTS)
    said = tells(stopped)
    assert said[0] == "0 of 4 hosts hold what is declared"
    assert said[1].startswith("canary failed: ")
    assert LAYER in said[1]
    assert said[2].startswith("web1 failed: ")
    assert "is full" in said[2]
    assert "Free some space" in said[2]
    assert said[3].startswith("not touched, because hosts before failed: web2, web3. Run again")
    assert [name for name in HOSTS[2:] if world.rollout.host(name).store.exists()] == []


def test_a_canary_of_another_platform_and_one_without_room_stop_all_before_any_is_touched(world: World) -> None:
    own = {"canary": {"": [{"image": world.image, "platform": FOREIGN}]}}
    lock = world.rollout.home / "images.lock.json"
    lock.parent.mkdir()
    lock.write_text(json.dumps(lock_of({world.image: ONE})), encoding="utf-8")
    with small_disk(4 << 20) as disk:
        world.keep_on(disk.folder, host="web1")
        disk.leave(300_000)
        stopped = world.run(of=own, frozen=True)
        assert stopped.returncode != 0
        assert world.digests() == [""] * len(HOSTS)
    stops = [row for row in stopped.results if row.task.endswith("Stop before anything is touched")]
    told = "\n".join(row.result["msg"] for row in stops if row.status == "failed")
    assert told.startswith("No host was touched, because ")
    for part in ("canary", FOREIGN, "web1", "disk_margin"):
        assert part in told
    assert [name for name in ("canary", *HOSTS[2:]) if world.rollout.host(name).store.exists()] == []


def test_mirrors_that_lie_or_die_half_way_change_nothing_but_who_is_asked(world: World) -> None:
    with ExitStack() as held:
        liar, mortal = (held.enter_context(CountingProxy(world.repository.registry.url)) for at in range(2))
        liar.fail(Fault(path="/(blobs|manifests)/sha256:", times=1000, tamper=lambda data: data[::-1]))

        def die(data: bytes) -> bytes:
            mortal.die()
            return data

        # The canary is served. The first host of the next wave that asks for this layer gets half of it.
        mortal.fail(Fault(path=LAYER, skip=1, cut_after=150_000, tamper=die))
        mirrors = [{"registry": world.proxy.host, "location": mirror.host} for mirror in (liar, mortal)]
        done = world.run(state_options={"mirrors": mirrors})
    assert done.returncode == 0, done.output
    assert world.digests() == [ONE.digest] * len(HOSTS)
    assert f"The mirror {liar.host}/{world.repository.path} was passed over" in done.output
    assert liar.bytes_sent(path=BLOBS) > 0
    assert mortal.bytes_sent(path=BLOBS) > len(ONE.layers[0].data)
    assert 0 < world.proxy.bytes_sent(path=BLOBS) < len(HOSTS) * sum(len(blob.data) for blob in ONE.layers)


def test_an_origin_that_dies_half_way_is_told_of_each_host_that_needed_it(world: World) -> None:
    def die(data: bytes) -> bytes:
        world.proxy.die()
        return data

    # Both hosts of the second wave may be at this layer when it dies: none gets more than half of it.
    world.proxy.fail(Fault(path=LAYER, skip=1, times=1000, cut_after=150_000, tamper=die))
    stopped = world.run(waves=[1, 2, "100%"])
    assert stopped.returncode != 0
    assert world.digests() == [ONE.digest, "", "", ""]
    assert not world.rollout.host("web3").store.exists()
    said = tells(stopped)
    assert said[0] == "1 of 4 hosts hold what is declared"
    for name, line in zip(("web1", "web2"), said[1:3]):
        assert line.startswith(f"{name} failed: ")
        assert world.proxy.host in line
    assert said[3].startswith("not touched, because hosts before failed: web3. Run again")
