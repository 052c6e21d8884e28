# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real podman with a storage of its own: nothing of the machine's images, containers or settings is touched."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import typing as t
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .programs import require, run, serve

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .registry import Registry

#: What would lead podman elsewhere; empty is not the same as unset for all of them, so they are taken away.
_LEADING_ELSEWHERE = ("CONTAINER_HOST", "CONTAINER_CONNECTION", "DOCKER_CONFIG", "DOCKER_HOST", "REGISTRY_AUTH_FILE")
_NOBODY = 65534


class PodmanSocket(t.NamedTuple):
    """A service that listens: ``address`` is "unix://…", ``pid`` its process."""

    address: str
    pid: int


class Podman:
    """The program ``podman`` on one private storage. ``environment`` leads whoever has it to the same storage.

    Containers run with runc in the network of the host. With ``uid`` it works without root, in a user namespace that
    maps this one user.
    """

    def __init__(self, folder: Path, *, uid: int = 0) -> None:
        self.folder = folder
        self.uid = uid
        self.graph_root = folder / "graph"
        self.run_time = folder / "xdg"
        settings = folder / "settings"
        for made in (settings, self.run_time, folder / "home", folder / "tmp", self.graph_root, folder / "run"):
            made.mkdir(parents=True, exist_ok=True)
        self.environment = {
            "CONTAINERS_STORAGE_CONF": _write(settings / "storage.conf", self._storage()),
            "CONTAINERS_CONF": _write(settings / "containers.conf", self._containers()),
            "CONTAINERS_REGISTRIES_CONF": _write(settings / "registries.conf", "unqualified-search-registries = []\n"),
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(self.run_time),
            "TMPDIR": str(folder / "tmp"),
        }
        policy = folder / "home" / ".config" / "containers" / "policy.json"
        policy.parent.mkdir(parents=True, exist_ok=True)
        _write(policy, json.dumps({"default": [{"type": "insecureAcceptAnything"}]}))
        if uid:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, uid, uid)

    def command(self, *words: str) -> list[str]:
        """Return ``words`` as a command of this podman's user."""
        if not self.uid:
            return list(words)
        user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--inh-caps=-all"]
        return [*user, "env", *(f"--unset={name}" for name in _LEADING_ELSEWHERE), *words]

    def cli(self, *words: str, input_bytes: bytes = b"") -> bytes:
        """Run ``podman WORDS`` on this storage and return its standard output."""
        return run(self.command("podman", *words), environment=self.environment, input_bytes=input_bytes, cwd=Path("/"))

    def pull(self, registry: Registry, name: str) -> str:
        """Let podman pull ``name`` ("repository:tag" or "repository@digest") and return the image's ID."""
        said = self.cli("pull", "--quiet", "--tls-verify=false", f"{registry.host}/{name}")
        return said.decode().split()[-1]

    def rows(self) -> list[dict[str, t.Any]]:
        """Return what ``podman images --all`` lists."""
        rows: list[dict[str, t.Any]] = json.loads(self.cli("images", "--all", "--format", "json"))
        return rows

    def names(self) -> dict[str, str]:
        """Return every name of an image, tag or digest, with the image's ID."""
        return {name: row["Id"] for row in self.rows() for name in row.get("Names") or ()}

    def clear(self) -> None:
        """Remove every container and every image."""
        self.cli("rm", "--all", "--force", "--time", "0")
        self.cli("rmi", "--all", "--force")

    @contextmanager
    def service(self, environment: Mapping[str, str] | None = None) -> Iterator[PodmanSocket]:
        """Serve podman's API on a private socket until the block ends."""
        folder = Path(tempfile.mkdtemp(prefix="podman-service-"))
        os.chown(folder, self.uid, self.uid)
        path = folder / "podman.sock"
        command = self.command("podman", "system", "service", "--time", "0", f"unix://{path}")
        around = {**self.environment, **(environment or {})}
        try:
            with serve(command, log=folder / "log", is_ready=lambda: _answers(path), environment=around) as server:
                yield PodmanSocket(f"unix://{path}", server.pid)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _storage(self) -> str:
        rows = {"driver": "overlay", "graphroot": str(self.graph_root), "runroot": str(self.folder / "run")}
        rootless = {"rootless_storage_path": str(self.graph_root)} if self.uid else {}
        text = "".join(f'{key} = "{value}"\n' for key, value in {**rows, **rootless}.items())
        # Whoever maps one user only cannot give files to another one.
        return f"[storage]\n{text}" + ('[storage.options.overlay]\nignore_chown_errors = "true"\n' if self.uid else "")

    def _containers(self) -> str:
        containers = 'default_ulimits = ["nofile=20000:20000", "nproc=9000:9000"]\nnetns = "host"\n'
        engine = 'runtime = "runc"\nevents_logger = "file"\ncgroup_manager = "cgroupfs"\n'
        return f'[containers]\n{containers}[engine]\n{engine}tmp_dir = "{self.folder / "libpod"}"\n'


@contextmanager
def start_podman() -> Iterator[Podman]:
    """Yield a podman whose storage is empty, and take all of it away at the end."""
    require("podman", "runc", "conmon")
    with _storage_folder() as folder:
        podman = Podman(folder)
        try:
            yield podman
        finally:
            podman.clear()


@contextmanager
def start_rootless_podman() -> Iterator[Podman]:
    """Yield a podman that runs without root, with a storage of its own; skips the test where the machine cannot."""
    require("podman", "setpriv", "newuidmap")
    if os.geteuid() != 0:
        pytest.skip("rootless podman is tested by root, which becomes another user")
    with _storage_folder() as folder:
        podman = Podman(folder, uid=_NOBODY)
        try:
            podman.cli("info")
        except AssertionError as error:
            pytest.skip(f"this machine does not let podman run without root: {str(error)[-600:]}")
        try:
            yield podman
        finally:
            podman.clear()
            with suppress(AssertionError):
                podman.cli("system", "migrate")  # ends the process that keeps the user namespace


@contextmanager
def _storage_folder() -> Iterator[Path]:
    # Under the folder for temporary files itself: sockets below pytest's own folders have too long a path.
    folder = Path(tempfile.mkdtemp(prefix="podman-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for mounted in _mounts(folder):
            run(["umount", "-l", mounted])
        shutil.rmtree(folder, ignore_errors=True)


def _mounts(folder: Path) -> list[str]:
    rows = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return [place for place in (row.split(" ")[1] for row in reversed(rows)) if place.startswith(f"{folder}/")]


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.settimeout(5)
        probe.connect(str(path))
        return True
    return False
