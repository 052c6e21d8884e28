# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which engine a task speaks to: the one that is installed, never one that merely answers."""

from __future__ import annotations

import shutil
import typing as t

from ..model.errors import UnsupportedError

if t.TYPE_CHECKING:
    from collections.abc import Callable

#: Engine, and the program that shows it is installed; in the order in which ``auto`` looks.
_PROGRAMS = (("docker", "dockerd"), ("podman", "podman"), ("containerd", "containerd"))
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def select_engine(wanted: str, *, which: Callable[[str], str | None] | None = None) -> str:
    """Return the engine that ``wanted`` (an engine's name or ``auto``) means on this host.

    ``auto`` is ``layout`` only where no engine is installed: a task never silently fills another store than the one
    that the host's containers come from.

    Raises:
        UnsupportedError: an engine is installed that this release does not drive.
    """
    if wanted != "auto":
        return wanted
    find = which or (lambda program: shutil.which(program) or shutil.which(program, path=_SEARCH_PATH))
    for engine, program in _PROGRAMS:
        path = find(program)
        if path is not None:
            raise UnsupportedError(
                f"This host has {engine}, which this release does not drive yet",
                code="engine-unsupported",
                why=f"{path} is installed",
                fix="set engine: layout to keep images in the embedded store beside it",
                subject="engine",
            )
    return "layout"
