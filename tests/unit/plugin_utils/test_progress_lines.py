# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines that tell how far hosts are: they fit, and are true."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.plugin_utils.progress_feed import Progress
from ansible_collections.fleet.images.plugins.plugin_utils.progress_lines import Track, lines
from hypothesis import given
from hypothesis import strategies as st

MIB = 1 << 20


def progress(at: float, fetched: int, *, host: str = "web1", total: int = 100 * MIB, image: str = "app:1") -> Progress:
    return Progress(host, image, 1, 0, fetched, total, at)


def track(*rows: Progress) -> Track:
    made = Track(rows[0])
    for row in rows[1:]:
        made.follow(row)
    return made


def test_a_line_has_the_image_its_bytes_the_rate_and_the_time_left() -> None:
    moving = track(progress(1, 10 * MIB), progress(3, 30 * MIB))
    (line,) = lines([moving], columns=120, rows=5)
    assert line == "web1  app:1  [######..............]    30.0 MiB of 100.0 MiB     10.0 MiB/s     0:07 left"


def test_rate_and_time_are_left_out_while_they_are_not_known() -> None:
    for known in (track(progress(1, 0)), track(progress(1, 5), progress(3, 5))):
        (line,) = lines([known], columns=120, rows=5)
        assert line.endswith("of 100.0 MiB")


def test_the_rate_is_that_of_the_last_seconds() -> None:
    slow_before = track(*(progress(second, MIB * second) for second in range(20)), progress(29, 200 * MIB))
    assert slow_before.rate == pytest.approx(181 * MIB / 10)


def test_another_task_begins_anew() -> None:
    again = track(progress(1, 90 * MIB), progress(2, MIB), progress(3, 2 * MIB))
    assert again.rate == MIB


def test_what_a_clock_says_that_stands_still_is_no_news() -> None:
    assert track(progress(2, 5), progress(2, 9), progress(1, 9)).last.fetched == 5


def test_of_several_images_the_number_is_told() -> None:
    (line,) = lines([Track(Progress("web1", "app:1", 4, 1, 0, MIB, 1))], columns=120, rows=5)
    assert "app:1 (2 of 4)" in line


def test_hosts_without_room_share_the_last_line() -> None:
    tracks = [Track(progress(1, number * MIB, host=f"web{number}")) for number in range(6)]
    told = lines(tracks, columns=100, rows=3)
    assert [line.split()[0] for line in told] == ["web0", "web1", "and"]
    assert told[2].startswith("and 4 more  14.0 MiB of 400.0 MiB")


def test_names_that_are_too_long_keep_both_ends() -> None:
    name = "registry.example.org/team/a-very-long-name/of-an-image/that-nobody-types:2026.11.21"
    (line,) = lines([Track(progress(1, 0, image=name))], columns=90, rows=3)
    assert line.split()[1].startswith("regis")
    assert ":2026.11.21" in line
    assert "…" in line


def test_hours_are_told() -> None:
    (line,) = lines([track(progress(1, 0, total=7300), progress(2, 1, total=7300))], columns=90, rows=3)
    assert line.endswith("2:01:39 left")


numbers = st.integers(min_value=0, max_value=1 << 50)
texts = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=200)
rows = st.builds(Progress, texts, texts, numbers, numbers, numbers, numbers, st.floats(0, 1e9))


@given(st.lists(st.lists(rows, min_size=1, max_size=4), max_size=12), st.integers(20, 200), st.integers(1, 20))
def test_lines_always_fit(told: list[list[Progress]], columns: int, height: int) -> None:
    made = lines([track(*host) for host in told], columns=columns, rows=height)
    assert len(made) == min(len(told), height)
    assert all(len(line) <= columns and line.isprintable() for line in made)
