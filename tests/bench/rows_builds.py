# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows 13 to 15: builds that have nothing to do, and builds from nothing, beside docker and buildah."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import typing as t

import pytest
from ansible_collections.fleet.images.tests.bench.contest import Contest, Line, Row, expect
from ansible_collections.fleet.images.tests.bench.place import clear, own_time, process_time
from ansible_collections.fleet.images.tests.bench.plays import run_tasks
from ansible_collections.fleet.images.tests.bench.shapes import KIB, MIB, write_context
from ansible_collections.fleet.images.tests.support import skopeo

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ansible_collections.fleet.images.tests.bench.contest import Measures
    from ansible_collections.fleet.images.tests.bench.place import Place


def _client() -> str:
    """Return a docker on PATH that speaks to BuildKit: before version 23 all do, since then with buildx alone."""
    found = [path for place in os.get_exec_path() if (path := shutil.which("docker", path=place))]
    for path in found:
        version = subprocess.run([path, "--version"], capture_output=True, check=False).stdout.decode()
        buildx = subprocess.run([path, "buildx", "version"], capture_output=True, check=False)
        if buildx.returncode == 0 or int(version.split("version ")[1].split(".")[0]) < 23:
            return path
    pytest.skip(f"no docker that speaks to BuildKit among {found}: a newer one needs buildx")


class _AtRest:
    """A context that was built by everybody, and did not change since."""

    def __init__(self, place: Place, context: Path) -> None:
        self._place, self._context, self._client = place, context, _client()
        self._around = {"XDG_CACHE_HOME": str(place.folder / "cache")}
        address = place.dockerd.address
        self._ours = {"name": "bench/ours:1", "path": str(context), "engine": "docker", "docker_host": address}
        build = {"path": str(context)}
        self._peer = {"name": "bench/peer:1", "source": "build", "build": build, "force_source": True}
        self._peer["docker_host"] = address
        own_time("image_build", self._ours, changes=True, environment=self._around)
        for is_buildkit in (False, True):
            self._docker(is_buildkit=is_buildkit)

    def ours(self) -> Measures:
        """Let our module find that nothing is to be done: its own time."""
        before = self._id("bench/ours:1")
        seconds = own_time("image_build", self._ours, changes=False, environment=self._around)
        expect("the image is the same", holds=self._id("bench/ours:1") == before)
        return {"ours": seconds}

    def classic(self) -> Measures:
        """Let the classic builder find everything in its cache."""
        return {"classic": self._cached(is_buildkit=False)}

    def buildkit(self) -> Measures:
        """Let BuildKit find everything in its cache."""
        return {"buildkit": self._cached(is_buildkit=True)}

    def our_play(self) -> Measures:
        """Run a whole play with our module."""
        return {"our play": self._play("fleet.images.image_build", self._ours)}

    def their_play(self) -> Measures:
        """Run a whole play with the peer's module."""
        return {"their play": self._play("community.docker.docker_image", self._peer)}

    def first_play(self) -> None:
        """Let the peer's module build, which it has not done before."""
        run_tasks([{"name": "build", "community.docker.docker_image": self._peer}], self._place.folder / "home")

    def _play(self, module: str, options: dict[str, t.Any]) -> float:
        home = self._place.folder / "home"
        return run_tasks([{"name": "build", module: options}], home, environment=self._around).unchanged(1).seconds

    def _cached(self, *, is_buildkit: bool) -> float:
        name = f"bench/cached-{int(is_buildkit)}"
        before = self._id(name)
        seconds = self._docker(is_buildkit=is_buildkit)
        expect("the image is the same", holds=self._id(name) == before)
        return seconds

    def _docker(self, *, is_buildkit: bool) -> float:
        daemon, switch = self._place.dockerd, str(int(is_buildkit))
        command = [self._client, "-H", daemon.address, "build", "-q", "-t", f"bench/cached-{switch}"]
        around = {"DOCKER_BUILDKIT": switch, "DOCKER_CONFIG": str(self._place.folder / "client")}
        return process_time(*command, str(self._context), environment=around)

    def _id(self, name: str) -> bytes:
        return self._place.dockerd.cli("image", "inspect", "--format", "{{.Id}}", name)


def at_rest(place: Place) -> Contest:
    """2,000 files, 20 MiB."""
    rest = _AtRest(place, write_context(place.folder / "context", files=2000, size=10 * KIB))
    rest.first_play()
    return Contest([rest.ours, rest.classic, rest.buildkit, rest.our_play, rest.their_play])


def at_rest_large(place: Place) -> Contest:
    """20,000 files, 200 MiB."""
    rest = _AtRest(place, write_context(place.folder / "context", files=20_000, size=10 * KIB))
    return Contest([rest.ours, rest.classic, rest.buildkit])


def _afresh(place: Place, *, files: int, size: int) -> Contest:
    context = write_context(place.folder / "context", files=files, size=size)
    store, cache, root = (place.folder / name for name in ("store", "cache", "buildah"))
    options = {"engine": "layout", "store": str(store), "name": "bench/fresh:1", "path": str(context)}
    around = {"XDG_CACHE_HOME": str(cache)}

    def ours() -> Measures:
        seconds = own_time("image_build", options, changes=True, environment=around)
        made = skopeo.image_config(f"oci:{store}:docker.io/bench/fresh:1")
        expect("our image has the layer", holds=len(made["rootfs"]["diff_ids"]) == 1)
        return {"ours": seconds}

    def peer() -> Measures:
        own = ["--root", f"{root}/root", "--runroot", f"{root}/run", "--storage-driver", "overlay"]
        seconds = process_time("buildah", *own, "bud", "--quiet", "--no-cache", "-t", "bench", str(context))
        shown = ["buildah", *own, "inspect", "--type", "image", "--format", "{{len .OCIv1.RootFS.DiffIDs}}", "bench"]
        layers = subprocess.run(shown, check=True, capture_output=True).stdout.decode().strip()
        expect(f"buildah's image has the layer, not {layers}", holds=layers == "1")
        return {"peer": seconds}

    return Contest([ours, peer], start=lambda: clear(store, cache, root))


_Prepare: t.TypeAlias = "Callable[[Place], Contest]"
afresh_many: _Prepare = functools.partial(_afresh, files=2000, size=10 * KIB)
afresh_one: _Prepare = functools.partial(_afresh, files=1, size=200 * MIB)

ROWS = (
    Row(
        [
            Line(
                13,
                "unchanged build, 2,000 files, 20 MiB (whole play)",
                "docker_image",
                2,
                ours="our play",
                peer="their play",
            ),
            Line(13, "the same (own time)", "docker build, classic, cached", 5, peer="classic"),
            Line(13, "the same (own time)", "docker build, BuildKit, cached", 0.8, peer="buildkit"),
        ],
        at_rest,
    ),
    Row(
        [
            Line(14, "unchanged build, 20,000 files, 200 MiB", "docker build, classic, cached", 10, peer="classic"),
            Line(14, "the same", "docker build, BuildKit, cached", 1.0, peer="buildkit"),
        ],
        at_rest_large,
    ),
    Row([Line(15, "fresh build without RUN, 2,000 files, 20 MiB", "buildah bud", 1.0)], afresh_many),
    Row([Line(15, "fresh build without RUN, one file of 200 MiB", "buildah bud", 1.0)], afresh_one),
)
