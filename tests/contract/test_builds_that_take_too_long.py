# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that pass the task's deadline: stopped with all that they run, nothing named, built when there is time."""

from __future__ import annotations

import os
import secrets
import select
import signal
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.build_contexts import busybox
from ansible_collections.fleet.images.tests.support.engine_hosts import RootlessPodmanHost
from ansible_collections.fleet.images.tests.support.lifecycle import kinds

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost

NAME = "docker.io/team/slow:1"
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
ARG PAUSE
RUN ["/bin/busybox", "sh", "-c", "echo it waits; /bin/busybox sleep $PAUSE"]
"""
WITH_SECRET = DOCKERFILE.replace("RUN ", "RUN --mount=type=secret,id=one ")
DEADLINE_SECONDS = 4
END_SECONDS = 30


def processes(argument: str) -> list[str]:
    """Return the IDs of the processes of this machine that run with ``argument``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:  # it ended meanwhile
            continue
        if argument.encode() in words:
            found.append(path.parent.name)
    return found


def await_end(argument: str) -> None:
    """Return once no process runs with ``argument``; fails when one stays."""
    for _turn in range(END_SECONDS * 10):
        if not processes(argument):
            return
        select.select([], [], [], 0.1)
    raise AssertionError(f"{argument} still runs: {processes(argument)}")


@pytest.mark.parametrize("dockerfile", [DOCKERFILE, WITH_SECRET], ids=["plain", "with a secret"])
def test_a_build_that_passes_the_deadline_is_stopped_and_the_next_one_is_done(
    engine_host: EngineHost, tmp_path: Path, needs: t.Callable[..., None], dockerfile: str
) -> None:
    has_no_containers = engine_host.engine in ("layout", "containerd")
    if has_no_containers:
        needs("buildah")
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text(dockerfile, encoding="utf-8")
    (tmp_path / "context/busybox").write_bytes(busybox())
    (tmp_path / "context/busybox").chmod(0o755)
    params: dict[str, t.Any] = {
        "name": "team/slow:1",
        "path": str(tmp_path / "context"),
        "network": "host",
        "secrets": [{"id": "one", "value": "a value of some length"}] if dockerfile == WITH_SECRET else [],
    }
    pause = str(secrets.randbelow(10**6) + 10**6)
    slow = engine_host.run("image_build", deadline=DEADLINE_SECONDS, args={"PAUSE": pause}, **params).result
    assert (slow.get("failed"), slow.get("error", {}).get("code")) == (True, "deadline-passed"), slow
    if isinstance(engine_host, RootlessPodmanHost):  # the service is somebody else's: a step that runs goes on there
        for step in processes(pause):
            os.kill(int(step), signal.SIGKILL)
    await_end(pause)
    assert NAME not in engine_host.images()
    assert has_no_containers or engine_host.containers() == {}
    assert kinds(engine_host.do("image_build", args={"PAUSE": "0"}, **params)) == ["build"]
    assert NAME in engine_host.images()
    engine_host.rest("image_build", args={"PAUSE": "0"}, **params)
