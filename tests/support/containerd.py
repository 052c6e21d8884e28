# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real containerd (Debian's) on a private socket, with data folders of its own."""

from __future__ import annotations

import itertools
import json
import subprocess
import typing as t
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .programs import require, run, serve

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBERS = itertools.count()


class Containerd:
    """A containerd that may be stopped, killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        """Take the folder for settings, data, state, socket and log; nothing runs yet. Its path must be short."""
        self.address = str(folder / "c.sock")
        self.data = folder / "data"
        self.log = folder / "containerd.log"
        self._settings = folder / "config.toml"
        self._running = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the daemon's process ID; raises ``AssertionError`` when it does not run."""
        assert self._process is not None, "containerd does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers; on the same data when it ran before."""
        self._settings.write_text(_settings(self), encoding="utf-8")
        self._process = self._running.enter_context(
            serve(["containerd", "--config", str(self._settings)], log=self.log, is_ready=self._answers)
        )

    def stop(self) -> None:
        """Stop it as a service manager does. Idempotent."""
        self._running.close()
        self._process = None

    def kill(self) -> None:
        """End it at once, wherever it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.stop()

    def ctr(self, *words: str, namespace: str = "default", stdin: bytes = b"") -> bytes:
        """Return what ``ctr`` prints for ``words``; raises ``AssertionError`` with all it said when it fails."""
        return run(["ctr", "--address", self.address, "--namespace", namespace, *words], input_bytes=stdin)

    def digests(self, namespace: str = "default") -> dict[str, str]:
        """Return what every image name of ``namespace`` points at, handles included."""
        rows = self.ctr("images", "ls", namespace=namespace).decode().splitlines()[1:]
        return {words[0]: words[2] for words in map(str.split, rows)}

    def content(self, namespace: str = "default") -> set[str]:
        """Return the digests of all content that ``namespace`` sees."""
        return set(self.ctr("content", "ls", "-q", namespace=namespace).decode().split())

    def new_namespace(self) -> str:
        """Return a name for a namespace that no other test has; it comes into being when something is put there."""
        return f"test-{next(_NUMBERS)}"

    def _answers(self) -> bool:
        probe = ["ctr", "--address", self.address, "--connect-timeout", "1s", "version"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0


@contextmanager
def start_containerd(folder: Path) -> Iterator[Containerd]:
    """Serve a containerd until the block ends. ``folder`` (made if needed) holds all that it writes."""
    require("containerd", "ctr", "runc")
    folder.mkdir(parents=True, exist_ok=True)
    daemon = Containerd(folder)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def _settings(daemon: Containerd) -> str:
    """Return the settings: JSON's strings are TOML's, too. Kubernetes' part wants a network and is left out."""
    word = json.dumps
    state = daemon.data.parent / "state"
    return "\n".join(
        [
            "version = 2",
            f"root = {word(str(daemon.data))}",
            f"state = {word(str(state))}",
            'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
            "[grpc]",
            f"address = {word(daemon.address)}",
            "[ttrpc]",
            f"address = {word(daemon.address + '.ttrpc')}",
            "",
        ]
    )
