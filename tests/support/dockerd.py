# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real Docker daemon of a test's own: data, socket and bridge apart from the machine's own daemon.

It runs in the machine's network namespace, so that it reaches registries on 127.0.0.1. ``--bridge=none`` would remove
the ``docker0`` of another daemon there, and the default would share it: each daemon gets a bridge of its own.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import tempfile
import typing as t
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from .programs import MISSING, require, run, serve

if t.TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence


_BRIDGES = 254


class Dockerd:
    """A daemon that can be stopped, killed and started again on its data. ``log`` holds what it said."""

    def __init__(self, folder: Path, *, sockets: Path, bridge: str, arguments: Sequence[str]) -> None:
        self.data = folder / "data"
        self.log = folder / "dockerd.log"
        self.socket = sockets / "docker.sock"
        self.address = f"unix://{self.socket}"
        self._state = sockets / "exec"
        self._config = folder / "client"
        self._config.mkdir(parents=True, exist_ok=True)
        (self._config / "config.json").write_text("{}", encoding="utf-8")
        self._command = [
            *("dockerd", "--config-file", str(folder / "none.json"), "-H", self.address),
            *("--data-root", str(self.data), "--exec-root", str(self._state), "--pidfile", str(sockets / "pid")),
            *("--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"),
            *("--storage-driver", "overlay2", "--log-level", "warn", *arguments),
        ]
        (folder / "none.json").write_text("{}", encoding="utf-8")
        self._running: ExitStack | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the daemon's process ID; raises ``AssertionError`` when it does not run."""
        assert self._process is not None, "dockerd does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._running is None, "dockerd runs already"
        with ExitStack() as stack:
            self._process = stack.enter_context(serve(self._command, log=self.log, is_ready=self._answers))
            self._running = stack.pop_all()

    def stop(self) -> None:
        """End its containers, then itself, in order. Idempotent."""
        self._end_containers()
        self._end()

    def kill(self) -> None:
        """End it as a crash does, with all processes it started. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._end_containers()
        self._end()

    def cli(self, *words: str, input_bytes: bytes = b"") -> bytes:
        """Run Docker's own client against it and return its standard output."""
        environment = {
            "DOCKER_CONFIG": str(self._config),
            "DOCKER_BUILDKIT": "0",
            "DOCKER_CONTEXT": "",
            "DOCKER_TLS_VERIFY": "",
            "DOCKER_API_VERSION": "",
        }
        return run(["docker", "-H", self.address, *words], environment=environment, input_bytes=input_bytes)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.settimeout(5)
            probe.connect(str(self.socket))
            probe.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return probe.recv(64).startswith((b"HTTP/1.0 200", b"HTTP/1.1 200"))
        return False

    def _end_containers(self) -> None:
        """Kill what runs in containers: most of it ignores SIGTERM, for which the daemon would wait ten seconds."""
        for state in (self._state / "runtime-runc").glob("*/*/state.json"):
            with suppress(OSError, ValueError, KeyError):
                _kill(int(json.loads(state.read_text(encoding="utf-8"))["init_process_pid"]))

    def _end(self) -> None:
        if self._running is not None:
            self._running.close()
        self._running = self._process = None
        for pid in self._helpers():
            _kill(pid)
        for mounted in reversed(_mounts(self.data, self._state)):
            run(["umount", "-l", mounted])
        shutil.rmtree(self._state, ignore_errors=True)  # as after a reboot: it names processes that are gone

    def _helpers(self) -> list[int]:
        """Return containerd and its shims: every process whose command line names this daemon's private folder."""
        mark = os.fsencode(self._state)
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if mark in path.read_bytes() and int(path.parent.name) != os.getpid():
                    found.append(int(path.parent.name))
        return found


@contextmanager
def start_dockerd(folder: Path, *, arguments: Sequence[str] = ()) -> Iterator[Dockerd]:
    """Run a daemon until the block ends; yields it as soon as it answers. ``folder`` keeps its data and log.

    A daemon started again on the same folder holds the same images. ``arguments`` are further ones of dockerd.
    """
    require("dockerd", "docker", "ip", "umount")
    if os.geteuid() != 0:
        pytest.skip(f"{MISSING} dockerd needs root")
    folder.mkdir(parents=True, exist_ok=True)
    # A socket's path has at most 107 characters: the folders of tests are too deep.
    sockets = Path(tempfile.mkdtemp(prefix="dockerd-"))
    try:
        with _bridge() as bridge:
            daemon = Dockerd(folder, sockets=sockets, bridge=bridge, arguments=arguments)
            try:
                daemon.start()
                yield daemon
            finally:
                daemon.stop()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


@contextmanager
def _bridge() -> Iterator[str]:
    """Make a bridge with a network of its own; its name, which exists once per machine, is the claim to both."""
    for number in range(_BRIDGES):
        candidate = (os.getpid() + number) % _BRIDGES
        name = f"fleetimg{candidate}"
        try:
            run(["ip", "link", "add", "name", name, "type", "bridge"])
        except AssertionError:
            if Path("/sys/class/net", name).exists():
                continue
            raise
        try:
            run(["ip", "address", "add", f"198.18.{candidate}.1/24", "dev", name])
            run(["ip", "link", "set", name, "up"])
            yield name
        finally:
            run(["ip", "link", "delete", name])
        return
    raise AssertionError("every bridge for tests is taken: ip link delete fleetimg…")


def _kill(pid: int) -> None:
    """Kill a process and wait for its end; one that is gone already is fine."""
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], 20)
        finally:
            os.close(handle)


def _mounts(*folders: Path) -> list[str]:
    """Return the mount points below ``folders``, outer ones first."""
    rows = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [row.split()[4].encode().decode("unicode_escape") for row in rows]
    return [point for point in points if any(Path(point).is_relative_to(folder) for folder in folders)]
