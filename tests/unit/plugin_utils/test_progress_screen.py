# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines below a program's output, on a real terminal: they never mix with what the program writes itself."""

from __future__ import annotations

import os
import sys
import textwrap
import typing as t

from ansible_collections.fleet.images.plugins.plugin_utils import progress_screen
from ansible_collections.fleet.images.tests.support.terminal import on_terminal

if t.TYPE_CHECKING:
    from pathlib import Path

START = """
import os, sys, termios
from ansible_collections.fleet.images.plugins.plugin_utils.progress_screen import Screen

settings = termios.tcgetattr(0)
settings[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSANOW, settings)
given = sys.stdout, sys.stderr
screen = Screen()

def pause():
    sys.stdin.readline()

"""


def shown(folder: Path, program: str, *, columns: int = 80) -> list[list[str]]:
    """Return what stands on the terminal at each ``pause()`` of ``program``, and at its end."""
    collections = progress_screen.__file__.partition("/ansible_collections/")[0]
    text = START + textwrap.dedent(program).replace("pause()", 'os.write(1, b"\\a"); pause()')
    command = [sys.executable, "-c", text]
    environment = {**os.environ, "PYTHONPATH": collections}
    found: list[list[str]] = []
    with on_terminal(command, environment=environment, folder=folder, columns=columns) as terminal:
        while terminal.watch(lambda: terminal.written.count(b"\a") > len(found)):
            found.append(list(terminal.lines))
            terminal.type("\n")
        assert terminal.finish() == 0
        return [*found, terminal.lines]


def test_lines_stay_below_what_is_written_and_go_at_the_end(tmp_path: Path) -> None:
    first, second, third, last = shown(
        tmp_path,
        """
        print("one")
        screen.draw(["a 1", "b 1"])
        pause()
        print("two")
        print("three", file=sys.stderr)
        screen.draw(["a 2", "b 2"])
        pause()
        screen.draw(["a 3"])
        pause()
        screen.close()
        screen.close()
        assert (sys.stdout, sys.stderr) == given
        print("four")
        """,
    )
    assert first[:3] == ["one", "a 1", "b 1"]
    assert [line for line in second if line] == ["one", "two", "three", "a 2", "b 2"]
    assert [line for line in third if line] == ["one", "two", "three", "a 3"]
    assert [line for line in last if line] == ["one", "two", "three", "four"]


def test_nothing_is_drawn_behind_half_a_line(tmp_path: Path) -> None:
    first, last = shown(
        tmp_path,
        """
        screen.draw(["a 1"])
        sys.stdout.write("What is ")
        screen.draw(["a 2"])
        sys.stdout.write("your name? ")
        pause()
        sys.stdout.writelines(["none", "\\n"])
        screen.draw(["a 3"])
        screen.close()
        """,
    )
    assert first == ["What is your name? "]
    assert not [line for line in last if line.startswith("a ")]
    assert "What is your name? none" in last


def test_forks_write_as_ever(tmp_path: Path) -> None:
    (last,) = shown(
        tmp_path,
        """
        screen.draw(["a 1"])
        print("parent")
        if os.fork() == 0:
            screen._lock.acquire()
            print("child")
            sys.stdout.flush()
            os._exit(0)
        os.wait()
        screen.close()
        """,
    )
    assert [line for line in last if line] == ["parent", "child"]


def test_the_size_leaves_the_last_column_and_half_of_the_rows(tmp_path: Path) -> None:
    (last,) = shown(tmp_path, "print(screen.size)", columns=61)
    assert last[0] == "(60, 20)"


def test_a_terminal_that_is_gone_or_slow_stops_nobody(tmp_path: Path) -> None:
    (last,) = shown(
        tmp_path,
        """
        os.set_blocking(1, False)
        for number in range(400):
            screen.draw([f"{number} " + "x" * 70] * 20)
        screen.close()
        os.set_blocking(1, True)
        print("still here")
        sys.stdout.flush()
        os.close(1)
        screen.draw(["a 1"])
        screen.close()
        """,
    )
    assert [line for line in last if line] == ["still here"]
