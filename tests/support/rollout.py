# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the playbook fleet.images.rollout on hosts whose engine is the embedded store, one in a folder each."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from .lifecycle import Host
from .playbook import PROGRAM, PlaybookRun, run_playbook

STATE = "fleet.images.images : Bring the host to its images"


class Rollout(t.NamedTuple):
    """Hosts of an inventory. ``store`` is where each keeps its images, "{}" is its name; ``options`` are for all."""

    home: Path
    inventory: str
    store: str
    options: t.Mapping[str, t.Any] = {}

    def run(
        self,
        *arguments: str,
        of: t.Mapping[str, t.Mapping[str, t.Any]] = {},
        program: Path = PROGRAM,
        **variables: t.Any,
    ) -> PlaybookRun:
        """Run the playbook: ``variables`` of all hosts and those ``of`` single ones begin with fleet_images."""
        own = {"engine": "layout", "store": self.store.format("{{ inventory_hostname }}"), "retry": 0}
        self._write("group_vars/all.json", {**variables, "options": {**own, **self.options}})
        for name, given in of.items():
            self._write(f"host_vars/{name}.json", given)
        plays = [{"name": "Roll out", "ansible.builtin.import_playbook": "fleet.images.rollout"}]
        faster = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_FORKS": "4"}
        return run_playbook(
            plays,
            self.home,
            arguments=arguments,
            inventory=self.inventory,
            environment=faster,
            timeout=1200,
            program=program,
        )

    def host(self, name: str) -> Host:
        """Return what a host keeps."""
        return Host(Path(self.store.format(name)))

    def _write(self, path: str, given: t.Mapping[str, t.Any]) -> None:
        variables = {f"fleet_images_{name}".removesuffix("_"): value for name, value in given.items()}
        (self.home / path).parent.mkdir(parents=True, exist_ok=True)
        (self.home / path).write_text(json.dumps(variables), encoding="utf-8")


def changed_hosts(run: PlaybookRun) -> list[str]:
    """Return the hosts that a rollout changed, in that order."""
    return [row.host for row in run.results if row.task == STATE and row.changed]


def tells(run: PlaybookRun) -> list[str]:
    """Return the lines of the summary at a rollout's end."""
    lines: list[str] = run.of("fleet.images.images : Say where the fleet stands").result["msg"]
    return lines
