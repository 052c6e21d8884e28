#!/usr/bin/env python3
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what builds cost, ours beside docker's and buildah's, in one run: nothing to do, and built afresh.

Run it with the checkout's Python as root, the number of rounds as its argument (7 without). A daemon, stores and
contexts are made in a temporary folder and removed again. Every figure is the wall time of a whole process, Python's
start included, and the median of the rounds, in which all take turns; the first round warms caches and is not counted.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "build" / "collections"))

from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd
from ansible_collections.fleet.images.tests.support.module import run_module

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd

KIB = 1024
DOCKERFILE = "FROM scratch\nCOPY . /files/\n"


def clients() -> list[str]:
    """Return every docker on PATH."""
    found = [shutil.which("docker", path=place) for place in os.get_exec_path()]
    return [path for path in found if path is not None]


def has_buildkit(path: str) -> bool:
    """Tell whether a client speaks to BuildKit: before version 23 all do, since then with buildx alone."""
    version = subprocess.run([path, "--version"], capture_output=True, check=False).stdout.decode()
    buildx = subprocess.run([path, "buildx", "version"], capture_output=True, check=False)
    return buildx.returncode == 0 or int(version.split("version ")[1].split(".")[0]) < 23


class Bench:
    """The daemon, and a folder for everything else."""

    def __init__(self, folder: Path, daemon: Dockerd) -> None:
        self.folder = folder
        self.daemon = daemon
        self.client = next(path for path in clients() if has_buildkit(path))
        self.environment = {"XDG_CACHE_HOME": str(folder / "cache")}

    def context(self, name: str, *, files: int, size: int) -> Path:
        """Return a new context of so many files of ``size`` bytes, fifty to a folder."""
        context = self.folder / name
        for number in range(files):
            path = context / f"part-{number // 50}" / f"file-{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(size))
        (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
        return context

    def ours(self, context: Path, *, changes: bool, **options: t.Any) -> None:
        """Run image_build; fails unless it built, or did not, as expected."""
        params = {"name": f"bench/{context.name}:1", "path": str(context), **options}
        result = run_module("image_build", params, environment=self.environment).succeed()
        if result["changed"] is not changes:
            raise RuntimeError(f"changed is {result['changed']}")

    def on_docker(self, context: Path) -> None:
        """Let our module find that docker's image is as it should be."""
        self.ours(context, changes=False, engine="docker", docker_host=self.daemon.address)

    def on_layout(self, context: Path, *, store: str = "store", changes: bool = False) -> None:
        """Let our module find that the store's image is as it should be."""
        self.ours(context, changes=changes, engine="layout", store=str(self.folder / store))

    def docker(self, context: Path, *, buildkit: bool) -> None:
        """Build with docker's own client."""
        environment = {**os.environ, "DOCKER_BUILDKIT": str(int(buildkit)), "DOCKER_CONFIG": str(self.folder)}
        command = [self.client, "-H", self.daemon.address, "build", "-q", "-t", f"theirs-{int(buildkit)}", str(context)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)

    def buildah(self, context: Path, driver: str) -> None:
        """Build with buildah, without its cache."""
        root = self.folder / "buildah"
        place = ["--root", f"{root}/root", "--runroot", f"{root}/run", "--storage-driver", driver]
        command = ["buildah", *place, "bud", "--quiet", "--no-cache", "-t", "bench", str(context)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def table(title: str, works: Mapping[str, Callable[[], object]], *, rounds: int, clear: Callable[[], object]) -> None:
    """Let all works take turns; print each one's median, spread, and how many times the first's it is."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            clear()
            started = time.perf_counter()
            work()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    sys.stdout.write(f"{title}\n")
    first = statistics.median(next(iter(seconds.values())))
    for name, figures in seconds.items():
        middle = statistics.median(figures)
        spread = f"{min(figures):.3f} to {max(figures):.3f}"
        sys.stdout.write(f"  {name:<44} {middle:7.3f} s  ({spread})  {middle / first:5.2f} x\n")
    sys.stdout.flush()


def at_rest(bench: Bench, context: Path, *, rounds: int) -> None:
    """Measure a context that did not change since it was built."""
    bench.ours(context, changes=True, engine="docker", docker_host=bench.daemon.address)
    bench.on_layout(context, changes=True)
    files = sum(1 for path in context.rglob("*") if path.is_file()) - 1
    works: dict[str, Callable[[], object]] = {
        "image_build, engine docker": lambda: bench.on_docker(context),
        "image_build, engine layout": lambda: bench.on_layout(context),
        "docker build, classic builder, all cached": lambda: bench.docker(context, buildkit=False),
        "docker build, BuildKit, all cached": lambda: bench.docker(context, buildkit=True),
        "python -c pass": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
    }
    table(f"{files} files, nothing to do", works, rounds=rounds, clear=lambda: None)


def afresh(bench: Bench, context: Path, *, rounds: int) -> None:
    """Measure builds from nothing, without RUN."""

    def clear() -> None:
        for name in ("fresh", "buildah", "cache"):
            shutil.rmtree(bench.folder / name, ignore_errors=True)
        os.sync()

    works: dict[str, Callable[[], object]] = {
        "image_build, engine layout": lambda: bench.on_layout(context, store="fresh", changes=True),
        "buildah bud, vfs": lambda: bench.buildah(context, "vfs"),
        "buildah bud, overlay": lambda: bench.buildah(context, "overlay"),
    }
    table("built afresh", works, rounds=rounds, clear=clear)


def main() -> int:
    """Measure everything."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    with tempfile.TemporaryDirectory(prefix="bench-") as name, start_dockerd(Path(name) / "dockerd") as daemon:
        bench = Bench(Path(name), daemon)
        version = daemon.cli("version", "--format", "{{.Server.Version}}").decode().strip()
        sys.stdout.write(f"{machine}, docker {version}; medians of {rounds}\n")
        small = bench.context("small", files=2000, size=10 * KIB)
        at_rest(bench, small, rounds=rounds)
        afresh(bench, small, rounds=rounds)
        at_rest(bench, bench.context("large", files=20_000, size=KIB), rounds=rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
