# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs end, by themselves or by force, and what they said comes back."""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    NotFoundError,
    PeerError,
    UnavailableError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.wire.process import run

PATIENCE = 60.0


def test_output_errors_and_status_come_back() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=PATIENCE)
    assert (done.stdout, done.stderr, done.status) == (b"out\n", b"err\n", 3)


def test_a_signal_shows_as_a_negative_status() -> None:
    assert run(["sh", "-c", "kill -9 $$"], timeout=PATIENCE).status == -signal.SIGKILL


def test_input_longer_than_every_pipe_goes_through() -> None:
    data = os.urandom(3 << 20)
    assert run(["cat"], stdin=data, timeout=PATIENCE).stdout == data


def test_an_empty_piece_of_input_is_not_its_end() -> None:
    assert run(["cat"], stdin=iter([b"one ", b"", b"two"]), timeout=30).stdout == b"one two"


def test_a_program_may_ignore_its_input() -> None:
    assert run(["true"], stdin=bytes(1 << 20), timeout=PATIENCE).status == 0


def test_arguments_reach_the_program_without_a_shell() -> None:
    assert run(["printf", "%s", "$HOME; `id`"], timeout=PATIENCE).stdout == b"$HOME; `id`"


def test_the_given_environment_replaces_the_inherited_one() -> None:
    done = run(["env"], timeout=PATIENCE, env={"PATH": os.environ["PATH"], "ONLY": "this"})
    assert set(done.stdout.splitlines()) == {b"ONLY=this", f"PATH={os.environ['PATH']}".encode()}


def test_the_program_has_no_terminal_to_ask_on() -> None:
    done = run(
        [sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid() == os.getpgrp())"], timeout=PATIENCE
    )
    assert done.stdout == b"True\n"


def test_a_daemon_left_behind_does_not_hold_up_the_answer(tmp_path: Path) -> None:
    done = run(["sh", "-c", "sleep 600 & echo $!; exit 4"], timeout=PATIENCE)
    daemon = int(done.stdout)
    os.kill(daemon, signal.SIGKILL)  # raises if it had been stopped with its parent
    assert done.status == 4


def test_a_program_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $! > {pids}; echo $$ >> {pids}; wait"
    with pytest.raises(UnavailableError) as caught:
        run(["sh", "-c", script], timeout=1)
    assert caught.value.code == "program-timeout"
    assert caught.value.subject == "sh"
    ends = [_has_ended(int(pid)) for pid in pids.read_text().split()]
    assert ends == [True, True]


def test_too_much_output_ends_the_program() -> None:
    with pytest.raises(PeerError) as caught:
        run(["yes"], timeout=PATIENCE, output_limit=1 << 20)
    assert caught.value.code == "output-too-large"


def test_the_end_of_a_long_standard_error_is_kept() -> None:
    script = "import sys; sys.stderr.write('x' * 200000 + 'the end')"
    done = run([sys.executable, "-c", script], timeout=PATIENCE)
    assert done.stderr.endswith(b"xthe end")
    assert len(done.stderr) == 64 << 10


def test_a_missing_program_is_named() -> None:
    with pytest.raises(NotFoundError) as caught:
        run(["no-such-program-here", "secret"], timeout=PATIENCE)
    assert caught.value.code == "program-missing"
    assert "no-such-program-here" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    with pytest.raises(UnsupportedError) as caught:
        run([str(plain)], timeout=PATIENCE)
    assert caught.value.code == "program-not-runnable"
    assert caught.value.why == "Permission denied"


def _has_ended(pid: int) -> bool:
    """Wait for the end of ``pid``; a kill reaches a process a moment after it was sent."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    ended = bool(poll.poll(PATIENCE * 1000))
    os.close(descriptor)
    return ended
