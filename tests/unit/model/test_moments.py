# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments: dates with and without a time and a zone, ages, and seconds."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.moments import moment_of, parse_until
from hypothesis import given
from hypothesis import strategies as st

NOON = 1769860800.0  # 2026-01-31T12:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-31", NOON - 12 * 3600),
        ("2026-01-31T12:00", NOON),
        ("2026-01-31 12:00:00", NOON),
        ("2026-01-31T12:00:00Z", NOON),
        ("2026-01-31T12:00:00.25z", NOON + 0.25),
        ("2026-01-31T13:30:00+01:30", NOON),
        ("2026-01-31T08:30:00-0330", NOON),
        ("2026-01-31T12:00:00.123456789Z", NOON + 0.123456789),
        ("2016-12-31T23:59:60Z", 1483228800.0),
        ("0001-01-01T00:00:00Z", -62135596800.0),
    ],
)
def test_a_moment_is_seconds_since_1970(text: str, seconds: float) -> None:
    assert moment_of(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-13-01", "2026-02-30", "2026-01-31T25:00:00Z", "12:00", "24h"),
        *("2026-01-31T12:60:00Z", "2026-01-31T12:00:61Z", "2026-01-31T12:00:00+24:00", "2026-01-31T12:00:00+01:60"),
    ],
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment_of(text) is None


@given(st.datetimes(timezones=st.just(datetime.timezone.utc)))
def test_every_time_that_python_writes_is_read_as_it_is(moment: datetime.datetime) -> None:
    assert moment_of(moment.isoformat()) == pytest.approx(moment.timestamp(), abs=1e-3)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24h", NOON - 86400),
        ("1h30m", NOON - 5400),
        ("7d", NOON - 7 * 86400),
        ("2w1d", NOON - 15 * 86400),
        ("1.5h", NOON - 5400),
        ("500ms", NOON - 0.5),
        ("10m0s", NOON - 600),
        ("1700000000", 1700000000.0),
        ("1700000000.5", 1700000000.5),
        ("2026-01-31", NOON - 12 * 3600),
    ],
)
def test_until_is_an_age_a_moment_or_seconds(text: str, seconds: float) -> None:
    assert parse_until(text, lambda: NOON) == seconds


@pytest.mark.parametrize("text", ["soon", "", "-1h", "7 days", "h", "1y"])
def test_what_until_cannot_mean_is_told_with_a_form_that_it_can(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_until(text, lambda: NOON)
    assert caught.value.code == "bad-until"
    assert "24h" in caught.value.fix
