# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep a docker-registry that caches another registry serving, also while that one is away, and within its disk limit.

docker-registry 2.8 ends at its start when its upstream does not answer: a reboot during an outage would take the cache
away as well. Here it is started without the proxy then, read-only, on what it holds, and as a proxy as soon as the
upstream answers. A proxy's content is only ever added to: when it outgrows its limit, docker-registry's own collector
removes it, a repository at a time, the one that got nothing new for the longest time first.

Ends with status 0 on SIGTERM or SIGINT, and with 1 when docker-registry ended by itself: what starts services tries
again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.request

_STOP = {signal.SIGTERM, signal.SIGINT}
_SIGNALS = _STOP | {signal.SIGCHLD}
_ROOM_LEFT = 0.9  # of the limit: so that the collector does not run for every new layer


class Settings(t.NamedTuple):
    """Paths, the upstream's base URL, bytes and seconds."""

    program: str
    online: str
    offline: str
    upstream: str
    ca: str
    data: str
    max_bytes: int
    weigh_seconds: float
    retry_seconds: float


def main() -> int:
    """Serve until a signal says stop, and return the exit status."""
    settings = _settings()
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    verdict = "again"
    while verdict == "again":
        trim(settings)
        is_online = answers(settings.upstream, ca=settings.ca)
        server = _start(settings, "online" if is_online else "offline")
        try:
            verdict = _watch(server, settings, is_online=is_online)
        finally:
            _stop(server)
    return 0 if verdict == "stop" else 1


def answers(upstream: str, *, ca: str) -> bool:
    """Say whether a registry answers at ``upstream``, whatever it answers; docker-registry starts as a proxy then."""
    handlers: list[urllib.request.BaseHandler] = []
    if upstream.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca or None)))
    try:
        urllib.request.build_opener(*handlers).open(f"{upstream}/v2/", timeout=10).close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, ValueError) as error:
        _say(f"{upstream} does not answer: {error}")
        return False
    return True


def used_bytes(folder: str) -> int:
    """Return what the files below ``folder`` take on the disk; files that go meanwhile count nothing."""
    total = 0
    for path, _folders, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def trim(settings: Settings) -> None:
    """Bring the content below its limit, if it is above it. The server must not run meanwhile.

    Where the collector fails, which it does on content that a crash left behind, everything goes.
    """
    used = used_bytes(settings.data)
    if used <= settings.max_bytes:
        return
    for repository in repositories(settings.data):
        _say(f"{used} bytes of {settings.max_bytes} used: {repository} goes")
        shutil.rmtree(repository)
        status = _collect(settings)
        if status < 0:  # ended by a signal: the host goes down
            return
        used = used_bytes(settings.data)
        if status or used <= settings.max_bytes * _ROOM_LEFT:
            break
    if used > settings.max_bytes:
        _say(f"{used} bytes of {settings.max_bytes} used: everything goes")
        shutil.rmtree(os.path.join(settings.data, "docker"), ignore_errors=True)


def repositories(data: str) -> list[str]:
    """Return the folders of all repositories in the store, the one with the oldest news first."""
    found = []
    for path, folders, _names in os.walk(os.path.join(data, "docker", "registry", "v2", "repositories")):
        if "_manifests" in folders or "_layers" in folders:
            own = [name for name in folders if name.startswith("_")]
            found.append((max(_newest(os.path.join(path, name)) for name in own), path))
            folders[:] = [name for name in folders if not name.startswith("_")]
    return [path for _time, path in sorted(found)]


def _newest(folder: str) -> float:
    return max(os.stat(path).st_mtime for path, _folders, _names in os.walk(folder))


def _collect(settings: Settings) -> int:
    command = [settings.program, "garbage-collect", settings.offline]
    return subprocess.run(
        command, stdout=subprocess.DEVNULL, preexec_fn=_unblock, env=_environment(settings), check=False
    ).returncode


def _start(settings: Settings, mode: str) -> subprocess.Popen[bytes]:
    _say(f"serving {'as a proxy of ' + settings.upstream if mode == 'online' else 'what is held, read-only'}")
    path = settings.online if mode == "online" else settings.offline
    # The server's signals are its own: those blocked here must reach it.
    return subprocess.Popen([settings.program, "serve", path], preexec_fn=_unblock, env=_environment(settings))


def _watch(server: subprocess.Popen[bytes], settings: Settings, *, is_online: bool) -> str:
    """Return "stop" on a signal, "ended" when the server ended, "again" when it must be started anew."""
    weighed = time.monotonic()
    pause = settings.weigh_seconds if is_online else settings.retry_seconds
    while True:
        received = signal.sigtimedwait(_SIGNALS, pause)
        if received is not None and received.si_signo in _STOP:
            return "stop"
        if server.poll() is not None:
            _say(f"docker-registry ended with status {server.returncode}")
            return "ended"
        if not is_online and answers(settings.upstream, ca=settings.ca):
            return "again"
        if is_online and time.monotonic() - weighed >= settings.weigh_seconds:
            weighed = time.monotonic()
            if used_bytes(settings.data) > settings.max_bytes:
                return "again"


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
    server.wait()


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _environment(settings: Settings) -> dict[str, str]:
    trusted = {"SSL_CERT_FILE": settings.ca} if settings.ca else {}
    return {**os.environ, "OTEL_TRACES_EXPORTER": "none", **trusted}


def _say(text: str) -> None:
    sys.stdout.write(f"registry-cache: {text}\n")
    sys.stdout.flush()


def _settings() -> Settings:
    parser = argparse.ArgumentParser(description="Keep a caching docker-registry serving.")
    for name in ("program", "online", "offline", "upstream", "data"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--ca", default="")
    parser.add_argument("--max-bytes", type=int, required=True)
    parser.add_argument("--weigh-seconds", type=float, default=600)
    parser.add_argument("--retry-seconds", type=float, default=10)
    return Settings(**vars(parser.parse_args()))


if __name__ == "__main__":
    raise SystemExit(main())
