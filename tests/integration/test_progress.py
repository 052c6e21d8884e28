# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""While hosts pull, a terminal shows how far each is, and nothing else ever sees any of it."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.fleet.images.tests.support import ssh_hosts as support
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.playbook import ansible_environment, run_playbook
from ansible_collections.fleet.images.tests.support.programs import require
from ansible_collections.fleet.images.tests.support.slow_link import SlowLink
from ansible_collections.fleet.images.tests.support.terminal import Terminal, on_terminal

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

MIB = 1024 * 1024
SLOW = 1 * MIB
FAST = 500 * MIB
LOCAL = "{} ansible_connection=local ansible_remote_tmp={}\n"
SHOWN = re.compile(r"(\w+) .* ([0-9.]+) (B|KiB|MiB) of ([0-9.]+) MiB")
UNITS = {"B": 1, "KiB": 1024, "MiB": MIB}


class Case:
    """Hosts that pull, each the image of its name, into stores of their own below ``folder``."""

    def __init__(self, repository: Repository, link: SlowLink, folder: Path) -> None:
        self.folder = folder
        self.link = link
        self._repository = repository
        self._inventory = ""

    def add_local(self, *names: str) -> None:
        """Add hosts that are this machine."""
        self.add("".join(LOCAL.format(name, self.folder / "remote-tmp") for name in names), *names)

    def add(self, inventory: str, *names: str) -> None:
        """Add hosts, and 8 MiB for each of them to pull."""
        self._inventory += inventory
        for name in names:
            self._repository.push(name, make_image({"name": name.encode()}, random_bytes=8 * MIB, seed=len(name)))

    def plays(self, run: str) -> list[dict[str, t.Any]]:
        """Return the play, for stores that are the run's own."""
        options = {
            "engine": "layout",
            "store": f"{self.folder}/{run}/{{{{ inventory_hostname }}}}",
            "registry_validate_certs": False,
            "images": [{"image": f"{self.link.host}/{self._repository.path}:{{{{ inventory_hostname }}}}"}],
        }
        tasks = [{"name": "pull", "fleet.images.image_state": options}]
        return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]

    def watched(self, run: str, **environment: str) -> t.ContextManager[Terminal]:
        """Run the play on a terminal."""
        home = self.folder / f"{run}-home"
        home.mkdir(parents=True)
        (home / "play.yml").write_text(yaml.safe_dump(self.plays(run)), encoding="utf-8")
        (home / "hosts.ini").write_text(self._inventory, encoding="utf-8")
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.ini", "play.yml"]
        given = {**ansible_environment(home, ANSIBLE_CALLBACKS_ENABLED="fleet.images.progress"), **environment}
        given.pop("CI", None)
        return on_terminal(command, environment=given, folder=home)

    def unwatched(self, run: str, *, callback: str) -> str:
        """Run the play with a pipe and one callback beside the normal output; return what is written."""
        given = {"ANSIBLE_CALLBACKS_ENABLED": callback}
        home = self.folder / f"{run}-home"
        return run_playbook(self.plays(run), home, inventory=self._inventory, environment=given).output

    def traces(self) -> list[Path]:
        """Return what tells progress and is still there."""
        return list(self.folder.rglob("progress*"))


@pytest.fixture
def case(repository: Repository, tmp_path: Path) -> Iterator[Case]:
    """Yield a case whose hosts are here, and whose link is so slow that people would want to know."""
    with SlowLink(repository.registry.url, rate=SLOW) as link:
        yield Case(repository, link, tmp_path)


class Sightings:
    """What a terminal showed of each host at different times, in bytes."""

    def __init__(self, terminal: Terminal, *hosts: str) -> None:
        self._terminal = terminal
        self._hosts = hosts
        self.of: dict[str, list[float]] = {}

    def are_enough(self) -> bool:
        """Look at the terminal, and tell whether all hosts are there, and each was seen to move by now."""
        found = [match for match in map(SHOWN.match, self._terminal.lines) if match is not None]
        for match in found:
            size = float(match[2]) * UNITS[match[3]]
            seen = self.of.setdefault(match[1], [])
            if size not in seen:
                seen.append(size)
        is_full = {match[1] for match in found} == set(self._hosts)
        return is_full and all(len(self.of[host]) > 1 for host in self._hosts)


def test_each_host_has_a_line_that_moves_and_goes(repository: Repository, tmp_path: Path) -> None:
    require(*support.PROGRAMS)
    with support.ssh_hosts(1) as fleet, SlowLink(repository.registry.url, rate=SLOW, address=fleet.gateway) as link:
        case = Case(repository, link, tmp_path)
        case.add_local("ash", "birch")
        case.add(fleet.inventory, "host1")
        fleet.run("host1", "rm", "-f", "/root/.bashrc")  # this machine's own, which may take long
        with case.watched("run") as terminal:
            sightings = Sightings(terminal, "ash", "birch", "host1")
            assert terminal.watch(sightings.are_enough), terminal.written.decode()
            assert "TASK [pull]" in terminal.lines[-4]
            assert [line.split()[0] for line in terminal.lines[-3:]] == ["ash", "birch", "host1"]
            link.rate = FAST
            assert terminal.finish() == 0
        assert all(seen == sorted(seen) for seen in sightings.of.values())
        text = "\n".join(terminal.lines)
        assert sorted(re.findall(r"^changed: \[(\w+)\]$", text, re.MULTILINE)) == ["ash", "birch", "host1"]
        assert SHOWN.search(text) is None
        assert case.traces() == []
        assert list(fleet.host("host1").path("/root/.ansible/tmp").iterdir()) == []


def test_what_is_no_terminal_gets_the_same_bytes_with_and_without(case: Case) -> None:
    case.add_local("ash")
    case.link.rate = FAST
    output = case.unwatched("without", callback="records")
    assert "changed: [ash]" in output
    assert case.unwatched("with", callback="fleet.images.progress") == output


def test_on_a_terminal_it_can_be_turned_off(case: Case) -> None:
    case.add_local("ash")
    case.link.rate = 3 * MIB
    with case.watched("off", FLEET_IMAGES_PROGRESS="false") as terminal:
        assert terminal.finish() == 0
    assert b"\x1b" not in terminal.written
    assert b"changed: [ash]" in terminal.written


def test_a_run_that_is_interrupted_leaves_no_line_and_no_file(case: Case) -> None:
    case.add_local("ash")
    # Ansible sends SIGTERM right behind the interrupt; a worker that gets both at once passes only that one on: then
    # the module is killed, and its whole temporary folder stays.
    with case.watched("interrupted", ANSIBLE_WORKER_SHUTDOWN_POLL_COUNT="600") as terminal:
        assert terminal.watch(Sightings(terminal, "ash").are_enough)
        os.kill(terminal.process.pid, signal.SIGINT)
        assert terminal.finish() != 0
        case.link.rate = FAST
        until = time.monotonic() + 60
        while case.traces() and time.monotonic() < until:  # the module ends later than Ansible
            select.select([], [], [], 0.05)
    assert SHOWN.search("\n".join(terminal.lines)) is None
    assert case.traces() == []
