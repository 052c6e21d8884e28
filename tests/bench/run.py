#!/usr/bin/env python3
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run rows of the benchmark in alternation with their peers; write build/bench.json and print the table."""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "build" / "collections"))

from ansible_collections.fleet.images.tests.bench.rows import ROWS, Row  # noqa: E402
from ansible_collections.fleet.images.tests.support.registry import start_registry  # noqa: E402


def measure(row: Row, *, pairs: int) -> dict[str, object]:
    """Return the figures of one row: medians in seconds; the ratio is the median of the pairs' ratios."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, start_registry(Path(name) / "registry") as registry:
        folder = Path(name) / "work"
        folder.mkdir()
        work = row.prepare(registry, folder)
        ours, theirs = [], []
        for turn in range(pairs + 1):
            figures = []
            for side in (work.ours, work.peer):
                work.start()
                figures.append(side())
            if turn:  # the first pair warms caches
                ours.append(figures[0])
                theirs.append(figures[1])
    return {
        "name": f"{row.number}: {row.name}",
        "ours": round(statistics.median(ours), 3),
        "peer": round(statistics.median(theirs), 3),
        "peer_name": row.peer_name,
        "ratio": round(statistics.median(peer / own for own, peer in zip(ours, theirs, strict=True)), 2),
        "unit": "s",
        "runs": pairs,
        "goal": row.goal,
        "spread": [round(min(ours), 3), round(max(ours), 3)],
    }


def main() -> int:
    """Measure what ROW names (all without), PAIRS times (5 without); 1 if a program is missing."""
    wanted = {int(number) for number in os.environ.get("ROW", "").replace(",", " ").split()}
    pairs = int(os.environ.get("PAIRS", "5"))
    missing = [name for name in ("docker-registry", "skopeo", "buildah") if shutil.which(name) is None]
    if missing:
        print(f"bench: missing {', '.join(missing)}; run make servers", file=sys.stderr)
        return 1
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}; medians of {pairs}")
    print(f"{'row':<50} {'ours':>8} {'peer':>8} {'ratio':>6} {'goal':>5}  peer")
    results = []
    for row in ROWS:
        if wanted and row.number not in wanted:
            continue
        result = measure(row, pairs=pairs)
        results.append(result)
        figures = f"{result['ours']:>7}s {result['peer']:>7}s {result['ratio']:>6} {result['goal']:>5}"
        print(f"{result['name']:<50} {figures}  {result['peer_name']}", flush=True)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bench.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
