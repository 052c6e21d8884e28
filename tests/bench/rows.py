# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows of ``make bench``: the same work for a module and for a peer, and the proof that it was done.

A row prepares its work once; ``ours`` and ``peer`` then do it once each, from the same start, and return seconds: of
the module what it reports as its own time (``elapsed``), of a peer its whole process. What was to be there afterwards
is checked after each, so no figure comes from work left undone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.tests.support import images, skopeo
from ansible_collections.fleet.images.tests.support.module import run_module

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.tests.support.registry import Registry

MIB = 1024 * 1024


class Work(t.NamedTuple):
    """A row ready to run. ``start`` brings both sides back to where they begin and is not timed."""

    start: Callable[[], None]
    ours: Callable[[], float]
    peer: Callable[[], float]


class Row(t.NamedTuple):
    """One comparison; ``goal`` is the least ratio peer / ours that is aimed at."""

    number: int
    name: str
    peer_name: str
    goal: float
    prepare: Callable[[Registry, Path], Work]


def _module(module: str, store: Path, **params: t.Any) -> float:
    result = run_module(module, {"engine": "layout", "store": str(store), **params}).succeed()
    return float(result["elapsed"])


def _skopeo(*pairs: tuple[str, str], at_a_time: int = 1) -> float:
    """Return the seconds that skopeo takes for all copies, so many processes at a time."""
    base = ["skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false"]
    started, waiting = time.perf_counter(), list(pairs)
    running: list[subprocess.Popen[bytes]] = []
    while waiting or running:
        while waiting and len(running) < at_a_time:
            running.append(subprocess.Popen([*base, *waiting.pop(0)]))
        finished = running.pop(0)
        if finished.wait():
            raise RuntimeError("skopeo failed")
    return time.perf_counter() - started


def _expect(*, there: bool, what: str) -> None:
    if not there:
        raise RuntimeError(f"the work was not done: {what}")


