# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A full disk under each engine: told before anything moves; when it fills on the way, nothing half-named stays."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack

import pytest
from ansible_collections.fleet.images.tests.support.containerd import start_containerd
from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd
from ansible_collections.fleet.images.tests.support.engine_hosts import (
    ContainerdHost,
    DockerHost,
    EngineHost,
    LayoutHost,
    PodmanHost,
)
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Repository
from ansible_collections.fleet.images.tests.support.podman import Podman
from ansible_collections.fleet.images.tests.support.programs import require
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.small_disk import SmallDisk, small_disk

if t.TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
#: What a pull says when the disk fills under it: daemons in words of their own, our own store by code.
CODES = {
    "layout": "disk-full",
    "containerd": "engine-failed",
    "docker": "engine-pull-failed",
    "podman": "engine-pull-failed",
}


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(192 * MIB) as made:
        yield made


@pytest.fixture(params=["layout", "docker", "podman", "containerd"])
def small_host(request: pytest.FixtureRequest, disk: SmallDisk) -> Iterator[EngineHost]:
    """Yield a host whose engine keeps everything on the small disk."""
    folder = disk.folder / "e"
    with ExitStack() as stack:
        if request.param == "docker":
            yield DockerHost(stack.enter_context(start_dockerd(folder)))
        elif request.param == "containerd":
            yield ContainerdHost(stack.enter_context(start_containerd(folder)), folder)
        elif request.param == "podman":
            require("podman", "runc", "conmon")
            podman = Podman(folder)
            stack.callback(podman.clear)
            yield PodmanHost(podman)
        else:
            yield LayoutHost(folder)


def test_what_has_no_room_is_refused_before_anything_moves_and_what_fills_the_disk_leaves_no_name(
    small_host: EngineHost, disk: SmallDisk, repository: Repository
) -> None:
    small = make_image({"v": b"small"})
    repository.push("small", small)
    # Layers that travel light and weigh much: 2 MiB of noise, and 64 MiB of zeros in the last one's place.
    big = make_image({"zeros": bytes(64 * MIB)}, layers=2, random_bytes=2 * MIB, seed=7)
    repository.push("big", big)
    held = {f"{repository}:small": small.config.digest}
    small_host.do("image_pull", name=f"{repository}:small", disk_margin="0")
    disk.leave(24 * MIB)
    with CountingProxy(repository.registry.url) as proxy:
        name = f"{proxy.host}/{repository.path}:big"
        error = small_host.refuse("image_pull", name=name)
        assert error["code"] == "not-enough-space"
        assert str(disk.folder) in error["msg"]
        for part in ("to fetch", "200.0 MiB", "are free", "disk_margin"):
            assert part in error["msg"], error["msg"]
        assert [layer for layer in big.layers if proxy.count(path=layer.digest)] == []

        # The bytes that travel have room. What they unpack to has none.
        announced = small_host.announce("image_pull", name=name, disk_margin="1MiB")
        assert announced["changed"] is True
        if small_host.engine == "layout":  # it unpacks nothing: let the guard look away
            disk.clear()
            disk.leave(3 * MIB)
        run = small_host.run("image_pull", name=name, disk_margin="-1GiB").result
        assert run["failed"]
        assert "Traceback" not in run["msg"]
        assert run["error"]["code"] == CODES[small_host.engine]
        if small_host.engine != "layout":
            assert "no space left on device" in run["msg"]
        assert small_host.images() == held
        assert [digest for digest in small_host.digests() if proxy.host in digest] == []

        disk.clear()
        small_host.settle("image_pull", name=name, disk_margin="1MiB")
        assert small_host.images() == {**held, name: big.config.digest}
