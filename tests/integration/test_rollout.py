# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook fleet.images.rollout: locked once, planned everywhere, wave by wave, and stopped by what goes wrong."""

from __future__ import annotations

import json
import os
import re
import typing as t
from contextlib import ExitStack

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository
from ansible_collections.fleet.images.tests.support.other_ansible import other_ansible_playbook
from ansible_collections.fleet.images.tests.support.playbook import PROGRAM, PlaybookRun, run_playbook
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.rollout import STATE, Rollout, changed_hosts

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS = ("canary", "web1", "web2", "db1")
ONE = make_image({"v": b"1"}, seed=71, layers=2, random_bytes=20_000)
TWO = make_image({"v": b"2"}, seed=72, layers=2, random_bytes=20_000)
AWAY = "ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh"


class Fleet:
    """Four hosts with a store each, and the registry that all of them use."""

    def __init__(self, folder: Path, proxy: CountingProxy, repository: Repository) -> None:
        self.folder, self.proxy, self.repository = folder, proxy, repository
        self.home = folder / "home"
        self.image = f"{repository}:1"

    def roll_out(
        self, *arguments: str, lines: t.Mapping[str, str] = {}, program: Path = PROGRAM, **variables: t.Any
    ) -> PlaybookRun:
        """Run the playbook; ``lines`` replace those of hosts in the inventory.

        Variables begin with fleet_images; None is not set.
        """
        given = {"": [{"image": "{{ hostvars['db1'].origin }}:1"}], "waves": [1, 2, "100%"], **variables}
        rows = [lines.get(name, f"{name} ansible_connection=local") for name in HOSTS]
        inventory = "\n".join([*rows, "[all:vars]", f"origin={self.repository}", ""])
        rollout = Rollout(self.home, inventory, str(self.folder / "{}"))
        return rollout.run(
            *arguments, program=program, **{name: value for name, value in given.items() if value is not None}
        )

    def digests(self) -> list[str]:
        """Return what each host has under the name of the image, "" if nothing, in the order of HOSTS."""
        return [Host(self.folder / name).names().get(self.image, "") for name in HOSTS]

    def report(self, of: str = "") -> dict[str, t.Any]:
        """Return the report, or the one ``of`` a host and those with the same list."""
        document = json.loads((self.home / "report" / of / "report.json").read_bytes())
        assert isinstance(document, dict)
        return document

    def kept(self, host: str) -> dict[str, str]:
        """Return the names that keep something for the way back, with what they lead to."""
        return {
            name: digest for name, digest in Host(self.folder / host).names().items() if name.startswith("previous.")
        }

    def age_blobs(self) -> None:
        """Let nobody have touched a blob for so long that it goes with its last name."""
        for path in self.folder.glob("*/blobs/sha256/*"):
            os.utime(path, (1, 1))

    def has_no_stores(self) -> bool:
        """Say whether no host was touched ever."""
        return not any((self.folder / name).exists() for name in HOSTS)


@pytest.fixture
def fleet(tmp_path: Path, repository: Repository) -> Iterator[Fleet]:
    """Yield a fleet whose registry is counted, with ONE under its tag."""
    with ExitStack() as held:
        proxy = held.enter_context(CountingProxy(repository.registry.url))
        seen = repository._replace(host=proxy.host)
        seen.push("1", ONE)
        yield Fleet(tmp_path, proxy, seen)


