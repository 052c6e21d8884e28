# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workers say arrives where the terminal is, unless it is nothing that a line can be made of."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.plugin_utils.progress_feed import (
    Progress,
    close_feed,
    is_open,
    open_feed,
    parse_progress,
    received,
    tell,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SAID = {"image": "app:1", "images": 3, "ready": 1, "fetched": 10, "total": 30, "at": 5.5}


@pytest.fixture
def feed() -> Iterator[None]:
    open_feed()
    yield
    close_feed()


def said(**other: t.Any) -> str:
    return json.dumps({**SAID, **other})


@pytest.mark.usefixtures("feed")
def test_what_a_fork_tells_arrives_in_its_order() -> None:
    child = os.fork()
    if child == 0:
        for number in (1, 2):
            tell("web1", said(fetched=number).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert [(progress.host, progress.fetched) for progress in received()] == [("web1", 1), ("web1", 2)]
    assert received() == []


@pytest.mark.usefixtures("feed")
def test_what_nobody_reads_is_lost_and_nobody_waits() -> None:
    for number in range(5000):
        tell("web1", said(fetched=number).encode())
    assert received()[0].fetched == 0


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("noise", [b"\xff" * 9000, b"[" * 9000, b'{"image":' * 1000, b"\0" * 9000])
def test_noise_of_one_host_hides_no_other(noise: bytes) -> None:
    tell("web1", noise)
    tell("x" * 100_000, said().encode())
    tell("web2", said().encode())
    assert [progress.host for progress in received()] == ["web2"]


def test_without_a_feed_nothing_is_said() -> None:
    assert not is_open()
    tell("web1", said().encode())
    assert received() == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no such file",
        "[]",
        "7",
        "null",
        "[" * 4000,
        said(image=7),
        said(total="9"),
        said(total=-1),
        said(total=None),
        said(at=float("nan")),
        said(at=float("inf")),
        said(fetched=1 << 70),
        '{"image": "app:1"}',
    ],
)
def test_what_is_no_progress_is_nothing(text: str) -> None:
    assert parse_progress("web1", text) is None


def test_no_word_of_a_host_moves_the_cursor() -> None:
    progress = parse_progress("we\x1b[2Jb", said(image="app\x1b[31m\n\r\x07:1\u202e"))
    assert progress is not None
    assert (progress.host + progress.image).isprintable()
    assert progress == Progress("we?[2Jb", "app?[31m???:1?", 3, 1, 10, 30, 5.5)
