# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The peers' collections in a virtual environment of their own, and plays that both sides run there, one Ansible."""

from __future__ import annotations

import subprocess
import sys
import time
import typing as t
from pathlib import Path

import yaml
from ansible_collections.fleet.images.tests.bench.contest import expect
from ansible_collections.fleet.images.tests.bench.place import PeakMeter
from ansible_collections.fleet.images.tests.support.playbook import (
    ROOT,
    TaskResult,
    ansible_environment,
    read_records,
    recording,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PEERS = ROOT / "build" / "peers"
#: The bundle that brings community.docker and containers.podman, and what the modules of both sides need.
_PACKAGES = ("ansible>=12", "requests>=2.31,<3", "jsonschema>=4.20,<5")
_FINE = ("ok", "skipped")
LOCAL = "localhost ansible_connection=local\n"

Task = t.Mapping[str, t.Any]


class Play(t.NamedTuple):
    """A play that ran without failures: seconds from outside, and its tasks in the order in which they ended."""

    seconds: float
    tasks: list[TaskResult]

    def unchanged(self, count: int) -> Play:
        """Return the play itself; fails unless so many results, items of loops counted, say that nothing changed."""
        results = [item for row in self.tasks for item in row.result.get("results", [row.result])]
        changed = [result.get("changed") for result in results]
        expect(f"{count} results without a change, not {changed}", holds=changed == [False] * count)
        return self


def install_peers() -> None:
    """Make the peers' virtual environment unless it is there. Raises ``CalledProcessError`` without a package index."""
    # Compiled, as people have them: the peers' modules import some of it at every task.
    install = ["install", "-qq", "--compile", "--disable-pip-version-check", *_PACKAGES]
    stamp, wanted = PEERS / "stamp", f"{sys.version} {install}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS)], check=True)
    subprocess.run([str(PEERS / "bin" / "pip"), *install], check=True)
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
    play = Play(seconds, read_records(home / "records.jsonl"))
    has_failed = finished.returncode != 0 or any(row.status not in _FINE for row in play.tasks)
    expect(f"a play ended well:\n{finished.stdout.decode()[-4000:]}", holds=not has_failed)
    return play


def play_peak(tasks: Sequence[Task], home: Path, *, inventory: str, forks: int) -> tuple[Play, float]:
    """Run tasks as ``run_tasks`` does; return, too, the peak memory of the largest process that it took, in MiB."""
    command = _prepare(tasks, home, inventory=inventory, forks=forks)
    started = time.perf_counter()
    peak = PeakMeter(home).of(command, _around(home, None))
    play = Play(time.perf_counter() - started, read_records(home / "records.jsonl"))
    expect("no task failed", holds=not any(row.status not in _FINE for row in play.tasks))
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
        # What Python compiled is kept, as it is where people work, for the peers' modules and for ours.
        "PYTHONDONTWRITEBYTECODE": "",
        "ANSIBLE_PYTHON_INTERPRETER": str(PEERS / "bin" / "python"),
        **recording(home / "records.jsonl"),
    }
    return ansible_environment(home, **settings, **(environment or {}))
