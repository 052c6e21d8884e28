# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that tests run: asking for them, running them, and serving with them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MISSING = "missing engine:"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def require(*programs: str) -> None:
    """Skip the running test, with a reason that CI does not accept, unless every one of ``programs`` is installed."""
    absent = [program for program in programs if shutil.which(program, path=_PATH) is None]
    if absent:
        pytest.skip(f"{MISSING} {', '.join(absent)} not installed (make servers)")


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input_bytes: bytes = b"",
    timeout: float = 120,
) -> bytes:
    """Run ``command`` and return its standard output; raises ``AssertionError`` with all it printed when it fails."""
    finished = subprocess.run(
        [os.fspath(word) for word in command],
        env={**os.environ, "PATH": _PATH, **(environment or {})},
        cwd=cwd,
        input=input_bytes,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    if finished.returncode:
        story = (finished.stdout + finished.stderr).decode(errors="replace")
        raise AssertionError(f"{command!r} failed with exit status {finished.returncode}:\n{story}")
    return finished.stdout


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on now. Take it at once: another process may be quicker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Say whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serve(
    command: Sequence[str],
    *,
    log: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    patience: float = 60,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends: yields once ``is_ready()`` holds, then stops it by its own process handle.

    Both output streams go to ``log``. Raises ``AssertionError`` with the log when it ends early or is not ready in
    ``patience`` seconds.
    """
    with log.open("ab") as output:
        server = subprocess.Popen(
            list(command),
            env={**os.environ, "PATH": _PATH, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + patience
        while not is_ready():
            if server.poll() is not None or time.monotonic() > deadline:
                story = log.read_text(encoding="utf-8", errors="replace")[-4000:]
                raise AssertionError(f"{command!r} is not ready (exit status {server.poll()}):\n{story}")
            time.sleep(0.02)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
