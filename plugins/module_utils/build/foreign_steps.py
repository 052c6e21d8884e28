# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which platforms this machine runs steps for: its own, and those that it has an interpreter for."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..model.errors import UnsupportedError

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.platform import Platform
    from .loading import Build

_REGISTERED = "/proc/sys/fs/binfmt_misc"
#: Architecture -> the field e_machine of its programs, as their bytes are. Source: elf.h; Linux binfmt-misc.rst.
_MACHINES = {
    "386": "0300",
    "amd64": "3e00",
    "arm": "2800",
    "arm64": "b700",
    "loong64": "0201",
    "mips64le": "0800",
    "ppc64le": "1500",
    "riscv64": "f300",
    "s390x": "0016",
}
_MACHINE_AT = 2 * 18  # in hexadecimal digits


def refuse_foreign_steps(build: Build, *, machine: Platform, folder: str = _REGISTERED) -> None:
    """Do nothing if ``machine`` can run each RUN that ``build`` needs; ``folder`` tells its interpreters.

    Raises:
        UnsupportedError: platform-cannot-run, naming the first step that it cannot.
    """
    for number in build.plan.needed:
        stage = build.plan.stages[number]
        step = next((step for step in stage.steps if step.name == "RUN"), None)
        if step is None or stage.platform.satisfies(machine) or _has_interpreter(stage.platform, folder):
            continue
        raise UnsupportedError(
            f"{step.where}: RUN for {stage.platform} cannot run on this machine",
            code="platform-cannot-run",
            why=f"the machine is {machine}, and no interpreter for {stage.platform} is registered in {folder}",
            fix="install one (qemu-user-static with binfmt-support), start the stage with FROM "
            "--platform=$BUILDPLATFORM, leave this platform out, or build on a machine of this kind",
            subject=step.where,
        )


def _has_interpreter(platform: Platform, folder: str) -> bool:
    wanted = _MACHINES.get(platform.architecture)
    return platform.os == "linux" and wanted is not None and wanted in _registered(folder)


def _registered(folder: str) -> Iterable[str]:
    """Yield the machines of the programs that the kernel gives to an interpreter."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError), open(os.path.join(folder, name), encoding="ascii") as stream:
                told = stream.read().split()
                if told[:1] == ["enabled"] and "magic" in told[:-1]:
                    yield told[told.index("magic") + 1][_MACHINE_AT : _MACHINE_AT + 4]
