#!/usr/bin/env python3
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run rows of the benchmark in alternation with their peers; write build/bench.json and print the table.

ROW=7 (or ROW=7,8) runs these alone. PAIRS is how many rounds are counted, 5 without it, fewer where a peer is slow. A
run of all rows also writes the table of docs/benchmarks.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from contextlib import ExitStack
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "build" / "collections"))

from ansible_collections.fleet.images.tests.bench import (  # noqa: E402
    rows_builds,
    rows_fleet,
    rows_plan,
    rows_plays,
    rows_transfer,
    table,
)
from ansible_collections.fleet.images.tests.bench.contest import Row, compare, compete  # noqa: E402
from ansible_collections.fleet.images.tests.bench.place import Place  # noqa: E402

ROWS: list[Row] = sorted(
    [*rows_plays.ROWS, *rows_transfer.ROWS, *rows_builds.ROWS, *rows_plan.ROWS, *rows_fleet.ROWS],
    key=lambda row: row.lines[0].number,
)


def measure(row: Row, *, rounds: int, sources: Path) -> list[dict[str, t.Any]]:
    """Return the entries of a row, or one for each line that says why it could not run here."""
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
            contest = row.prepare(Place(Path(name), stack, sources=sources))
            figures = compete(contest, rounds=rounds)
            entries = [compare(line, figures) for line in row.lines]
            if remark := contest.remark():
                entries[-1]["remark"] = remark
            return entries
    except pytest.skip.Exception as error:
        reason = str(error)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        reason = f"{type(error).__name__}: {error}"
    names = {f"{line.number}: {line.name}": line.peer_name for line in row.lines}
    return [{"name": name, "peer_name": peer, "not_run": reason} for name, peer in names.items()]


def main() -> int:
    """Measure what ROW names (all without); 1 if a row could not run."""
    started = time.monotonic()
    wanted = {int(number) for number in os.environ.get("ROW", "").replace(",", " ").split()}
    pairs = int(os.environ.get("PAIRS", "0"))
    print("\n".join(table.HEADER), flush=True)
    entries = []
    with tempfile.TemporaryDirectory(prefix="bench-") as sources:
        for row in ROWS:
            if wanted and not wanted & {line.number for line in row.lines}:
                continue
            for entry in measure(row, rounds=pairs or row.rounds, sources=Path(sources)):
                entries.append(entry)
                print(table.line(entry), flush=True)
    machine = [*table.machine(), f"all of it took {(time.monotonic() - started) / 60:.0f} minutes"]
    print("\n" + "\n".join(machine))
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    if not wanted and not pairs:
        table.write(ROOT / "docs" / "benchmarks.md", entries, machine)
    return int(any("not_run" in entry for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
