# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows 7 to 9, 11, 12 and 17: bytes between registries and the embedded store, beside skopeo.

Of ours the module's own time counts (``elapsed``), of skopeo its processes.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
import typing as t

from ansible_collections.fleet.images.tests.bench.contest import Contest, Line, Row, expect
from ansible_collections.fleet.images.tests.bench.place import PeakMeter, clear, layout_digests, own_time, process_time
from ansible_collections.fleet.images.tests.bench.shapes import KIB, MIB, push_many, write_large
from ansible_collections.fleet.images.tests.support import skopeo

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ansible_collections.fleet.images.tests.bench.contest import Measures
    from ansible_collections.fleet.images.tests.bench.place import Place

_COPY = ("skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false")


def _skopeo(*pairs: tuple[str, str], at_a_time: int = 1) -> float:
    """Return the seconds that skopeo takes for all copies, so many processes at a time."""
    started, waiting = time.perf_counter(), list(pairs)
    running: list[subprocess.Popen[bytes]] = []
    while waiting or running:
        while waiting and len(running) < at_a_time:
            running.append(subprocess.Popen([*_COPY, *waiting.pop(0)]))
        expect("skopeo ended well", holds=running.pop(0).wait() == 0)
    return time.perf_counter() - started


class _Pulls:
    """Images at a registry that both sides pull into stores of their own."""

    def __init__(self, place: Place, digests: Mapping[str, str]) -> None:
        self.digests = digests
        self.store = place.folder / "ours"
        self.params = {"engine": "layout", "store": str(self.store), "name": list(digests), "parallel": 4}
        self._folder = place.folder

    def clear(self) -> None:
        """Take everything away that was pulled."""
        clear(self.store, *self._folder.glob("theirs-*"))

    def ours(self) -> float:
        """Let us pull."""
        seconds = own_time("image_pull", self.params, changes=True)
        expect("our store has all", holds=layout_digests(self.store) == set(self.digests.values()))
        return seconds

    def skopeo(self, *, at_a_time: int) -> float:
        """Let skopeo pull, into a layout each: it does not lock one that several processes write."""
        copies = {name: f"oci:{self._folder}/theirs-{number}:1" for number, name in enumerate(self.digests)}
        seconds = _skopeo(*((f"docker://{name}", copy) for name, copy in copies.items()), at_a_time=at_a_time)
        there = {name: skopeo.manifest_digest(copy) for name, copy in copies.items()}
        expect("skopeo's layouts have all", holds=there == self.digests)
        return seconds


def _large(place: Place, *, layers: int, size: int) -> dict[str, str]:
    """Put an image with large layers, which is made once, into the registry; return its name with its digest."""
    source = _source(place, layers=layers, size=size)
    if not source.exists():
        write_large(source, layers=layers, size=size)
    (digest,) = layout_digests(source)
    name = place.registry.reference("bench/large", "1")
    _skopeo((f"oci:{source}:1", f"docker://{name}"))
    return {name: digest}


def _source(place: Place, *, layers: int, size: int) -> Path:
    return place.sources / f"{layers}-layers-of-{size}"


def pull_large(place: Place) -> Contest:
    """Eight incompressible layers of 64 MiB."""
    pulls = _Pulls(place, _large(place, layers=8, size=64 * MIB))
    return Contest([lambda: {"ours": pulls.ours()}, lambda: {"peer": pulls.skopeo(at_a_time=1)}], start=pulls.clear)


def pull_small(place: Place) -> Contest:
    """Twenty images of five layers of 200 KiB."""
    pulls = _Pulls(place, push_many(place.registry, 20, layers=5, size=200 * KIB))
    return Contest(
        [
            lambda: {"ours": pulls.ours()},
            lambda: {"peer": pulls.skopeo(at_a_time=4)},
            lambda: {"serial": pulls.skopeo(at_a_time=1)},
        ],
        start=pulls.clear,
    )


def pull_one(place: Place) -> Contest:
    """One layer of 1 GiB; and what no pull can beat: reading it to disk, hashing it once."""
    pulls = _Pulls(place, _large(place, layers=1, size=1024 * MIB))
    layout = _source(place, layers=1, size=1024 * MIB)
    blob = max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    address = f"{place.registry.url}/v2/bench/large/blobs/sha256:{blob.name}"
    fetched = place.folder / "theirs-curl"

    def limits() -> Measures:
        fetching = process_time("curl", "-sSf", "-o", str(fetched), address)
        syncing = process_time("sync", str(fetched))
        expect("curl wrote all", holds=fetched.stat().st_size == blob.stat().st_size)
        fetched.unlink()
        started = time.perf_counter()
        expect("the digest", holds=_hash(blob) == blob.name)
        hashing = time.perf_counter() - started
        return {"limit": max(fetching, hashing), "durable limit": max(fetching + syncing, hashing)}

    return Contest(
        [lambda: {"ours": pulls.ours()}, lambda: {"peer": pulls.skopeo(at_a_time=1)}, limits], start=pulls.clear
    )


