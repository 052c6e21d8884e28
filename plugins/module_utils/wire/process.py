# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs on the host, run without a shell, bounded in time and output."""

from __future__ import annotations

import os
import typing as t

from ..model.errors import NotFoundError, PeerError, UnavailableError, UnsupportedError

if t.TYPE_CHECKING:
    import selectors
    import subprocess
    from collections.abc import Iterable, Iterator, Mapping, Sequence

OUTPUT_LIMIT_BYTES = 32 << 20

_STDERR_KEPT_BYTES = 64 << 10
_CHUNK_BYTES = 64 << 10
_LOOK_SECONDS = 0.1  # how soon the end of a program is seen when a daemon it left behind keeps its pipes open


class Completed(t.NamedTuple):
    """How a program ended: all of its standard output, the end of its standard error, exit status (-N: signal N)."""

    stdout: bytes
    stderr: bytes
    status: int


def run(
    argv: Sequence[str],
    *,
    stdin: bytes | Iterable[bytes] = b"",
    timeout: float,
    env: Mapping[str, str] | None = None,
    output_limit: int = OUTPUT_LIMIT_BYTES,
) -> Completed:
    """Run ``argv`` to its end in a process group of its own and return what it said; any exit status is an answer.

    Secrets go through ``stdin`` only: arguments and the environment can be read by others on the host. Pieces of
    ``stdin`` are asked for one by one, as the program takes them. ``env`` replaces the environment of this process
    (None: inherit). ``timeout`` is in seconds; whatever makes this function raise also
    kills the whole group. Of standard error the last 64 KiB are kept.

    Raises:
        ImagesError: what asking for a piece of ``stdin`` raises.
        NotFoundError: ``program-missing``: there is no such program on PATH.
        UnsupportedError: ``program-not-runnable``: the system refuses to start it.
        UnavailableError: ``program-timeout``: it did not end in time.
        PeerError: ``output-too-large``: standard output is longer than ``output_limit`` bytes.
    """
    import subprocess
    import time

    deadline = time.monotonic() + timeout
    process = start(argv, env=env)
    pieces = filter(None, [stdin] if isinstance(stdin, bytes) else stdin)  # an empty piece would be taken for the end
    has_ended = False
    try:
        stdout, stderr = _exchange(process, pieces, deadline=deadline, output_limit=output_limit)
        status = process.wait(max(0.0, deadline - time.monotonic()))
        has_ended = True
    except (TimeoutError, subprocess.TimeoutExpired):
        raise too_slow(argv[0], timeout) from None
    finally:
        if not has_ended:
            kill_group(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    return Completed(stdout, stderr, status)


def start(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, stderr: t.IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start ``argv`` in a process group of its own, with pipes; ``stderr`` is a file to take its errors instead.

    The caller ends it (``kill_group``) and closes its pipes.

    Raises:
        NotFoundError: ``program-missing``.
        UnsupportedError: ``program-not-runnable``.
    """
    import subprocess

    program = argv[0]
    pipe = subprocess.PIPE
    try:
        # run_command of AnsibleModule knows no process group, no bound on output, and needs the module down here.
        return subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdin=pipe, stdout=pipe, stderr=stderr or pipe, env=env, start_new_session=True, bufsize=0
        )
    except FileNotFoundError as error:
        raise NotFoundError(
            f"The program {program} is not installed on the host",
            code="program-missing",
            why="it is not on PATH" if "/" not in program else "",
            fix=f"Install {program}, or make PATH of the task name its folder",
            subject=program,
        ) from error
    except OSError as error:
        raise UnsupportedError(
            f"The program {program} cannot be started",
            code="program-not-runnable",
            why=error.strerror or type(error).__name__,
            fix="Check that it is executable for the user the task runs as and built for this machine",
            subject=program,
        ) from error


def _exchange(
    process: subprocess.Popen[bytes], stdin: Iterator[bytes], *, deadline: float, output_limit: int
) -> tuple[bytes, bytes]:
    """Feed and read ``process`` until its output ends, or until it has ended itself and nothing is left to read."""
    import selectors
    import time

    stdout, stderr, rest = bytearray(), bytearray(), memoryview(b"")
    with selectors.DefaultSelector() as selector:
        _register(selector, process)
        while selector.get_map():
            has_ended = process.poll() is not None
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            ready = selector.select(0 if has_ended else min(left, _LOOK_SECONDS))
            if has_ended and not ready:
                break
            for key, _events in ready:
                if key.fileobj is process.stdin:
                    written = _write(key.fd, rest) if rest else 0
                    rest = rest[written:] or memoryview(next(stdin, b"")) if written is not None else memoryview(b"")
                    is_over = not rest
                else:
                    chunk = os.read(key.fd, _CHUNK_BYTES)
                    (stdout if key.fileobj is process.stdout else stderr).extend(chunk)
                    is_over = not chunk
                if is_over:
                    selector.unregister(key.fileobj)
                    t.cast("t.IO[bytes]", key.fileobj).close()
            del stderr[:-_STDERR_KEPT_BYTES]
            if len(stdout) > output_limit:
                raise _too_large(str(t.cast("Sequence[str]", process.args)[0]), output_limit)
    return bytes(stdout), bytes(stderr)


def _register(selector: selectors.BaseSelector, process: subprocess.Popen[bytes]) -> None:
    import selectors

    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_WRITE if pipe is process.stdin else selectors.EVENT_READ)


def _write(descriptor: int, rest: memoryview) -> int | None:
    """Write what fits now and return how much; None: the program does not want its input, and gets none of the rest."""
    try:
        return os.write(descriptor, rest[:_CHUNK_BYTES])
    except BrokenPipeError:
        return None


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End ``process`` and all that it started, at once, and wait for it."""
    import contextlib
    import signal

    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def too_slow(program: str, seconds: float) -> UnavailableError:
    """Return the error for a program that did not end, or said nothing, for so long."""
    return UnavailableError(
        f"The program {program} did not end in time",
        code="program-timeout",
        why=f"stopped after {seconds:g} s",
        fix="Raise timeout, or run it by hand on the host to see what it waits for",
        subject=program,
    )


def _too_large(program: str, limit: int) -> PeerError:
    return PeerError(
        f"The program {program} said more than expected",
        code="output-too-large",
        why=f"its output is longer than {limit} bytes",
        fix="Run it by hand on the host and look at its output",
        subject=program,
    )
