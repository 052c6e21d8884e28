# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The peers' collections in a virtual environment of their own, and plays that both sides run there, one Ansible."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import yaml
from ansible_collections.fleet.images.tests.bench.contest import expect
from ansible_collections.fleet.images.tests.bench.place import PeakMeter
from ansible_collections.fleet.images.tests.support.playbook import ROOT, ansible_environment

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PEERS = ROOT / "build" / "peers"
#: The bundle that brings community.docker and containers.podman, and what the modules of both sides need.
_PACKAGES = ("ansible>=12", "requests>=2.31,<3", "jsonschema>=4.20,<5")
LOCAL = "localhost ansible_connection=local\n"

Task = t.Mapping[str, t.Any]


class Took(t.NamedTuple):
    """What one task gave on one host, and the seconds from its start to its end there."""

    host: str
    task: str
    seconds: float
    has_failed: bool
    result: Mapping[str, t.Any]


class Play(t.NamedTuple):
    """A play that ran without failures: seconds from outside, and its tasks in the order in which they ended."""

    seconds: float
    tasks: list[Took]

    def unchanged(self, count: int) -> Play:
        """Return the play itself; fails unless so many results, items of loops counted, say that nothing changed."""
        results = [item for row in self.tasks for item in row.result.get("results", [row.result])]
        changed = [result.get("changed") for result in results]
        expect(f"{count} results without a change, not {changed}", holds=changed == [False] * count)
        return self


def install_peers() -> None:
    """Make the peers' virtual environment unless it is there. Raises ``CalledProcessError`` without a package index."""
    stamp, wanted = PEERS / "stamp", f"{sys.version} {_PACKAGES}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
    quiet = ["install", "-qq", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([str(PEERS / "bin" / "pip"), *quiet, *_PACKAGES], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def run_tasks(
    tasks: Sequence[Task],
    home: Path,
    *,
    inventory: str = LOCAL,
    forks: int = 5,
    environment: Mapping[str, str] | None = None,
) -> Play:
    """Run tasks as one play without facts, as ansible-playbook does by default; fails if one fails."""
    command = _prepare(tasks, home, inventory=inventory, forks=forks)
    started = time.perf_counter()
    finished = subprocess.run(
        command,
        env=_around(home, environment),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    play = Play(seconds, _took(home))
    has_failed = finished.returncode != 0 or any(row.has_failed for row in play.tasks)
    expect(f"a play ended well:\n{finished.stdout.decode()[-4000:]}", holds=not has_failed)
    return play


def play_peak(tasks: Sequence[Task], home: Path, *, inventory: str, forks: int) -> tuple[Play, float]:
    """Run tasks as ``run_tasks`` does; return, too, the peak memory of the largest process that it took, in MiB."""
    command = _prepare(tasks, home, inventory=inventory, forks=forks)
    started = time.perf_counter()
    peak = PeakMeter(home).of(command, _around(home, None))
    play = Play(time.perf_counter() - started, _took(home))
    expect("no task failed", holds=not any(row.has_failed for row in play.tasks))
    return play, peak


def _prepare(tasks: Sequence[Task], home: Path, *, inventory: str, forks: int) -> list[str]:
    install_peers()
    home.mkdir(parents=True, exist_ok=True)
    plays = [{"hosts": "all", "gather_facts": False, "tasks": list(tasks)}]
    (home / "playbook.yml").write_text(yaml.safe_dump(plays, sort_keys=False), encoding="utf-8")
    (home / "inventory.ini").write_text(inventory, encoding="utf-8")
    (home / "records.jsonl").write_bytes(b"")
    words = [PEERS / "bin" / "ansible-playbook", "-i", home / "inventory.ini", "-f", forks, home / "playbook.yml"]
    return [str(word) for word in words]


def _around(home: Path, environment: Mapping[str, str] | None) -> dict[str, str]:
    settings = {
        "ANSIBLE_PYTHON_INTERPRETER": str(PEERS / "bin" / "python"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "timed",
        "BENCH_RECORDS": str(home / "records.jsonl"),
    }
    return ansible_environment(home, **settings, **(environment or {}))


def _took(home: Path) -> list[Took]:
    lines = (home / "records.jsonl").read_text(encoding="utf-8").splitlines()
    return [Took(**json.loads(line)) for line in lines]
