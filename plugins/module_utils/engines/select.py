# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which engine a task speaks to: the one that is installed, never one that merely answers."""

from __future__ import annotations

import shutil
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

#: Engine, and the program that shows it is installed; in the order in which ``auto`` looks.
_PROGRAMS = (("docker", "dockerd"), ("podman", "podman"), ("containerd", "containerd"))
_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PODMAN_SOCKET = "podman/podman.sock"


def select_engine(wanted: str, *, address: str = "", which: Callable[[str], str | None] | None = None) -> str:
    """Return the engine that ``wanted`` (an engine's name or ``auto``) means on this host.

    For ``auto`` the task's own ``address`` of an engine means docker, unless it is podman's socket, or podman is here
    and docker is not. Without one it is what is installed, running or not, and ``layout`` only where nothing is: a task
    never silently fills another store than the one that the host's containers come from.
    """
    if wanted != "auto":
        return wanted
    if address.endswith(_PODMAN_SOCKET):
        return "podman"
    find = which or (lambda program: shutil.which(program) or shutil.which(program, path=_SEARCH_PATH))
    found = next((engine for engine, program in _PROGRAMS if find(program) is not None), "layout")
    return "docker" if address and found != "podman" else found
