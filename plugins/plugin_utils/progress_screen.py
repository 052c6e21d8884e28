# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines below a run's own output that are drawn over and over, and gone whenever anything else is written."""

from __future__ import annotations

import os
import select
import shutil
import sys
import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence


class Screen:
    """The last lines of the terminal that standard output is. One process only: forks write past it. Thread-safe.

    While lines are there, standard output and error are replaced by what takes them away before each other text. They
    are only drawn while the cursor is at the start of a line.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._handle = sys.stdout.fileno()
        self._lock = threading.RLock()  # a signal may come while it is held, and what it says is written
        self._drawn: Sequence[str] = ()
        self._writing = 0
        self._is_at_start = True
        self._given: tuple[t.TextIO, t.TextIO] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows that lines may take: the last column wraps in some terminals, and the rest is the run's."""
        columns, rows = shutil.get_terminal_size()
        return max(columns - 1, 20), max(rows // 2, 1)

    def draw(self, lines: Sequence[str]) -> None:
        """Show ``lines``, which fit in ``size``, in place of those that were there."""
        with self._lock:
            if self._given is None:
                self._given = (sys.stdout, sys.stderr)
                sys.stdout, sys.stderr = (self._passing(stream) for stream in self._given)
            if self._writing or not self._is_at_start or lines == self._drawn:
                return
            self._write(self._erasure() + "\r\n".join(lines))
            self._drawn = lines

    def close(self) -> None:
        """Take the lines away, and give standard output and error back. Idempotent."""
        with self._lock:
            self._erase()
            if self._given is not None:
                sys.stdout, sys.stderr = self._given
                self._given = None

    def write(self, stream: t.TextIO, text: str) -> int:
        """Write ``text`` to the terminal as ``stream`` does, after the lines went."""
        if os.getpid() != self._process:
            return stream.write(text)
        with self._lock:
            self._writing += 1
            self._erase()
        try:
            # Not under the lock: Ansible's own lock is taken here, and whoever has it may be waiting for ours.
            count = stream.write(text)
            stream.flush()
        finally:
            with self._lock:
                self._writing -= 1
                self._is_at_start = text.endswith("\n") if text else self._is_at_start
        return count

    def _passing(self, stream: t.TextIO) -> t.TextIO:
        return t.cast("t.TextIO", _Passing(stream, self)) if stream.isatty() else stream

    def _erase(self) -> None:
        if self._drawn:
            self._write(self._erasure())
            self._drawn = ()

    def _erasure(self) -> str:
        up = f"\x1b[{len(self._drawn) - 1}A" if len(self._drawn) > 1 else ""
        return f"\r{up}\x1b[J" if self._drawn else ""

    def _write(self, text: str) -> None:
        # Past the buffers of standard output: their locks may be held by a thread that a fork leaves behind.
        rest = text.encode("utf-8", "replace")
        while rest:
            try:
                rest = rest[os.write(self._handle, rest) :]
            except BlockingIOError:  # other programs on the terminal may have set it so
                select.select([], [self._handle], [])
            except OSError:  # it is gone; the run goes on
                return


class _Passing:
    """Implements what TextIO does, by another one."""

    def __init__(self, stream: t.TextIO, screen: Screen) -> None:
        self._stream = stream
        self._screen = screen

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write ``text``; lines that are drawn go first."""
        return self._screen.write(self._stream, text)

    def writelines(self, texts: t.Iterable[str]) -> None:
        """Write each of ``texts``."""
        for text in texts:
            self.write(text)
