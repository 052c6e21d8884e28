# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines are for people who look at a terminal: everything else keeps the normal output, and costs nothing."""

from __future__ import annotations

import pty
import typing as t
from types import SimpleNamespace

import pytest
from ansible import constants as C  # noqa: N812 (Ansible's own habit)
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.fleet.images.plugins.callback.progress import CallbackModule
from ansible_collections.fleet.images.plugins.plugin_utils.progress_feed import is_open

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class Case:
    """A callback that stands before a task of image_state, on a terminal that somebody looks at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, output: t.TextIO) -> None:
        self.patch = monkeypatch
        self.output = output
        self.callback = CallbackModule()
        self.options = {"enabled": True}
        monkeypatch.setattr(self.callback, "get_option", self.options.__getitem__)  # Ansible's loader would read them

    def starts(self, action: str = "fleet.images.image_state") -> bool:
        """Whether it follows a task with that action."""
        with self.patch.context() as patch:
            patch.setattr("sys.stdout", self.output)
            self.callback.v2_playbook_on_task_start(SimpleNamespace(action=action), is_conditional=False)
            has_started = is_open()
            self.callback.v2_playbook_on_stats(None)
        return has_started


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    reading, writing = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "AWX_ISOLATED_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict())
    monkeypatch.setattr(C, "DEFAULT_STDOUT_CALLBACK", "ansible.builtin.default")
    with open(writing, "w") as terminal, open(reading, "rb"):
        yield Case(monkeypatch, terminal)


@pytest.mark.parametrize("action", ["fleet.images.image_state", "fleet.images.image_pull", "image_state", "image_pull"])
def test_tasks_that_pull_are_followed(case: Case, action: str) -> None:
    assert case.starts(action)
    assert not is_open()


def test_the_next_playbook_of_the_command_line_is_followed_too(case: Case) -> None:
    assert case.starts()
    assert case.starts()


@pytest.mark.parametrize("action", ["ansible.builtin.command", "fleet.images.image_info", "example.other.image"])
def test_other_tasks_are_not_followed(case: Case, action: str) -> None:
    assert not case.starts(action)


def test_it_can_be_turned_off(case: Case) -> None:
    case.options["enabled"] = False
    assert not case.starts()


@pytest.mark.parametrize(
    ("name", "value"), [("CI", "true"), ("TERM", "dumb"), ("TERM", None), ("AWX_ISOLATED_DATA_DIR", "/runner")]
)
def test_a_terminal_that_nobody_looks_at_shows_nothing(case: Case, name: str, value: str | None) -> None:
    if value is None:
        case.patch.delenv(name)
    else:
        case.patch.setenv(name, value)
    assert not case.starts()


@pytest.mark.parametrize("output", ["json", "ansible.posix.jsonl", "oneline", "null", "awx_display", "dense"])
def test_an_output_for_programs_shows_nothing(case: Case, output: str) -> None:
    case.patch.setattr(C, "DEFAULT_STDOUT_CALLBACK", output)
    assert not case.starts()


def test_one_line_for_each_host_is_an_output_for_programs(case: Case) -> None:
    case.patch.setattr(context, "CLIARGS", ImmutableDict(one_line=True))
    assert not case.starts()


def test_what_is_no_terminal_shows_nothing(case: Case, tmp_path: t.Any) -> None:
    with (tmp_path / "output").open("w") as output:
        case.output = output
        assert not case.starts()
