# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where podman's API is: a socket that somebody serves, or ``podman system service`` for the length of a task."""

from __future__ import annotations

import os
import threading
import typing as t

from ..model.errors import PeerError
from .engine_socket import EngineConnection, EngineEndpoint
from .redact import redact

if t.TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping

START_HINT = "Start podman's service (systemctl start podman.socket), or leave docker_host out: the task starts its own"

#: A service that nobody ends any more ends itself when it was not spoken to for so long.
_IDLE_SECONDS = 3600
#: A task that is killed ends nothing, but its end of this pipe closes: then the service goes, and its folder.
_WATCH = 'read -r end; kill -s TERM -- "-$0"; rm -rf -- "$1"'
_END_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_SAID_BYTES = 4096
_SAID_LINES = 5
_SOCKET_PATH_LIMIT = 100  # sun_path has 108 bytes
#: What podman needs to know; nothing else of the task's environment is anybody's business.
_PASSED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS", "SSL_CERT_FILE"}
    | {"SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
)
_PASSED_PREFIXES = ("XDG_", "LC_", "CONTAINERS_", "_CONTAINERS_", "STORAGE_")
#: These lead podman to another storage than the one of the system's service.
_LEADING_ELSEWHERE = ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER", "STORAGE_OPTS")


class PodmanService:
    """Connections to podman's API, on the storage that the user's ``podman`` has. Safe for use by several threads.

    An ``address`` is taken as it is. Without one it is podman's own socket of this user (``/run/podman/podman.sock``
    for root, else below ``XDG_RUNTIME_DIR``), provided that somebody accepts connections there: one that systemd
    listens on does, a file that a service left behind does not. Else, and where the environment or ``ca_path`` asks for
    other settings than such a service has, a service is started on a private socket when it is first needed, and ended
    by ``close``, or with the task that is killed. Its environment holds what podman needs, no credentials, and auth
    files that are empty.
    """

    def __init__(self, address: str, *, executable: str, timeout: float, ca_path: str) -> None:
        """Look nowhere and start nothing yet.

        ``timeout`` is in seconds, for connecting, for each wait for bytes, and for the start. ``ca_path`` names a file
        or folder of certificates that registries may have; whoever serves ``address`` has settings of their own.

        Raises:
            InputError: bad-engine-address.
            UnsupportedError: engine-address-unsupported.
        """
        self._executable = executable or "podman"
        self._timeout = timeout
        self._ca_path = ca_path
        self._lock = threading.Lock()
        self._endpoint = EngineEndpoint.parse(address) if address else None
        self._started: _Started | None = None

    @property
    def place(self) -> str:
        """What tells this engine apart for people: the address, or how it is started."""
        with self._lock:
            self._endpoint = self._endpoint or self._existing()
            is_served = self._endpoint is not None and self._started is None
            return str(self._endpoint) if is_served else f"{self._executable} system service"

    @property
    def is_local(self) -> bool:
        """Whether the engine's files are this machine's."""
        with self._lock:
            return self._endpoint is None or self._endpoint.scheme == "unix"

    def connect(self) -> EngineConnection:
        """Return a new connection, which is made at its first request; the caller closes it.

        Raises:
            PeerError: podman-service-failed: the service ended, or did not listen in time; ``why`` has what it said.
            NotFoundError: program-missing.
            UnsupportedError: program-not-runnable.
        """
        with self._lock:
            self._endpoint = self._endpoint or self._existing()
            if self._endpoint is None:
                self._started = _Started(self._executable, ca_path=self._ca_path)
                try:
                    self._started.await_readiness(self._timeout)
                except BaseException:
                    self._end()
                    raise
                self._endpoint = self._started.endpoint
            return EngineConnection(self._endpoint, timeout=self._timeout, start_hint=START_HINT)

    def close(self) -> None:
        """End the service that was started here, with all its children, and remove its folder. Idempotent."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        started, self._started = self._started, None
        if started is not None:
            self._endpoint = None
            started.end()

    def _existing(self) -> EngineEndpoint | None:
        if self._ca_path or self._started is not None or any(os.environ.get(name) for name in _LEADING_ELSEWHERE):
            return None
        path = _usual_socket(os.environ)
        return EngineEndpoint("unix", path) if _is_answered(path) else None


class _Started:
    """A service that belongs to this task: its process, and the folder that only this user may enter."""

    def __init__(self, executable: str, *, ca_path: str) -> None:
        from .process import start

        self._executable = executable
        self._folder = _private_folder()
        self.endpoint = EngineEndpoint("unix", os.path.join(self._folder, "podman.sock"))
        self._complaints = os.path.join(self._folder, "stderr")
        command = [executable, "system", "service", "--time", str(_IDLE_SECONDS), str(self.endpoint)]
        try:
            environment = program_environment(os.environ, folder=self._folder, ca_path=ca_path)
            with open(self._complaints, "wb") as complaints:
                self._process = start(command, env=environment, stderr=complaints)
        except BaseException:
            self._remove_folder()
            raise
        try:
            self._watcher = start(["/bin/sh", "-c", _WATCH, str(self._process.pid), self._folder])
        except BaseException:
            _end_group(self._process)
            self._remove_folder()
            raise
        watched = (self._watcher.stdout, self._watcher.stderr)
        for pipe in (self._process.stdin, self._process.stdout, *watched):
            if pipe is not None:
                pipe.close()

    def await_readiness(self, seconds: float) -> None:
        """Return when connections are accepted."""
        import time

        deadline = time.monotonic() + seconds
        while not _is_answered(self.endpoint.address):
            if self._process.poll() is not None:
                raise self._failure(f"it ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(f"it did not listen after {seconds:g} s")
            time.sleep(_LOOK_SECONDS)

    def end(self) -> None:
        """End the process and its children: first asked, then at once."""
        from .process import kill_group

        _end_group(self._process)
        kill_group(self._watcher)
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
        self._remove_folder()

    def _failure(self, why: str) -> PeerError:
        with open(self._complaints, "rb") as complaints:
            complaints.seek(max(0, os.path.getsize(self._complaints) - _SAID_BYTES))
            said = redact(complaints.read().decode(errors="replace")).strip().splitlines()[-_SAID_LINES:]
        return PeerError(
            f"The service of {self._executable} could not be started",
            code="podman-service-failed",
            why="; ".join([why, *said]),
            fix=f"Run {self._executable} info on the host as the user of the task: it shows what is wrong with podman",
            subject=self._executable,
        )

    def _remove_folder(self) -> None:
        import shutil

        shutil.rmtree(self._folder, ignore_errors=True)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    import contextlib
    import signal
    import subprocess

    from .process import kill_group

    for step in _descendants(process.pid):  # a build that was given up runs in a group of its own, and goes on
        with contextlib.suppress(OSError):
            if os.getpgid(step) != process.pid:
                os.kill(step, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    kill_group(process)


def _descendants(process_id: int) -> Iterator[int]:
    """Yield the processes below one. Source: proc(5), "/proc/pid/task/tid/children"."""
    import glob

    for path in glob.glob(f"/proc/{process_id}/task/*/children"):
        try:
            with open(path, "rb") as stream:
                children = stream.read().split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


def _private_folder() -> str:
    """Make a folder of mode 0700 whose path leaves room for a socket's name."""
    import tempfile

    folder = tempfile.mkdtemp(prefix="podman-")
    if len(folder) + len("/podman.sock") > _SOCKET_PATH_LIMIT:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="podman-", dir="/tmp")
    return folder


