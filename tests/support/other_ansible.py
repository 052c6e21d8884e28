# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The oldest supported ansible-core beside the one that the tests run on, in a virtual environment made once."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

VERSION = "2.17"
_PLACE = Path(__file__).parents[2] / "build" / "other-ansible"
_PYTHONS = ("python3.12", "python3.11", "python3.10")  # what that version runs on


def other_ansible_playbook() -> Path:
    """Return ansible-playbook of ansible-core VERSION; skips the test where it cannot be had."""
    _PLACE.parent.mkdir(exist_ok=True)
    program = _PLACE / "bin" / "ansible-playbook"
    with (_PLACE.parent / "other-ansible.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not program.exists():
            _install()
    return program


def _install() -> None:
    python = next((path for path in _candidates() if _works(path)), None)
    if python is None:
        pytest.skip(f"none of {', '.join(_PYTHONS)} is here, which ansible-core {VERSION} needs")
    packages = [f"ansible-core=={VERSION}.*", "requests", "jsonschema"]
    subprocess.run([python, "-m", "venv", "--clear", _PLACE], check=True, capture_output=True)
    done = subprocess.run(
        [_PLACE / "bin" / "python", "-m", "pip", "--quiet", "install", *packages], check=False, capture_output=True
    )
    if done.returncode:
        shutil.rmtree(_PLACE)
        pytest.skip(f"ansible-core {VERSION} cannot be installed: {done.stderr.decode()[-300:]}")


def _candidates() -> t.Iterator[str]:
    for name in _PYTHONS:
        yield from (str(path) for path in sorted(Path.home().glob(f".pyenv/versions/*/bin/{name}"), reverse=True))
        found = shutil.which(name)
        if found:
            yield found


def _works(python: str) -> bool:
    done = subprocess.run([python, "-c", "import ensurepip, ssl, venv"], check=False, capture_output=True)
    return done.returncode == 0
