# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platform of a machine from its kernel, userland and processor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.host_platform import host_platform
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform

LEVEL_2 = "fpu cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"
LEVEL_3 = f"{LEVEL_2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
LEVEL_4 = f"{LEVEL_3} avx512bw avx512cd avx512dq avx512f avx512vl"


@pytest.mark.parametrize(
    ("machine", "pointer_bytes", "cpuinfo", "expected"),
    [
        ("x86_64", 8, "flags\t\t: fpu sse2", "linux/amd64"),
        ("x86_64", 8, f"flags\t\t: {LEVEL_2}", "linux/amd64/v2"),
        ("x86_64", 8, f"flags\t\t: {LEVEL_3}", "linux/amd64/v3"),
        ("x86_64", 8, f"flags\t\t: {LEVEL_4}", "linux/amd64/v4"),
        ("x86_64", 8, f"flags\t\t: {LEVEL_3} avx512f".replace(" popcnt", ""), "linux/amd64"),
        ("x86_64", 8, "", "linux/amd64"),
        ("x86_64", 4, f"flags\t\t: {LEVEL_4}", "linux/386"),
        ("i686", 4, "flags\t\t: fpu", "linux/386"),
        ("aarch64", 8, "CPU architecture: 8", "linux/arm64"),
        ("aarch64", 4, "CPU architecture: 8", "linux/arm/v8"),
        ("armv7l", 4, "CPU architecture: 7", "linux/arm/v7"),
        ("armv7l", 4, "model name: ARMv7 Processor rev 4 (v7l)\nCPU architecture: 7", "linux/arm/v7"),
        ("armv6l", 4, "model name: ARMv6-compatible processor rev 7 (v6l)\nCPU architecture: 7", "linux/arm/v6"),
        ("armv6l", 4, "", "linux/arm/v6"),
        ("armv7l", 4, "CPU architecture: 5TEJ", "linux/arm/v5"),
        ("armv8l", 4, "CPU architecture: AArch64", "linux/arm/v8"),
        ("armv7l", 4, "CPU architecture: unknown", "linux/arm/v7"),
        ("riscv64", 8, "isa: rv64", "linux/riscv64"),
        ("s390x", 8, "", "linux/s390x"),
        ("ppc64le", 8, "", "linux/ppc64le"),
    ],
)
def test_kernel_userland_and_processor_make_the_platform(
    tmp_path: Path, machine: str, pointer_bytes: int, cpuinfo: str, expected: str
) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\n{cpuinfo}\n\nprocessor\t: 1\nflags\t: none\nCPU architecture: 5\n")
    if not cpuinfo:
        file.unlink()
    assert str(host_platform(cpuinfo=file, uname=("Linux", machine), pointer_bytes=pointer_bytes)) == expected


def test_this_machine_runs_the_images_of_its_kernel() -> None:
    found = host_platform()
    assert Platform.of("linux", os.uname().machine).satisfies(found)


def test_what_old_kernels_say_after_all_processors_counts(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor: 0\nBogoMIPS: 38\n\nprocessor: 1\nBogoMIPS: 38\n\nCPU architecture: 7\n")
    assert str(host_platform(cpuinfo=file, uname=("Linux", "armv6l"), pointer_bytes=4)) == "linux/arm/v7"
