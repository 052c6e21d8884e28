# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program on a terminal of its own: what it writes, and what somebody would see of it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class Terminal:
    """``written`` is what came so far, ``lines`` what stands on the screen; ``process`` is the program."""

    def __init__(self, process: subprocess.Popen[bytes], handle: int) -> None:
        self.process = process
        self.written = b""
        self.lines = [""]
        self._handle = handle
        self._row = 0
        self._column = 0
        self._rest = ""

    def watch(self, is_enough: Callable[[], bool], *, patience: float = 120.0) -> bool:
        """Read until ``is_enough()`` holds, which is asked whenever something came; return False at the program's end.

        Raises:
            TimeoutError: after ``patience`` seconds.
        """
        until = time.monotonic() + patience
        while not is_enough():
            if not select.select([self._handle], [], [], max(until - time.monotonic(), 0))[0]:
                raise TimeoutError(self.written.decode(errors="replace"))
            piece = b""
            with contextlib.suppress(OSError):  # how the end is told
                piece = os.read(self._handle, 65536)
            if not piece:
                return False
            self.written += piece
            self._show(piece.decode("utf-8", "replace"))
        return True

    def type(self, text: str) -> None:
        """Let the program read ``text``; a terminal also shows it."""
        os.write(self._handle, text.encode())

    def finish(self) -> int:
        """Read to the end; return the exit status."""
        self.watch(lambda: False)
        return self.process.wait(60)

    def _show(self, text: str) -> None:
        text = self._rest + text.replace("\a", "")
        cut = text.rfind("\x1b")
        is_whole = cut < 0 or re.match(r"\x1b\[[0-9;?]*[A-Za-z]", text[cut:]) is not None
        self._rest, text = ("", text) if is_whole else (text[cut:], text[:cut])
        for found in _SEQUENCE.finditer(text):
            self._take(found)

    def _take(self, found: re.Match[str]) -> None:
        whole, number, letter = found.group(0), found.group(1), found.group(2)
        if whole == "\r":
            self._column = 0
        elif whole == "\n":
            self._row += 1
            if self._row == len(self.lines):
                self.lines.append("")
        elif letter == "A":
            self._row = max(self._row - int(number or 1), 0)
        elif letter == "J":
            self.lines[self._row] = self.lines[self._row][: self._column]
            del self.lines[self._row + 1 :]
        elif letter is None:
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + whole + line[self._column + len(whole) :]
            self._column += len(whole)


_SIZE = ("COLUMNS", "LINES")  # they would go over what the terminal says


@contextlib.contextmanager
def on_terminal(
    command: Sequence[str | Path], *, environment: Mapping[str, str], folder: Path, columns: int = 120, rows: int = 40
) -> Iterator[Terminal]:
    """Run ``command`` with a terminal of that size; kill what is left of it at the end."""
    handle, end = pty.openpty()
    try:
        termios.tcsetwinsize(end, (rows, columns))
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env={**{name: value for name, value in environment.items() if name not in _SIZE}, "TERM": "xterm"},
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
        )
    finally:
        os.close(end)
    try:
        yield Terminal(process, handle)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(handle)
