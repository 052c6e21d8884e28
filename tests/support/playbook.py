# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a playbook with the checkout's collection, in folders of its own, and read back what each task gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")


class TaskResult(t.NamedTuple):
    """What one task gave on one host, and the seconds from its start to its end there.

    ``status`` is ok, failed, ignored, skipped or unreachable.
    """

    host: str
    task: str
    status: str
    result: dict[str, t.Any]
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Say whether the task reported a change."""
        return bool(self.result.get("changed"))


class PlaybookRun(t.NamedTuple):
    """A finished run: the exit status of ansible-playbook, its output, and the results in their order."""

    returncode: int
    output: str
    results: list[TaskResult]

    def of(self, task: str, *, host: str = "") -> TaskResult:
        """Return the last result of the task with that name (on that host); fails with the whole output if none."""
        found: list[TaskResult] = [row for row in self.results if row.task == task and host in ("", row.host)]
        if not found:
            raise AssertionError(f"no result of task {task!r}:\n{self.output}")
        return found[-1]


def ansible_environment(home: Path, **extra: str) -> dict[str, str]:
    """Return the environment in which Ansible finds the checkout's collection and keeps all state below ``home``."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment.pop("PYTHONPATH", None)
    return {
        **environment,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(home / "local-tmp"),
        "ANSIBLE_REMOTE_TEMP": str(home / "remote-tmp"),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "LC_ALL": "C.UTF-8",
        **extra,
    }


def run_playbook(
    plays: str | t.Sequence[t.Mapping[str, t.Any]],
    home: Path,
    *,
    arguments: t.Sequence[str] = (),
    inventory: str = "localhost ansible_connection=local\n",
    environment: t.Mapping[str, str] | None = None,
    timeout: float = 300,
    program: Path = PROGRAM,
) -> PlaybookRun:
    """Run ``plays`` (YAML text or its parsed form) with ``ansible-playbook ARGUMENTS`` and return every task's result.

    ``home`` is a private folder of the test; ``inventory`` is the text of an INI inventory; ``program`` is that of
    another version of Ansible. The run's failure is a result, not an exception. Raises ``subprocess.TimeoutExpired``
    after ``timeout`` seconds.
    """
    home.mkdir(parents=True, exist_ok=True)
    playbook, hosts, records = home / "playbook.yml", home / "inventory.ini", home / "records.jsonl"
    text = plays if isinstance(plays, str) else yaml.safe_dump(list(plays), sort_keys=False)
    playbook.write_text(text, encoding="utf-8")
    hosts.write_text(inventory, encoding="utf-8")
    records.write_text("", encoding="utf-8")
    settings = {
        **recording(records),
        **(environment or {}),
    }
    command = [str(program), "-i", str(hosts), *arguments, str(playbook)]
    finished = subprocess.run(
        command,
        env=ansible_environment(home, **settings),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    return PlaybookRun(finished.returncode, finished.stdout, read_records(records))


def recording(records: Path) -> dict[str, str]:
    """Return the settings with which Ansible adds every task's result to the file ``records``."""
    return {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "records",
        "TEST_RECORDS": str(records),
    }


def read_records(records: Path) -> list[TaskResult]:
    """Return the results that a run with ``recording(records)`` left, in the order in which they ended."""
    return [TaskResult(**json.loads(line)) for line in records.read_text(encoding="utf-8").splitlines()]
