# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts are asked how far they are only while somebody watches, and whatever becomes of that harms no task."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import threading
import typing as t
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.fleet.images.plugins.plugin_utils import progress_asking
from ansible_collections.fleet.images.plugins.plugin_utils.progress_asking import asked
from ansible_collections.fleet.images.plugins.plugin_utils.progress_feed import close_feed, open_feed, received

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VARIABLE = "FLEET_IMAGES_PROGRESS_FILE"
SAID = {"image": "app:1", "images": 1, "ready": 0, "fetched": 10, "total": 30, "at": 5.5}


class Connection:
    """Runs commands in a real shell of this machine."""

    def __init__(self) -> None:
        self._shell = SimpleNamespace(tmpdir=None)
        self.commands: list[str] = []
        self.failure: Exception | None = None

    def exec_command(self, command: str, *, sudoable: bool) -> tuple[int, bytes, bytes]:
        """Run ``command`` as a connection does."""
        assert not sudoable
        self.commands.append(command)
        if self.failure is not None:
            raise self.failure
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr


class Action:
    """What an action plugin of Ansible has."""

    def __init__(self, folder: Path, *, become_user: str = "") -> None:
        self._task = SimpleNamespace(async_val=0, check_mode=False, environment=[{"GIVEN": "1"}])
        self._connection = Connection()
        self._folder = folder
        self._become_user = become_user

    def _make_tmp_path(self) -> None:
        (self._folder / "tmp").mkdir(mode=0o700)
        self._connection._shell.tmpdir = str(self._folder / "tmp")

    def _is_become_unprivileged(self) -> bool:
        return bool(self._become_user)

    def get_become_option(self, name: str) -> str:
        return {"become_user": self._become_user}[name]

    def _low_level_execute_command(self, command: str, *, sudoable: bool) -> dict[str, t.Any]:
        return {"rc": self._connection.exec_command(command, sudoable=sudoable)[0]}

    def path(self) -> str:
        """Return where its module is to write, "" for nowhere."""
        return str({name: value for row in self._task.environment for name, value in row.items()}.get(VARIABLE, ""))


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(progress_asking, "_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(progress_asking, "_REST", 0)
    open_feed()
    yield
    close_feed()


def come(condition: Callable[[], object]) -> object:
    """Return what ``condition`` returns as soon as that is true."""
    while not (found := condition()):
        threading.Event().wait(0.01)
    return found


def test_without_a_feed_nothing_is_done(tmp_path: Path) -> None:
    action = Action(tmp_path)
    with asked(action, "web1"):
        assert action.path() == ""
    assert (action._connection.commands, list(tmp_path.iterdir())) == ([], [])


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize(("name", "value"), [("async_val", 30), ("check_mode", True)])
def test_what_pulls_nothing_now_is_not_asked(tmp_path: Path, name: str, value: object) -> None:
    action = Action(tmp_path)
    setattr(action._task, name, value)
    with asked(action, "web1"):
        assert action.path() == ""


@pytest.mark.usefixtures("feed")
def test_what_the_module_writes_is_told_while_it_runs(tmp_path: Path) -> None:
    action = Action(tmp_path)
    with asked(action, "web1"):
        come(lambda: action._connection.commands)  # before there is anything
        with open(action.path(), "w", encoding="utf-8") as file:
            json.dump(SAID, file)
        (progress, *_more) = t.cast("list[t.Any]", come(received))
    assert (progress.host, progress.fetched) == ("web1", 10)
    assert action._task.environment == [{"GIVEN": "1"}]


@pytest.mark.usefixtures("feed")
@pytest.mark.parametrize("failure", [AnsibleConnectionFailure("gone"), OSError("gone")])
def test_a_host_that_cannot_be_asked_is_asked_once(tmp_path: Path, failure: Exception) -> None:
    action = Action(tmp_path)
    action._connection.failure = failure
    with asked(action, "web1"):
        come(lambda: action._connection.commands)
    assert (len(action._connection.commands), received()) == (1, [])


@pytest.mark.usefixtures("feed")
def test_a_failure_of_the_module_comes_through(tmp_path: Path) -> None:
    action = Action(tmp_path)
    with pytest.raises(ZeroDivisionError), asked(action, "web1"):
        raise ZeroDivisionError
    assert action._task.environment == [{"GIVEN": "1"}]


@pytest.mark.usefixtures("feed")
def test_a_host_without_a_place_for_files_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Action) -> None:
        raise AnsibleConnectionFailure("the disk is full")

    monkeypatch.setattr(Action, "_make_tmp_path", fail)
    action = Action(tmp_path)
    with asked(action, "web1"):
        assert action.path() == ""
    assert action._connection.commands == []


@pytest.mark.usefixtures("feed")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user here")
def test_another_user_may_write_and_nobody_else(tmp_path: Path) -> None:
    action = Action(tmp_path, become_user="nobody")
    with asked(action, "web1"):
        place = os.path.dirname(action.path())
        assert os.stat(place).st_mode & 0o007 == 0
        user = pwd.getpwnam("nobody").pw_uid
        if os.stat(place).st_uid != user:
            lists = subprocess.run(["getfacl", "-cpn", place], capture_output=True, check=True).stdout
            assert f"user:{user}:rwx" in lists.decode()


@pytest.mark.usefixtures("feed")
def test_a_user_who_cannot_be_let_in_is_not_asked(tmp_path: Path) -> None:
    action = Action(tmp_path, become_user="there is no such user; exit 0")
    with asked(action, "web1"):
        assert action.path() == ""