def _clear(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    os.sync()


def _pull(registry: Registry, folder: Path, *, count: int, at_a_time: int, **shape: t.Any) -> Work:
    names = [registry.reference(f"pull/{folder.name}-{number}", "1") for number in range(count)]
    digests = [
        images.push_image(registry, f"pull/{folder.name}-{number}", "1", seed=number, **shape).digest
        for number in range(count)
    ]
    ours, theirs = folder / "ours", folder / "theirs"

    def by_us() -> float:
        seconds = _module("image_pull", ours, name=names, parallel=4)
        found = {row["digest"] for row in json.loads((ours / "index.json").read_bytes())["manifests"]}
        _expect(there=found == set(digests), what="our store lacks an image")
        return seconds

    def by_skopeo() -> float:
        # A layout each: skopeo does not lock one that several processes write.
        pairs = [(f"docker://{name}", f"oci:{theirs}-{number}:1") for number, name in enumerate(names)]
        seconds = _skopeo(*pairs, at_a_time=at_a_time)
        for number, digest in enumerate(digests):
            _expect(there=skopeo.manifest_digest(f"oci:{theirs}-{number}:1") == digest, what="skopeo's layout")
        return seconds

    return Work(lambda: _clear(ours, *folder.glob("theirs-*")), by_us, by_skopeo)


def pull_large(registry: Registry, folder: Path) -> Work:
    """Eight incompressible layers of 64 MiB."""
    return _pull(registry, folder, count=1, at_a_time=1, layers=8, random_bytes=64 * MIB)


def pull_small(registry: Registry, folder: Path) -> Work:
    """Twenty images of five layers of 200 KiB; skopeo four at a time."""
    return _pull(registry, folder, count=20, at_a_time=4, layers=5, random_bytes=200 * 1024)


def _push(registry: Registry, folder: Path, *, is_again: bool) -> Work:
    image = images.make_image(layers=8, random_bytes=64 * MIB)
    store = folder / "store"
    source = images.write_layout(folder / "source", {"1": image})
    images.push(registry, "push/source", image, tag="1")
    _module("image_pull", store, name=[registry.reference("push/source", "1")])
    counter = iter(range(1_000_000))
    fixed = "push/again" if is_again else ""

    def target() -> str:
        return fixed or f"push/fresh-{next(counter)}"

    def arrived(repository: str) -> None:
        _expect(there=registry.digest(repository, "1") == image.digest, what=f"{repository} at the registry")

    def by_us() -> float:
        repository = target()
        name = registry.reference("push/source", "1")
        seconds = _module("image_push", store, name=[name], repository=[registry.reference(repository, "1")])
        arrived(repository)
        return seconds

    def by_skopeo() -> float:
        repository = target()
        seconds = _skopeo((f"oci:{source}:1", f"docker://{registry.reference(repository, '1')}"))
        arrived(repository)
        return seconds

    def start() -> None:
        # An empty place for blobs, or the registry would only link what an earlier repository brought.
        if not is_again:
            _clear(registry.data / "docker" / "registry" / "v2")

    if is_again:
        by_us()
    return Work(start, by_us, by_skopeo)


def push_large(registry: Registry, folder: Path) -> Work:
    """Eight layers of 64 MiB into an empty registry."""
    return _push(registry, folder, is_again=False)


def push_again(registry: Registry, folder: Path) -> Work:
    """The same once more: nothing new."""
    return _push(registry, folder, is_again=True)


def build_fresh(registry: Registry, folder: Path) -> Work:
    """A Dockerfile without RUN over 2,000 files, 20 MiB, nothing cached."""
    del registry
    context, store, root = folder / "context", folder / "store", folder / "buildah"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY . /files/\n", encoding="utf-8")
    for number in range(2000):
        (context / f"file-{number}").write_bytes(os.urandom(10 * 1024))

    def by_us() -> float:
        seconds = _module("image_build", store, name="bench/build:1", path=str(context))
        config = skopeo.image_config(f"oci:{store}:docker.io/bench/build:1")
        _expect(there=len(config["rootfs"]["diff_ids"]) == 1, what="our image has one layer")
        return seconds

    def by_buildah() -> float:
        place = ["--root", str(root / "root"), "--runroot", str(root / "run"), "--storage-driver", "vfs"]
        started = time.perf_counter()
        subprocess.run(["buildah", *place, "bud", "--quiet", "--no-cache", "-t", "bench", str(context)], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        seconds = time.perf_counter() - started
        listed = subprocess.run(["buildah", *place, "images", "--quiet"], check=True, stdout=subprocess.PIPE)
        _expect(there=bool(listed.stdout.strip()), what="buildah's image")
        return seconds

    return Work(lambda: _clear(store, root), by_us, by_buildah)


def present_growth(registry: Registry, folder: Path) -> Work:
    """One task, nothing to do: 1 image (as the peer) against 100. At most 1.5 times means a ratio of 0.67."""
    lists: dict[int, list[dict[str, str]]] = {}
    for count in (1, 100):
        lists[count] = []
        for number in range(count):
            images.push_image(registry, f"present/{number}", "1", layers=3, seed=number)
            lists[count].append({"image": registry.reference(f"present/{number}", "1")})
        _module("image_state", folder / str(count), images=lists[count])

    def task(count: int) -> float:
        params = {"engine": "layout", "store": str(folder / str(count)), "images": lists[count]}
        started = time.perf_counter()
        result = run_module("image_state", params).succeed()
        _expect(there=result["changed"] is False and len(result["images"]) == count, what="nothing to do")
        return time.perf_counter() - started

    return Work(lambda: None, lambda: task(100), lambda: task(1))


ROWS = (
    Row(7, "cold pull of 8 x 64 MiB into the layout store", "skopeo copy to oci:", 1.05, pull_large),
    Row(8, "cold pull of 20 images x 5 x 200 KiB", "skopeo, 4 at a time", 1.3, pull_small),
    Row(11, "push of 8 x 64 MiB", "skopeo copy from oci:", 1.5, push_large),
    Row(12, "push again, nothing new", "skopeo copy from oci:", 0.5, push_again),
    Row(15, "fresh build without RUN, 2,000 files", "buildah bud", 1.0, build_fresh),
    Row(18, "nothing to do: 100 images (ours) against 1", "the same task with 1 image", 0.67, present_growth),
)
