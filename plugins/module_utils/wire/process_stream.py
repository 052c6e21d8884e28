# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a program prints, read as a stream: it may be larger than memory."""

from __future__ import annotations

import contextlib
import os
import select
import tempfile
import typing as t

from .process import kill_group, start, too_slow

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model.errors import ImagesError

_STDERR_READ_BYTES = 64 << 10


class ProcessStream:
    """Implements ReadStream over the standard output of ``argv``, which gets no input.

    A program that fails is told at the end of what it printed: only then is it known whether that was all.
    """

    def __init__(
        self, argv: Sequence[str], *, timeout: float, failure: Callable[[bytes], ImagesError]
    ) -> None:
        """Start the program; ``timeout`` is in seconds of silence, ``failure`` makes an error of what it complained.

        Raises:
            NotFoundError: ``program-missing``.
            UnsupportedError: ``program-not-runnable``.
        """
        self._program, self._timeout, self._failure = argv[0], timeout, failure
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        try:
            self._process = start(argv, stderr=self._complaints)
        except BaseException:
            self._complaints.close()
            raise
        if self._process.stdin is not None:
            self._process.stdin.close()

    def read(self, size: int, /) -> bytes:
        """See ReadStream.

        Raises:
            UnavailableError: ``program-timeout``: it printed nothing, or did not end, for too long.
            ImagesError: it failed.
        """
        output = self._process.stdout
        if output is None or output.closed:
            return b""
        poll = select.poll()
        poll.register(output, select.POLLIN)
        if not poll.poll(self._timeout * 1000):
            self.close()
            raise too_slow(self._program, self._timeout)
        piece = os.read(output.fileno(), size)
        if not piece and self._await_end():
            self._complaints.seek(0)
            raise self._failure(self._complaints.read(_STDERR_READ_BYTES))
        return piece

    def _await_end(self) -> int:
        import subprocess

        try:
            return self._process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            self.close()
            raise too_slow(self._program, self._timeout) from None

    def close(self) -> None:
        """See ReadStream. A program that still runs is ended."""
        if self._process.stdout is not None:
            self._process.stdout.close()
        with contextlib.suppress(ProcessLookupError):
            if self._process.poll() is None:
                kill_group(self._process)
        self._complaints.close()
