# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that are there: what a task asks the engine and registries then does not grow with their number."""

from __future__ import annotations

import re
import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import (
    ContainerdHost,
    DockerHost,
    EngineHost,
    PodmanHost,
)
from ansible_collections.fleet.images.tests.support.images import make_image, push
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.socket_proxy import socket_proxy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.registry import Registry

#: Podman takes long to list and to pull: a few show as well as many what grows.
COUNTS = {"docker": 100, "podman": 8, "containerd": 20}


class Counted(t.NamedTuple):
    """How often the engine and the registry were asked by the last run; ``engine`` tells each question."""

    engine: list[str]
    registry: int


class Fleet:
    """A host that has a number of images, and a proxy before their registry."""

    def __init__(self, host: EngineHost, proxy: CountingProxy, names: dict[str, str], *, folder: Path) -> None:
        self.host = host
        self.proxy = proxy
        self.names = names
        self._folder = folder

    def rest(self, module: str, **options: t.Any) -> Counted:
        """Run a module that must find nothing to do, and count."""
        self.proxy.reset()
        if isinstance(self.host, ContainerdHost):
            asked = self._rest_by_program(module, options)
        else:
            asked = self._rest_by_socket(module, options)
        return Counted(asked, len(self.proxy.exchanges()))

    def _rest_by_socket(self, module: str, options: dict[str, t.Any]) -> list[str]:
        from contextlib import ExitStack

        with ExitStack() as stack:
            if isinstance(self.host, DockerHost):
                target = self.host.daemon.socket
            elif isinstance(self.host, PodmanHost):
                target = Path(stack.enter_context(self.host.podman.service()).address.removeprefix("unix://"))
            else:
                raise TypeError(self.host.engine)
            between = stack.enter_context(socket_proxy(self._folder / "s", target=target))
            stack.callback((self._folder / "s").unlink)
            self.host.rest(module, docker_host=between.address, **options)
        return [re.sub(r" (/v[0-9.]+)?(/libpod)?", " ", row.partition("?")[0]) for row in between.requests]

    def _rest_by_program(self, module: str, options: dict[str, t.Any]) -> list[str]:
        log, program = self._folder / "log", self._folder / "ctr"
        real = shutil.which("ctr")
        program.write_text(f'#!/bin/sh\necho "$@" >>{log}\nexec {real} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        log.write_text("", encoding="utf-8")
        self.host.rest(module, executable=str(program), **options)
        rows = log.read_text(encoding="utf-8").splitlines()
        return [" ".join(word for word in row.split() if not word.startswith("--")) for row in rows]


@pytest.fixture
def fleet(engine_host: EngineHost, shared_registry: Registry) -> Iterator[Fleet]:
    """Yield a host that holds many images by tag; they share a layer."""
    with CountingProxy(shared_registry.url) as proxy, tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        names = {}
        for number in range(COUNTS[engine_host.engine]):
            path, image = f"many/app{number}", make_image(labels={"n": str(number)})
            names[f"{proxy.host}/{path}"] = push(shared_registry, path, image, tag="1")
        done = engine_host.do("image_state", images=[{"image": f"{name}:1"} for name in names], parallel=8)
        assert len(done["actions"]) == len(names)
        yield Fleet(engine_host, proxy, names, folder=Path(folder))


@pytest.mark.parametrize("engine_host", ["docker", "podman", "containerd"], indirect=True)
def test_many_images_that_are_there_cost_as_much_as_one(fleet: Fleet) -> None:
    asked = []
    for form, policy in (("{}:1", "missing"), ("{}:1@{}", "always"), ("{}@{}", "always")):
        items = [{"image": form.format(name, digest)} for name, digest in fleet.names.items()]
        asked.append(fleet.rest("image_state", images=items, pull=policy))
    asked.append(fleet.rest("image_pull", name=[f"{name}:1" for name in fleet.names], pull="missing"))
    asked.append(fleet.rest("image_pull", name=f"{next(iter(fleet.names))}:1", pull="missing"))
    assert all(counted == asked[0] for counted in asked)
    assert asked[0].registry == 0
    assert_few(asked[0].engine, fleet.host.engine)

    # Following the tags costs one question for each, at their registry.
    followed = fleet.rest("image_pull", name=[f"{name}:1" for name in fleet.names], pull="newer", parallel=8)
    assert followed.registry == len(fleet.proxy.exchanges(method="HEAD", path="/manifests/")) == len(fleet.names)
    assert followed.engine == asked[0].engine


def assert_few(questions: list[str], engine: str) -> None:
    """Fail unless these are the questions of a run that finds all as wanted."""
    if engine == "containerd":
        assert questions == ["images ls", "content ls -q"]
        return
    assert questions in (["GET /version", "GET /images/json"], ["GET /_ping", "GET /images/json"])
