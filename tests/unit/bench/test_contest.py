# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sides take turns from the same start, figures are what they say, and work left undone is no figure."""

from __future__ import annotations

import statistics
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.bench import table
from ansible_collections.fleet.images.tests.bench.contest import (
    Contest,
    Line,
    WorkUndoneError,
    compare,
    compete,
    expect,
)
from ansible_collections.fleet.images.tests.bench.place import PeakMeter
from ansible_collections.fleet.images.tests.bench.shapes import write_large
from ansible_collections.fleet.images.tests.support import skopeo

LINE = Line(7, "a pull", "skopeo", 1.05)


def told(**figures: list[float]) -> dict[str, t.Any]:
    return compare(LINE, figures)


def test_sides_take_turns_forwards_and_backwards_from_the_start_and_the_first_round_does_not_count() -> None:
    order: list[str] = []
    ours, theirs = iter(range(100, 200)), iter(range(200, 300))

    def our_side() -> dict[str, float]:
        order.append("ours")
        return {"ours": next(ours)}

    def their_side() -> dict[str, float]:
        order.append("peer")
        return {"peer": next(theirs)}

    figures = compete(Contest([our_side, their_side], start=lambda: order.append("start")), rounds=2)
    forwards = ["start", "ours", "start", "peer"]
    assert order == [*forwards, *forwards, "start", "peer", "start", "ours"]
    assert figures == {"ours": [101, 102], "peer": [201, 202]}


def test_a_side_that_repeats_counts_with_its_median() -> None:
    runs = iter([9.0, 1.0, 5.0])

    def ours() -> dict[str, float]:
        return {"ours": next(runs)}

    assert compete(Contest([ours], repeats={ours: 3}, warm=lambda: None), rounds=1) == {"ours": [5.0]}


def test_the_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    entry = told(ours=[1.0, 2.0, 10.0], peer=[2.0, 6.0, 10.0])
    assert (entry["ours"], entry["peer"], entry["ratio"]) == (2.0, 6.0, statistics.median([2.0, 3.0, 1.0]))
    assert (entry["spread"], entry["peer_spread"], entry["runs"]) == ([1.0, 10.0], [2.0, 10.0], 3)
    assert entry["name"] == "7: a pull"


def test_a_line_of_the_terminal_says_when_a_goal_is_missed_or_a_peer_cannot_run() -> None:
    assert "BELOW" in table.line(told(ours=[1.0], peer=[1.04]))
    assert "BELOW" not in table.line(told(ours=[1.0], peer=[1.05]))
    assert table.line({"name": "7: a pull", "not_run": "no skopeo"}).endswith("not run: no skopeo")


def test_work_left_undone_is_an_error() -> None:
    expect("nothing", holds=True)
    with pytest.raises(WorkUndoneError, match="the blob is there"):
        expect("the blob is there", holds=False)


def test_the_page_keeps_its_text_and_gets_the_new_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin: written by make bench -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")
    met, missed = told(ours=[1.0], peer=[2.0]), told(ours=[1.0], peer=[0.5])
    table.write(page, [met, missed, {"name": "8: x", "peer_name": "y", "not_run": "no y"}], ["a machine"])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| 7 | a pull | skopeo | 1 s | 2 s | **2** | 1.05 | 1 |" in text
    assert "| 0.5 | 1.05 | 1 |" in text
    assert "| 8 | x | y | not run: no y |" in text and "- a machine" in text
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="marks"):
        table.write(page, [met], [])


def test_the_peak_is_that_of_the_process_not_of_whoever_measures(tmp_path: Path) -> None:
    meter, ballast = PeakMeter(tmp_path / "meter"), b"x" * (64 << 20)
    words = ["python3", "-ISc", "import sys; held = bytearray(int(sys.argv[1]) << 20)"]
    small, large = meter.of([*words, "0"]), meter.of([*words, "100"])
    assert len(ballast) > small * (1 << 20)
    assert 95 < large - small < 110


def test_a_large_image_is_one_that_others_read(tmp_path: Path) -> None:
    digest = write_large(tmp_path / "layout", layers=2, size=3 << 20)
    assert skopeo.manifest_digest(f"oci:{tmp_path}/layout:1") == digest
    skopeo.copy(f"oci:{tmp_path}/layout:1", f"dir:{tmp_path}/copy")
    assert len(skopeo.image_config(f"dir:{tmp_path}/copy")["rootfs"]["diff_ids"]) == 2
    assert (
        skopeo.umoci_unpack(tmp_path / "layout", "1", tmp_path / "bundle").joinpath("noise-1").stat().st_size == 3 << 20
    )
