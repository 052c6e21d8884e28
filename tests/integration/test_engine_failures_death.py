# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engines that die in the middle of a pull: told as such, nothing half-named, and the next run completes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.containerd import start_containerd
from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd
from ansible_collections.fleet.images.tests.support.engine_hosts import (
    ContainerdHost,
    DockerHost,
    EngineHost,
    PodmanHost,
)
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Repository
from ansible_collections.fleet.images.tests.support.podman import start_podman
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.slow_link import SlowLink

if t.TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

MIB = 1 << 20


@pytest.fixture
def image(repository: Repository) -> MadeImage:
    """Return an image of two layers of noise, 4 MiB in all, which is at the registry as "big"; "small" is beside it."""
    made = make_image(layers=2, random_bytes=2 * MIB, seed=9)
    repository.push("big", made)
    repository.push("small", make_image({"v": b"small"}))
    return made


@pytest.fixture
def link(repository: Repository) -> Iterator[SlowLink]:
    """Yield a link to the registry that takes two seconds for the big image."""
    with SlowLink(repository.registry.url, rate=2 * MIB) as made:
        yield made


def interrupted(host: EngineHost, link: SlowLink, name: str, *, kill: Callable[[], None], **options: t.Any) -> t.Any:
    """Return the result of a pull during which ``kill`` was called, after 1 MiB."""
    start = link.passed
    pull = host.start("image_pull", name=name, **options)
    assert link.wait_for(start + MIB, unless=lambda: pull.poll() is not None), result_of(pull)
    kill()
    return result_of(pull)


def result_of(process: subprocess.Popen[bytes]) -> dict[str, t.Any]:
    """Return what a module that was started in the background gave."""
    output, _errors = process.communicate(timeout=60)
    result = json.loads(output.decode().strip().splitlines()[-1])
    assert isinstance(result, dict)
    return result


def assert_lost(result: dict[str, t.Any], *, start: str) -> None:
    """Fail unless this is the error of an engine that went away, which says what to do."""
    assert result["failed"]
    assert result["error"]["code"] in ("engine-connection-lost", "engine-unreachable"), result
    assert start in result["msg"], result
    assert "Traceback" not in json.dumps(result)


def test_dockerd_dies_during_a_pull(
    tmp_path: Path, repository: Repository, image: MadeImage, link: SlowLink
) -> None:
    with start_dockerd(tmp_path / "docker") as daemon:
        host = DockerHost(daemon)
        host.do("image_pull", name=f"{repository}:small")
        held, name = host.images(), f"{link.host}/{repository.path}:big"
        result = interrupted(host, link, name, kill=daemon.kill)
        assert_lost(result, start="restarted")
        for check in (True, False):
            refused = host.run("image_pull", name=name, check=check).result
            assert refused["error"]["code"] == "engine-unreachable"
            assert "systemctl start docker" in refused["msg"]
        daemon.start()
        assert host.images() == held
        assert [digest for digest in host.digests() if link.host in digest] == []
        host.settle("image_pull", name=name)
        assert host.images() == {**held, name: image.config.digest}


def test_dockerd_is_restarted_during_a_pull_and_waited_for(
    tmp_path: Path, repository: Repository, image: MadeImage, link: SlowLink
) -> None:
    with start_dockerd(tmp_path / "docker") as daemon:
        host, name = DockerHost(daemon), f"{link.host}/{repository.path}:big"

        def restart() -> None:
            daemon.kill()
            daemon.start()

        result = interrupted(host, link, name, kill=restart, retry=10, retry_delay=1)
        assert "failed" not in result, result
        assert host.images() == {name: image.config.digest}
        host.rest("image_pull", name=name)


@pytest.mark.parametrize("is_started_by_the_task", [False, True])
def test_podmans_service_dies_during_a_pull(
    repository: Repository, image: MadeImage, link: SlowLink, is_started_by_the_task: bool
) -> None:
    with start_podman() as podman:
        host = PodmanHost(podman)
        host.do("image_pull", name=f"{repository}:small")
        held, name = host.images(), f"{link.host}/{repository.path}:big"
        if is_started_by_the_task:
            children = children_of(os.getpid())
            result = interrupted(host, link, name, kill=lambda: kill_grandchild(children, b"podman\0system\0service"))
        else:
            with podman.service() as service:
                options = {"docker_host": service.address}
                result = interrupted(
                    host, link, name, kill=lambda: os.kill(service.pid, signal.SIGKILL), **options
                )
            refused = host.refuse("image_pull", name=name, **options)
            assert refused["code"] == "engine-unreachable"
            assert "systemctl start podman.socket" in refused["msg"]
        assert_lost(result, start="restarted")
        assert host.images() == held
        assert [digest for digest in host.digests() if link.host in digest] == []
        host.settle("image_pull", name=name)
        assert host.images() == {**held, name: image.config.digest}


def test_containerd_dies_during_an_import(tmp_path: Path, repository: Repository, image: MadeImage) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="containerd-") as folder,
        start_containerd(Path(folder)) as daemon,
        CountingProxy(repository.registry.url) as proxy,
    ):
        host = ContainerdHost(daemon, tmp_path)
        host.do("image_pull", name=f"{repository}:small")
        held, name = host.images(), f"{proxy.host}/{repository.path}:big"
        content = daemon.content(host.namespace)
        # ctr as it is; but the first half of what it is to import goes in before the daemon dies, the rest behind.
        deadly = tmp_path / "ctr"
        ctr = shutil.which("ctr")
        deadly.write_text(
            f'#!/bin/sh\ncase "$*" in *"images import"*)\n'
            f'  {{ head -c {2 * MIB}; kill -9 {daemon.pid}; cat; }} | {ctr} "$@"; exit;;\nesac\nexec {ctr} "$@"\n',
            encoding="utf-8",
        )
        deadly.chmod(0o755)
        result = host.run("image_pull", name=name, executable=str(deadly), timeout=20).result
        assert_lost(result, start="restarted")
        daemon.kill()
        refused = host.run("image_pull", name=name, check=True).result
        assert refused["error"]["code"] == "engine-unreachable"
        assert "systemctl start containerd" in refused["msg"]
        daemon.start()
        assert host.images() == held
        proxy.reset()
        host.do("image_pull", name=name)
        assert proxy.count(path="/blobs/") == 0, "what was fetched before was fetched again"
        assert host.images() == {**held, name: image.config.digest}
        assert daemon.content(host.namespace) > content
        host.rest("image_pull", name=name)


def children_of(pid: int) -> set[int]:
    """Return the processes that ``pid`` started."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1]) == pid:
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


def kill_grandchild(known: set[int], words: bytes) -> None:
    """Kill the process whose command line has ``words``, below a child of this process that is not ``known``."""
    below = children_of(os.getpid()) - known
    (victim,) = [
        pid for child in below for pid in children_of(child) if words in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(victim, signal.SIGKILL)
