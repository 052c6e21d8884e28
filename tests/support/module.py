# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run one module the quick way: a fresh Python with the checkout on its path, no ansible-playbook, no payload."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

COLLECTIONS = Path(__file__).parents[2] / "build" / "collections"

# What Ansible's own wrapper does at the end, minus the payload. A dictionary of arguments that AnsibleModule decodes by
# itself is enough on every supported ansible-core; those with serialization profiles want one named beside it.
_RUNNER = """
import json, runpy, sys
import ansible.module_utils.basic as basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
if hasattr(basic, "_ANSIBLE_PROFILE"):
    basic._ANSIBLE_PROFILE = "legacy"
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""


class ModuleFailureError(AssertionError):
    """A module that was expected to succeed failed; ``result`` is what it returned."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__(json.dumps(result, indent=1)[:8000])
        self.result = result


class ModuleRun(t.NamedTuple):
    """A finished module: exit status, the result it printed, and what it wrote to standard error."""

    returncode: int
    result: dict[str, t.Any]
    errors: str

    def succeed(self) -> dict[str, t.Any]:
        """Return the result; raises ``ModuleFailureError`` if the module failed."""
        if self.returncode or self.result.get("failed"):
            raise ModuleFailureError(self.result)
        return self.result


def run_module(
    name: str,
    params: t.Mapping[str, t.Any],
    *,
    check: bool = False,
    diff: bool = False,
    environment: t.Mapping[str, str] | None = None,
    python: str = sys.executable,
    timeout: float = 300,
) -> ModuleRun:
    """Run ``plugins/modules/NAME.py`` with ``params`` and return its result. The module's failure is a result.

    Raises ``AssertionError`` with everything the process printed when it gave no JSON result (a traceback, say), and
    ``subprocess.TimeoutExpired`` after ``timeout`` seconds.
    """
    arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_no_log": False}
    finished = subprocess.run(
        [python, "-c", _RUNNER, f"ansible_collections.fleet.images.plugins.modules.{name}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), "LC_ALL": "C.UTF-8", **(environment or {})},
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    output, errors = finished.stdout.decode(errors="replace"), finished.stderr.decode(errors="replace")
    try:
        result = json.loads(output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        story = f"{name} gave no result (exit status {finished.returncode}):\n{output}\n{errors}"
        raise AssertionError(story) from None
    if not isinstance(result, dict):
        raise AssertionError(f"{name} gave {result!r}")
    return ModuleRun(finished.returncode, result, errors)


def check_then_run(
    name: str, params: t.Mapping[str, t.Any], **options: t.Any
) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """Run a module in check mode, then for real, and return both results; fails if either fails."""
    announced = run_module(name, params, check=True, diff=True, **options).succeed()
    done = run_module(name, params, diff=True, **options).succeed()
    return announced, done
