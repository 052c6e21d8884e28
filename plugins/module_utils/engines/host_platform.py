# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform of this machine, as far as its kernel, processor and userland tell."""

from __future__ import annotations

import os
import struct
import typing as t
from pathlib import Path

from ..model.platform import Platform

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_TELLING = ("flags", "cpu architecture")  # all that is asked for has come when a block with one of these ends
_USERLAND_32 = {"x86_64": "i686", "aarch64": "armv8l"}  # what a 64-bit kernel runs for a 32-bit userland

#: Flags that each level adds. Source: x86-64 psABI, Micro-Architecture Levels, in the names of Linux' cpufeatures.h.
_AMD64_LEVELS = (
    ("v2", frozenset(["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"])),
    ("v3", frozenset(["abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"])),
    ("v4", frozenset(["avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"])),
)


def host_platform(
    *, cpuinfo: Path = Path("/proc/cpuinfo"), uname: tuple[str, str] | None = None, pointer_bytes: int = 0
) -> Platform:
    """Return the platform whose images this machine runs, with the best variant its processor knows.

    ``uname`` is (system, machine) and ``pointer_bytes`` the size of a pointer in the userland; both default to those
    of this process. A file ``cpuinfo`` that cannot be read costs the variant only.

    Source: containerd/platforms cpuinfo_linux.go for arm.
    """
    system, machine = uname or (os.uname().sysname, os.uname().machine)
    if (pointer_bytes or struct.calcsize("P")) == 4:
        machine = _USERLAND_32.get(machine, machine)
    plain = Platform.of(system, machine)
    if plain.architecture not in ("amd64", "arm"):
        return plain
    cpu = _first_processor(cpuinfo)
    variant = _amd64_variant(cpu) if plain.architecture == "amd64" else _arm_variant(cpu)
    return Platform.of(system, plain.architecture, variant=variant or plain.variant)


def _first_processor(cpuinfo: Path) -> Mapping[str, str]:
    """Return the first processor's lines, keys in lower case; empty when they cannot be read."""
    rows: dict[str, str] = {}
    try:
        with cpuinfo.open(errors="replace") as lines:
            for line in lines:
                key, _colon, value = line.partition(":")
                rows.setdefault(key.strip().lower(), value.strip())
                # The kernel writes while we read, and asks each processor for its speed: hundreds of them take long.
                if not line.strip() and not rows.keys().isdisjoint(_TELLING):
                    break
    except OSError:
        return {}
    return rows


def _amd64_variant(cpu: Mapping[str, str]) -> str:
    flags = set(cpu.get("flags", "").split())
    best = ""
    for level, needed in _AMD64_LEVELS:
        if not needed <= flags:
            break
        best = level
    return best


def _arm_variant(cpu: Mapping[str, str]) -> str:
    generation = cpu.get("cpu architecture", "").lower()
    # The kernel of the first Raspberry Pi says 7 for its ARMv6 processor.
    if generation == "7" and cpu.get("model name", "").lower().startswith("armv6-compatible"):
        return "v6"
    if generation == "aarch64":
        return "v8"
    return f"v{generation[0]}" if generation[:1] in ("5", "6", "7", "8") else ""
