# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write every task result of a playbook run, and how long it took, as one JSON line."""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: records
type: aggregate
short_description: Task results as JSON lines
description: Appends one JSON object per task result to the file that E(TEST_RECORDS) names.
requirements:
  - enable in configuration
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """Append ``{host, task, status, result, seconds}`` to the file named by ``TEST_RECORDS``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "records"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._started: dict[tuple[str, str], float] = {}

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._started[host.get_name(), task._uuid] = time.perf_counter()

    def _record(self, status: str, outcome: t.Any) -> None:
        result = getattr(outcome, "result", None)
        if result is None:  # ansible-core before 2.19
            result = outcome._result
        host = getattr(outcome, "host", None) or outcome._host
        task = getattr(outcome, "task", None) or outcome._task
        seconds = time.perf_counter() - self._started[host.get_name(), task._uuid]
        row = {"host": host.get_name(), "task": task.get_name(), "status": status, "result": result, "seconds": seconds}
        with Path(os.environ["TEST_RECORDS"]).open("a", encoding="utf-8") as records:
            records.write(json.dumps(row, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._record("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._record("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._record("skipped", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._record("unreachable", result)