def _hash(path: Path) -> str:
    digest, piece = hashlib.sha256(), bytearray(MIB)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            digest.update(memoryview(piece)[:count])
    return digest.hexdigest()


def _push(place: Place, *, is_again: bool) -> Contest:
    ((source, digest),) = _large(place, layers=8, size=64 * MIB).items()
    layout = _source(place, layers=8, size=64 * MIB)
    store = place.folder / "store"
    options = {"engine": "layout", "store": str(store), "name": [source]}
    own_time("image_pull", options, changes=True)
    counter = iter(range(1_000_000))

    def target() -> str:
        return "push/again" if is_again else f"push/fresh-{next(counter)}"

    def arrived(repository: str, before: int) -> float:
        asked = place.requests() - before
        expect(f"{repository} at the registry", holds=place.registry.digest(repository, "1") == digest)
        return asked

    def ours() -> Measures:
        repository, before = target(), place.requests()
        params = {**options, "repository": [place.registry.reference(repository, "1")]}
        seconds = own_time("image_push", params, changes=not is_again)
        return {"ours": seconds, "ours asked": arrived(repository, before)}

    def peer() -> Measures:
        repository, before = target(), place.requests()
        copy = (f"oci:{layout}:1", f"docker://{place.registry.reference(repository, '1')}")
        return {"peer": _skopeo(copy), "peer asked": arrived(repository, before)}

    def start() -> None:
        # An empty place for blobs, or the registry would only link what an earlier repository brought.
        if not is_again:
            clear(place.registry.data / "docker" / "registry" / "v2")

    if is_again:
        own_time("image_push", {**options, "repository": [place.registry.reference(target(), "1")]}, changes=True)
    return Contest([ours, peer], start=start)


def push_large(place: Place) -> Contest:
    """Eight layers of 64 MiB into an empty registry."""
    return _push(place, is_again=False)


def push_again(place: Place) -> Contest:
    """The same once more: nothing new; and what of that is not ours."""

    def importing() -> Measures:
        alone, loaded = (process_time(sys.executable, "-c", program) for program in ("pass", "import requests"))
        return {"import": loaded - alone}

    contest = _push(place, is_again=True)
    return contest._replace(sides=[*contest.sides, importing])


def memory(place: Place) -> Contest:
    """The most memory that a process held, for a layer of 1 GiB from a registry and back to it."""
    pulls = _Pulls(place, _large(place, layers=1, size=1024 * MIB))
    ((source, digest),) = pulls.digests.items()
    meter = PeakMeter(place.folder)
    target = place.registry.reference("push/large", "1")

    def ours() -> Measures:
        options = {"engine": "layout", "store": str(pulls.store), "name": [source]}
        pulled = meter.of_module("image_pull", options)
        expect("our store has it", holds=layout_digests(pulls.store) == {digest})
        pushed = meter.of_module("image_push", {**options, "repository": [target]})
        expect("it is at the registry", holds=place.registry.digest("push/large", "1") == digest)
        return {"ours": max(pulled, pushed)}

    def peer() -> Measures:
        copies = [(f"docker://{source}", f"oci:{place.folder}/theirs-0:1")]
        copies.append((copies[0][1], f"docker://{place.registry.reference('push/other', '1')}"))
        peaks = [meter.of([*_COPY, *copy]) for copy in copies]
        expect("it is at the registry", holds=place.registry.digest("push/other", "1") == digest)
        return {"peer": max(peaks), "limit": 60}

    def start() -> None:
        pulls.clear()
        for name in ("large", "other"):
            clear(place.registry.data / "docker/registry/v2/repositories/push" / name)

    return Contest([ours, peer], start=start)


_FROM = "skopeo copy from oci:"
ROWS = (
    Row([Line(7, "cold pull of 8 x 64 MiB into the layout", "skopeo copy to oci:", 1.05)], pull_large),
    Row(
        [
            Line(8, "cold pull of 20 images x 5 x 200 KiB", "skopeo, 4 at a time", 1.3),
            Line(8, "the same", "skopeo, one after the other", 1.8, peer="serial"),
        ],
        pull_small,
    ),
    Row(
        [
            Line(9, "cold pull of one layer of 1 GiB", "skopeo copy to oci:", 1.2),
            Line(9, "the same", "the slower of curl to disk and SHA-256 on one core", 0.9, peer="limit"),
            Line(9, "the same", "as above, with curl's file made durable as ours is", 0.9, peer="durable limit"),
        ],
        pull_one,
    ),
    Row([Line(11, "push of 8 x 64 MiB", _FROM, 1.5)], push_large),
    Row(
        [
            Line(12, "push again, nothing new", _FROM, 0.5),
            Line(12, "the same", "Python's import of requests, a part of it", 0.0, peer="import"),
            Line(12, "requests of it", _FROM, 1.0, ours="ours asked", peer="peer asked", unit="requests"),
        ],
        push_again,
    ),
    Row(
        [
            Line(17, "peak memory, a 1 GiB layer pulled and pushed", "the limit set", 1.0, peer="limit", unit="MiB"),
            Line(17, "the same", "skopeo", 0.0, unit="MiB"),
        ],
        memory,
    ),
)
