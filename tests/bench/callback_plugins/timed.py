# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write what every task gave, and how long it took, as JSON lines, for tests/bench/plays.py."""

from __future__ import annotations

import json
import os
import time
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: timed
type: aggregate
short_description: Task results with their seconds as JSON lines
description: Appends one JSON object per task result to the file that E(BENCH_RECORDS) names.
requirements:
  - enable in configuration
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """Append ``{host, task, seconds, has_failed, result}`` to the file named by ``BENCH_RECORDS``."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "timed"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._started: dict[tuple[str, str], float] = {}

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        self._started[host.get_name(), task._uuid] = time.perf_counter()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._record(result, has_failed=False)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._record(result, has_failed=True)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._record(result, has_failed=True)

    def _record(self, outcome: t.Any, *, has_failed: bool) -> None:
        host, task = outcome.host.get_name(), outcome.task
        seconds = time.perf_counter() - self._started[host, task._uuid]
        row = {"host": host, "task": task.get_name(), "seconds": seconds, "has_failed": has_failed}
        with Path(os.environ["BENCH_RECORDS"]).open("a", encoding="utf-8") as records:
            records.write(json.dumps({**row, "result": outcome.result}, default=str) + "\n")
