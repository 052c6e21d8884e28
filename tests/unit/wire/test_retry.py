# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retry policies: how long to wait, when to give up, and what Retry-After means."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.retry import (
    LONGEST_ASKED,
    LONGEST_BACKOFF,
    RetryPolicy,
    is_retryable,
    parse_retry_after,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_overload_and_server_faults_are_worth_another_try(status: int) -> None:
    assert is_retryable(status)


@pytest.mark.parametrize("status", [200, 202, 301, 307, 400, 401, 403, 404, 405, 416, 501])
def test_refusals_and_answers_are_final(status: int) -> None:
    assert not is_retryable(status)


def test_pauses_double_until_the_retries_are_used_up() -> None:
    policy = RetryPolicy(retries=3, delay=1.0)
    assert [policy.pause(failures, elapsed=0) for failures in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, None]


def test_no_retries_means_no_pause_at_all() -> None:
    assert RetryPolicy(retries=0).pause(1, elapsed=0) is None


def test_an_asked_pause_is_never_cut_short_and_spread_by_the_delay() -> None:
    policy = RetryPolicy(retries=1, delay=2.0)
    assert policy.pause(1, elapsed=0, asked=7.0, chance=0.0) == 7.0
    assert policy.pause(1, elapsed=0, asked=7.0, chance=1.0) == 9.0


def test_who_is_asked_to_wait_for_hours_gives_up_at_once() -> None:
    policy = RetryPolicy(retries=1)
    assert policy.pause(1, elapsed=0, asked=LONGEST_ASKED) is not None
    assert policy.pause(1, elapsed=0, asked=LONGEST_ASKED + 1) is None


def test_a_pause_that_would_end_after_the_deadline_is_not_taken() -> None:
    policy = RetryPolicy(retries=9, delay=1.0, deadline=10.0)
    assert policy.pause(1, elapsed=8.9) == 1.0
    assert policy.pause(1, elapsed=9.0) is None
    assert policy.pause(1, elapsed=0, asked=10.0, chance=0.0) is None


@given(failures=st.integers(1, 2000), chance=st.floats(0, 1), delay=st.floats(0, 1000))
def test_our_own_pauses_lie_between_half_and_all_of_the_backoff(failures: int, chance: float, delay: float) -> None:
    pause = RetryPolicy(retries=2000, delay=delay).pause(failures, elapsed=0, chance=chance)
    whole = RetryPolicy(retries=2000, delay=delay).pause(failures, elapsed=0)
    assert pause is not None
    assert whole is not None
    assert whole / 2 <= pause <= whole <= LONGEST_BACKOFF


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("120", 120.0), (" 7 ", 7.0), (None, None), ("", None), ("-3", None), ("soon", None), ("1.5", None)],
)
def test_retry_after_in_seconds_is_read_and_nonsense_is_nothing(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, now=NOW.timestamp()) == seconds


@given(ahead=st.integers(-(10**6), 10**6))
def test_retry_after_as_a_date_counts_from_now_and_is_never_negative(ahead: int) -> None:
    text = format_datetime(NOW + timedelta(seconds=ahead), usegmt=True)
    assert parse_retry_after(text, now=NOW.timestamp()) == max(0, ahead)


@given(text=st.text(max_size=40))
def test_no_retry_after_makes_trouble(text: str) -> None:
    seconds = parse_retry_after(text, now=0.0)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("zone", ["+99999999999999999999", "-9999", "+0099999"])
def test_a_date_with_an_impossible_zone_asks_for_nothing(zone: str) -> None:
    assert parse_retry_after(f"Sun, 01 Mar 2026 12:00:00 {zone}", now=NOW.timestamp()) is None
