# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real helper programs, well-behaved and broken ones."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.credential_helpers import ask_helper

GOOD = '{"ServerURL": "quay.io", "Username": "alice", "Secret": "hunter2"}'


def environ_with(folder: Path, script: str, *, name: str = "test") -> dict[str, str]:
    """Install a helper that runs ``script`` into ``folder``; return an environment that finds it."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}


def test_a_helper_is_asked_for_the_server_on_standard_input(tmp_path: Path) -> None:
    script = f'test "$1" = get || exit 9\ncat > {tmp_path}/asked\necho {shlex.quote(GOOD)}'
    notes: list[str] = []
    login = ask_helper("test", "quay.io", note=notes.append, environ=environ_with(tmp_path, script))
    assert login == ("alice", "hunter2", "")
    assert (tmp_path / "asked").read_text() == "quay.io"
    assert notes == ["docker-credential-test for quay.io"]


def test_the_user_name_token_marks_an_identity_token(tmp_path: Path) -> None:
    environ = environ_with(tmp_path, f"echo {shlex.quote(GOOD.replace('alice', '<token>'))}")
    assert ask_helper("test", "quay.io", note=print, environ=environ) == ("", "", "hunter2")


@pytest.mark.parametrize(
    ("script", "noted"),
    [
        (
            "echo credentials not found in native keychain; exit 1",
            "exit status 1: credentials not found in native keychain",
        ),
        ("echo broken >&2; exit 2", "exit status 2: broken"),
        (f"echo {shlex.quote(GOOD)}; exit 1", "(exit status 1)"),
        ("echo no json hunter2", "its answer is malformed"),
        ("echo '[\"hunter2\"]'", "its answer is malformed"),
        ('echo \'{"Username": "alice", "Secret": 7}\'', "its answer is malformed"),
        ("printf '[%.0s' $(seq 20000)", "its answer is malformed"),
        ("sleep 600", "did not end in time"),
    ],
)
def test_a_helper_without_an_answer_is_noted_and_never_an_error(tmp_path: Path, script: str, noted: str) -> None:
    notes: list[str] = []
    # only the helper that sleeps is meant to meet the limit
    timeout = 0.5 if "sleep" in script else 60
    environ = environ_with(tmp_path, script)
    assert ask_helper("test", "quay.io", note=notes.append, environ=environ, timeout=timeout) is None
    (note,) = notes
    assert note.startswith("docker-credential-test for quay.io")
    assert noted in note
    assert "hunter2" not in note


def test_a_helper_that_is_not_installed_is_noted(tmp_path: Path) -> None:
    notes: list[str] = []
    assert ask_helper("absent", "quay.io", note=notes.append, environ={"PATH": str(tmp_path)}) is None
    assert notes == [
        "docker-credential-absent for quay.io (The program docker-credential-absent is not installed on the host)"
    ]


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "-x", "a b"])
def test_a_name_that_is_no_program_is_not_run(name: str) -> None:
    notes: list[str] = []
    assert ask_helper(name, "quay.io", note=notes.append) is None
    assert notes == [f"a credential helper with the impossible name {name!r}"]