@pytest.mark.long
def test_a_fleet_is_planned_changed_wave_by_wave_reported_and_rolled_back(fleet: Fleet) -> None:
    shown = fleet.roll_out("--check", "--diff", report="report")
    assert shown.returncode == 0, shown.output
    assert "4 hosts: 0 as declared, 4 to change, 0 failed;" in shown.output
    assert " KiB to move" in shown.output
    assert shown.output.count(f"+{fleet.image} {ONE.digest}\n") == len(HOSTS)
    assert shown.output.count("changed=0") == 0
    assert fleet.has_no_stores()
    assert not (fleet.home / "images.lock.json").exists()
    assert not (fleet.home / "report").exists()
    assert fleet.proxy.bytes_sent(path="/blobs/sha256:") <= 2 * len(HOSTS) * len(ONE.config.data)

    done = fleet.roll_out(report="report")
    assert done.returncode == 0, done.output
    assert fleet.digests() == [ONE.digest] * len(HOSTS)
    waves = [done.output.index(f"changed: [{name}]") for name in HOSTS]
    assert waves[0] < min(waves[1:3])
    assert max(waves[1:3]) < waves[3]
    assert sorted(changed_hosts(done)) == sorted(HOSTS)
    assert "4 of 4 hosts hold what is declared" in done.output
    assert fleet.report()["totals"]["verified"] == len(HOSTS)

    (fleet.home / "before.lock.json").write_bytes((fleet.home / "images.lock.json").read_bytes())
    fleet.repository.push("1", TWO)
    fleet.age_blobs()
    lines = {"db1": "db1 ansible_connection=local fleet_images_keep_days=0"}
    keeping: dict[str, t.Any] = {"keep_days": 7, "state_options": {"unlisted": "remove"}}
    moved = fleet.roll_out(lines=lines, **keeping)
    assert moved.returncode == 0, moved.output
    assert fleet.digests() == [TWO.digest] * len(HOSTS)
    assert [list(fleet.kept(name).values()) for name in HOSTS] == [[ONE.digest]] * 3 + [[]]
    index = fleet.folder / "canary" / "index.json"
    index.write_text(
        re.sub(r"until-[0-9-]{10}", "until-2026-01-31", index.read_text(encoding="utf-8")), encoding="utf-8"
    )
    fleet.proxy.reset()
    undone = fleet.roll_out(frozen=True, lock="before.lock.json", lines=lines, **keeping)
    assert undone.returncode == 0, undone.output
    assert fleet.digests() == [ONE.digest] * len(HOSTS)
    fetched = [blob.digest for blob in ONE.layers if fleet.proxy.count(path=f"/blobs/{blob.digest}")]
    assert fleet.proxy.bytes_sent(path="/blobs/") <= sum(len(blob.data) for blob in (ONE.config, *ONE.layers))
    assert fetched == [blob.digest for blob in ONE.layers], "db1 keeps nothing and fetches all of it"
    assert [sorted(fleet.kept(name).values()) for name in HOSTS] == [
        [TWO.digest],
        *[sorted((ONE.digest, TWO.digest))] * 2,
        [],
    ]


def test_what_fails_stops_the_waves_is_named_and_can_be_resumed(fleet: Fleet) -> None:
    fleet.proxy.fail(Fault(path="/blobs/" + ONE.layers[0].digest, times=1000, status=500))
    failed = fleet.roll_out(max_fail_percentage=90)
    assert failed.returncode != 0
    assert fleet.digests() == [""] * len(HOSTS)
    assert not any((fleet.folder / name).exists() for name in HOSTS[1:])
    told = failed.of("fleet.images.images : Fail where the host failed", host="canary").result["msg"]
    assert "500" in told
    assert "0 of 4 hosts hold what is declared" in failed.output
    assert "not touched, because hosts before failed: web1, web2, db1. Run again" in failed.output

    fleet.proxy.reset()
    bad = fleet.repository._replace(path=f"{fleet.repository.path}/bad")
    bad.push("1", TWO)
    fleet.proxy.fail(Fault(path="/bad/blobs/" + TWO.layers[0].digest, times=1000, status=500))
    lines = {"web1": f"web1 ansible_connection=local fleet_images=\"[{{'image': '{bad}:1'}}]\""}
    stopped = fleet.roll_out(lines=lines, report="report")
    assert stopped.returncode != 0
    assert fleet.digests() == [ONE.digest, "", ONE.digest, ""]
    assert "not touched, because hosts before failed: db1." in stopped.output
    locked = json.loads((fleet.home / "images.lock.json").read_bytes())
    assert set(locked["images"]) == {fleet.image, f"{bad}:1"}
    states = {host["host"]: host["state"] for of in ("canary", "web1") for host in fleet.report(of)["hosts"]}
    assert states == {"canary": "verified", "web1": "drift", "web2": "verified", "db1": "drift"}

    tolerated = fleet.roll_out(lines=lines, max_fail_percentage=25)
    assert tolerated.returncode != 0
    assert fleet.digests() == [ONE.digest, "", ONE.digest, ONE.digest]
    assert changed_hosts(tolerated) == ["db1"]
    failures = [row.host for row in tolerated.results if row.status == "failed" and row.task.endswith("host failed")]
    assert failures == ["web1"]
    assert "3 of 4 hosts hold what is declared" in tolerated.output