def program_environment(environ: Mapping[str, str], *, folder: str, ca_path: str) -> dict[str, str]:
    """Return the environment of podman or buildah, and write into ``folder`` what it names.

    podman fails every pull when ``DOCKER_CONFIG`` names a folder without ``config.json``, and where we give it no login
    it would send what it finds in such a file.
    """
    auth_file = os.path.join(folder, "config.json")
    with open(auth_file, "w", encoding="utf-8") as empty:
        empty.write("{}")
    passed = {name: value for name, value in environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)}
    passed.update(DOCKER_CONFIG=folder, REGISTRY_AUTH_FILE=auth_file)
    if ca_path:
        passed["SSL_CERT_DIR"] = _certificates(ca_path, folder)
    return passed


def _certificates(ca_path: str, folder: str) -> str:
    """Return a folder of certificates; Go reads the system's bundle beside it."""
    path = os.path.abspath(os.path.expanduser(ca_path))
    if os.path.isdir(path):
        return path
    place = os.path.join(folder, "certificates")
    os.mkdir(place)
    os.symlink(path, os.path.join(place, "authority.pem"))
    return place


def _usual_socket(environ: Mapping[str, str]) -> str:
    """Return where podman's own unit listens for this user. Source: podman-system-service(1)."""
    user = os.geteuid()
    if user == 0:
        return "/run/podman/podman.sock"
    return os.path.join(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}", "podman", "podman.sock")


def _is_answered(path: str) -> bool:
    import contextlib
    import socket

    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.settimeout(_LOOK_SECONDS * 50)
        probe.connect(path)
        return True
    return False
