# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rows run on: folders and servers of their own, started when a row asks for them, stopped when it is over."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import typing as t
import zipfile
from pathlib import PurePosixPath

from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd
from ansible_collections.fleet.images.tests.support.module import run_module
from ansible_collections.fleet.images.tests.support.playbook import ROOT
from ansible_collections.fleet.images.tests.support.podman import start_podman
from ansible_collections.fleet.images.tests.support.registry import start_registry

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager, ExitStack
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.dockerd import Dockerd
    from ansible_collections.fleet.images.tests.support.podman import Podman
    from ansible_collections.fleet.images.tests.support.registry import Registry

_T = t.TypeVar("_T")

# What a process of its own starts is measured by it, for a process counts the memory of whoever forked it as its own.
_PEAK = """
import os, sys
pid = os.fork()
if not pid:
    os.execvp(sys.argv[2], sys.argv[2:])
pid, status, used = os.wait4(pid, 0)
open(sys.argv[1], "w").write(str(used.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Place:
    """A private folder and the servers of one row, which end with ``stack``; ``sources`` is what several rows use."""

    def __init__(self, folder: Path, stack: ExitStack, *, sources: Path) -> None:
        self.folder = folder
        self.sources = sources
        self._stack = stack

    @functools.cached_property
    def registry(self) -> Registry:
        """Return a registry, empty at first."""
        return self._stack.enter_context(start_registry(self.folder / "registry"))

    @functools.cached_property
    def dockerd(self) -> Dockerd:
        """Return a Docker daemon, without images at first."""
        return self._stack.enter_context(start_dockerd(self.folder / "dockerd"))

    @functools.cached_property
    def podman(self) -> Podman:
        """Return a podman with a storage of its own, empty at first."""
        return self._stack.enter_context(start_podman())

    def enter(self, server: AbstractContextManager[_T]) -> _T:
        """Start something else that ends with the row."""
        return self._stack.enter_context(server)

    def requests(self) -> int:
        """Return how many requests the registry has answered so far, as its log tells."""
        return len(re.findall(rb' "[A-Z]+ /v2/[^"]*" \d{3} ', self.registry.log.read_bytes()))


def clear(*folders: Path) -> None:
    """Remove folders, and let the disk come to rest."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    os.sync()


def own_time(
    module: str, params: Mapping[str, t.Any], *, changes: bool, environment: Mapping[str, str] | None = None
) -> float:
    """Run a module of ours and return the seconds that it reports as its own; fails unless it did, or did not, change.

    It comes out of a zip of source files, as on a host that Ansible sent it to: what it imports there is compiled anew.

    Raises:
        RuntimeError: changed is not what was expected.
    """
    around = {"PYTHONPATH": _payload(), **(environment or {})}
    result = run_module(module, params, environment=around).succeed()
    if result["changed"] is not changes:
        raise RuntimeError(f"{module}: changed is {result['changed']}")
    return float(result["elapsed"])


@functools.cache
def _payload() -> str:
    """Write a zip of all that our modules may import, once; return where it is."""
    path, collection = ROOT / "build" / "bench-payload.zip", PurePosixPath("ansible_collections/fleet/images")
    path.parent.mkdir(exist_ok=True)
    files = [file for kind in ("modules", "module_utils") for file in (ROOT / "plugins" / kind).rglob("*.py")]
    names = {collection / file.relative_to(ROOT): file.read_bytes() for file in files}
    packages = {folder / "__init__.py": b"" for name in names for folder in name.parents if folder.name}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**packages, **names}.items():
            archive.writestr(str(name), content)
    return str(path)


def process_time(*words: str, environment: Mapping[str, str] | None = None) -> float:
    """Run a program and return its wall time in seconds. Raises ``CalledProcessError`` when it fails."""
    started = time.perf_counter()
    around = {**os.environ, **(environment or {})}
    subprocess.run(words, check=True, env=around, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


class PeakMeter:
    """Runs programs and tells the most memory that one of their processes held at once, in MiB."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._script, self._note, self._python = folder / "peak.py", folder / "peak", folder / "python"
        self._script.write_text(_PEAK, encoding="utf-8")
        words = shlex.join(self._command([sys.executable]))
        self._python.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        self._python.chmod(0o700)

    def of(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
        """Return the peak of a program. Raises ``CalledProcessError`` when it fails."""
        process_time(*self._command(command), environment=environment)
        return self._peak()

    def of_module(self, module: str, params: Mapping[str, t.Any]) -> float:
        """Return the peak of a module of ours, which must succeed."""
        run_module(module, params, python=str(self._python)).succeed()
        return self._peak()

    def _command(self, command: Sequence[str]) -> list[str]:
        return [sys.executable, "-IS", str(self._script), str(self._note), *command]

    def _peak(self) -> float:
        return int(self._note.read_text(encoding="utf-8")) / 1024


def layout_digests(store: Path) -> set[str]:
    """Return the digests that the index of an OCI image layout names."""
    return {row["digest"] for row in json.loads((store / "index.json").read_bytes())["manifests"]}