def test_a_host_that_cannot_be_reached_stops_all_before_any_is_touched_or_is_left_out(fleet: Fleet) -> None:
    away = {"db1": f"db1 {AWAY}"}
    secret = {"path": "/", "dockerfile_inline": "FROM scratch", "secrets": [{"id": "token", "value": "s3cret-word"}]}
    built = f"web1 ansible_connection=local fleet_images=\"{[{'image': 'own/built:1', 'build': secret}]}\""
    stopped = fleet.roll_out("-v", lines={**away, "web1": built})
    assert stopped.returncode != 0
    assert "own/built:1" in stopped.output
    assert "s3cret-word" not in stopped.output
    assert fleet.has_no_stores()
    told = stopped.of("fleet.images.images : Stop before anything is touched").result["msg"]
    heads = [line.partition(": ")[0] for line in told.splitlines()]
    assert heads == ["No host was touched, because these cannot be planned:", "web1 failed", "db1 failed"]
    assert told.endswith("Run again when the host can be reached, or leave it out with --limit.")

    tolerated = fleet.roll_out(lines=away, max_fail_percentage=25)
    assert tolerated.returncode != 0
    assert "3 of 4 hosts hold what is declared" in tolerated.output
    assert "db1 failed: " in tolerated.output
    without = fleet.roll_out("--limit", "!db1", lines=away)
    assert without.returncode == 0, without.output
    assert fleet.digests() == [*[ONE.digest] * 3, ""]


def test_the_oldest_ansible_rolls_out_as_well_and_needs_no_word_about_waves(fleet: Fleet) -> None:
    done = fleet.roll_out("--limit", "canary,web1", waves=None, program=other_ansible_playbook())
    assert done.returncode == 0, done.output
    assert fleet.digests() == [ONE.digest] * 2 + [""] * 2
    assert done.output.index("changed: [canary]") < done.output.index("changed: [web1]")


def test_the_role_alone_brings_a_host_to_its_images_and_verifies_it(fleet: Fleet) -> None:
    store = fleet.folder / "store"
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"fleet_images": [{"image": fleet.image}]},
        "module_defaults": {"group/fleet.images.all": {"engine": "layout", "store": str(store)}},
        "roles": ["fleet.images.images"],
    }
    checked = run_playbook([play], fleet.home, arguments=["--check"])
    assert checked.of(STATE).changed, checked.output
    assert not store.exists()
    for is_changed in (True, False):
        done = run_playbook([play], fleet.home)
        assert done.returncode == 0, done.output
        assert done.of(STATE).changed is is_changed
        assert done.of("fleet.images.images : Verify the host").status == "ok"
    assert Host(store).names() == {fleet.image: ONE.digest}


def test_a_host_whose_variables_are_wrong_stops_all_before_any_is_touched(fleet: Fleet) -> None:
    wrong = {"db1": "db1 ansible_connection=local fleet_images_max_fail_percentage=few"}
    refused = fleet.roll_out(lines=wrong)
    assert refused.returncode != 0
    assert "images_max_fail_percentage" in refused.output
    everyone_at_once = fleet.roll_out(waves=["50%", 0])
    assert everyone_at_once.returncode != 0
    assert "fleet_images_waves must be a number of hosts" in everyone_at_once.output
    slips = {"db1": "db1 ansible_connection=local fleet_images_state_options={{nobody}}"}
    assert "'nobody' is undefined" in fleet.roll_out(lines=slips).output
    assert fleet.roll_out(frozen=True, lock="lost.json").output.count("\nweb1 failed: The lock ") == 1
    assert fleet.has_no_stores()
    assert not (fleet.home / "images.lock.json").exists()
