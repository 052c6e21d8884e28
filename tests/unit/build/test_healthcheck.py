# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HEALTHCHECK: Go's durations, and what a config says of them."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.healthcheck import (
    healthcheck_json,
    healthcheck_mistakes,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("30s", 30 * 10**9),
        ("1m30s", 90 * 10**9),
        ("1.5h", 5400 * 10**9),
        ("500ms", 5 * 10**8),
        ("1us", 1000),
        ("0s", 0),
        ("", None),
        ("5", None),
        ("5 s", None),
        ("-5s", None),
        ("5sx", None),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, nanoseconds: int | None) -> None:
    assert parse_duration(text) == nanoseconds


def test_a_check_is_a_command_or_a_shell_line_with_its_times() -> None:
    flags = {"interval": "5s", "timeout": "1m", "start-period": "2s", "start-interval": "1s", "retries": "3"}
    assert healthcheck_json(flags, ("CMD", "a", "b"), is_json=True) == {
        "Test": ["CMD", "a", "b"],
        "Interval": 5 * 10**9,
        "Timeout": 60 * 10**9,
        "StartPeriod": 2 * 10**9,
        "StartInterval": 10**9,
        "Retries": 3,
    }
    assert healthcheck_json({}, ("CMD", "a b"), is_json=False) == {"Test": ["CMD-SHELL", "a b"]}
    assert healthcheck_json({}, ("NONE",), is_json=False) == {"Test": ["NONE"]}


def test_every_mistake_is_told() -> None:
    assert len(healthcheck_mistakes({"interval": "1us", "timeout": "x", "retries": "-1"}, ("FOO",))) == 4
    assert healthcheck_mistakes({"interval": "0s"}, ("CMD", "x")) == []
