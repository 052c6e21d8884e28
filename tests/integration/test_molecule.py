# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Molecule's scenarios, as developers run them: each goes its whole way, and nothing is left of its hosts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.playbook import ROOT, ansible_environment
from ansible_collections.fleet.images.tests.support.programs import MISSING, require
from ansible_collections.fleet.images.tests.support.ssh_hosts import PROGRAMS, destroy_hosts

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: What hosts run in each scenario, beside a registry.
SCENARIOS = {
    "images": ("skopeo", "umoci"),
    "registry_cache": ("skopeo", "nginx", "setpriv"),
    "registry_mirrors": ("dockerd", "docker", "podman", "containerd", "ctr"),
    "rollout": ("skopeo", "dockerd", "docker", "podman"),
}


class Molecule:
    """Molecule on one scenario, with its state in a folder of the test."""

    def __init__(self, scenario: str, folder: Path) -> None:
        require(*PROGRAMS, "docker-registry", *SCENARIOS[scenario])
        if os.geteuid() != 0:
            pytest.skip(f"{MISSING} namespaces are made by root")
        self.scenario, self.state, self.log = scenario, folder / "state", folder / "log"
        self.fleet = self.state / "fleet"
        self.environment = ansible_environment(
            folder / "home",
            MOLECULE_EPHEMERAL_DIRECTORY=str(self.state),
            NO_COLOR="1",
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        )

    @contextmanager
    def running(self, order: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run ``molecule ORDER``; when the block ends, what still runs of it is killed."""
        command = [sys.executable, "-m", "molecule", order, "-s", self.scenario, "--no-command-borders"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pid in processes_with(str(self.state)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def fleet_of(self, process: subprocess.Popen[bytes]) -> dict[str, t.Any]:
        """Wait until ``process`` makes hosts, and return what it notes of them; ``AssertionError`` if it ends first."""
        while True:
            assert process.poll() is None, self.said
            with suppress(FileNotFoundError, json.JSONDecodeError):
                noted: dict[str, t.Any] = json.loads((self.fleet / "fleet.json").read_bytes())
                return noted
            time.sleep(0.02)

    @property
    def said(self) -> str:
        """Return all that Molecule said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@pytest.fixture
def molecule(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Molecule]:
    """Yield Molecule on the scenario of the test's parameter; its hosts are gone at the end, whatever happens."""
    made = Molecule(request.param, tmp_path)
    try:
        yield made
    finally:
        destroy_hosts(made.fleet)


def processes_with(text: str) -> list[int]:
    """Return the processes whose command line has ``text`` in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def left_of(fleet: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is still there of hosts that fleet.json told of: files, interfaces, namespaces, mounts, processes."""
    name, place = f"fleet{fleet['number']}", str(fleet["place"])
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8")
    folders = [Path(place), Path("/sys/class/net", name)]
    return [
        *(str(path) for path in folders if path.exists()),
        *(path.name for parent in ("/sys/class/net", "/run/netns") for path in Path(parent).glob(f"{name}h*")),
        *([f"mounts below {place}"] if place in mounts else []),
        *(f"process {pid}" for pid in processes_with(place)),
    ]


def test_every_scenario_is_tested() -> None:
    assert {path.parent.name for path in ROOT.glob("extensions/molecule/*/molecule.yml")} == set(SCENARIOS)


@pytest.mark.long
@pytest.mark.parametrize("molecule", sorted(SCENARIOS), indirect=True)
def test_a_scenario_goes_its_whole_way_and_leaves_nothing(molecule: Molecule) -> None:
    with molecule.running("test") as process:
        fleet = molecule.fleet_of(process)
        process.wait(1800)
    assert process.returncode == 0, molecule.said
    assert re.search(r"actions=7 +successful=7 ", molecule.said), molecule.said
    assert left_of(fleet) == []


@pytest.mark.long
@pytest.mark.parametrize("molecule", ["registry_mirrors"], indirect=True)
def test_hosts_of_a_run_that_was_killed_are_taken_away_by_destroy(molecule: Molecule) -> None:
    with molecule.running("create") as process:
        fleet = molecule.fleet_of(process)
    assert left_of(fleet)
    with molecule.running("destroy") as process:
        process.wait(300)
    assert process.returncode == 0, molecule.said
    assert left_of(fleet) == []
    assert not molecule.fleet.exists()
