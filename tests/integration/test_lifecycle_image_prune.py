# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_prune on the embedded store, with what the collection left behind; and on Docker, for many images at once."""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository, kinds
from ansible_collections.fleet.images.tests.support.module import run_module
from ansible_collections.fleet.images.tests.support.simulated_dockerd import simulated_dockerd

LONG_AGO = time.time() - 2 * 86400


def make_old(folder: Path) -> None:
    """Let all files below be two days old."""
    for path in folder.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))


def on_disk(store: Path) -> int:
    """Return the bytes of all blobs and unfinished ones."""
    files = [*(store / "blobs").rglob("*"), *(store / ".fleet-images" / "partial").glob("*")]
    return sum(path.stat().st_size for path in files if path.is_file())


@pytest.fixture
def cache(host: Host) -> Path:
    """Return the cache folder of the host's user, which does not exist yet."""
    return host.store.parent / "cache"


@pytest.fixture
def pruned(host: Host, cache: Path) -> Host:
    """Return the host with a cache folder of its own."""
    return host._replace(environment={"XDG_CACHE_HOME": str(cache)})


def test_the_bytes_announced_are_those_that_go(pruned: Host, repository: Repository) -> None:
    images = {tag: make_image({"v": b"1"}, layers=2, labels={"n": tag}) for tag in ("1", "2", "3")}
    for tag, image in images.items():
        repository.push(tag, image)
        pruned.do("image_pull", name=f"{repository}:{tag}")
    make_old(pruned.store)
    before = on_disk(pruned.store)
    done = pruned.settle("image_prune", all=True, filters={"label": "n=1"}, keep_newest=0)
    assert done["space_reclaimed"] == before - on_disk(pruned.store) > 0
    assert done["diff"]["prepared"].startswith("Plan: 1 to untag; ")
    assert images["1"].layers[0].digest in pruned.blobs(), "other images have this layer"
    before = on_disk(pruned.store)
    done = pruned.settle("image_prune", all=True, protect=["nothing"])
    assert done["space_reclaimed"] == before
    assert (pruned.blobs(), pruned.names()) == (set(), {})


def test_what_is_not_listed_any_more_announces_its_bytes_too(pruned: Host, repository: Repository) -> None:
    images = {tag: make_image({"v": tag.encode()}, layers=2) for tag in ("1", "2")}
    for tag, image in images.items():
        repository.push(tag, image)
        pruned.do("image_pull", name=f"{repository}:{tag}")
    make_old(pruned.store)
    before = on_disk(pruned.store)
    done = pruned.settle("image_state", images=[{"image": f"{repository}:1"}], unlisted="remove")
    assert done["space_reclaimed"] == before - on_disk(pruned.store) > 0


def test_young_bytes_stay_and_are_not_promised(pruned: Host, repository: Repository) -> None:
    repository.push("1", make_image({"v": b"1"}))
    pruned.do("image_pull", name=f"{repository}:1")
    assert pruned.settle("image_prune", all=True, filters={"until": "2100-01-01"}, protect=["x"])["changed"]


def test_all_of_a_store_goes_only_when_it_is_said_which(pruned: Host) -> None:
    assert pruned.refuse("image_prune", all=True)["code"] == "unused-unknown"
    pruned.rest("image_prune", all=True, keep_newest=1)
    assert not pruned.store.exists()


def test_what_the_collection_left_behind_goes_when_asked(pruned: Host, repository: Repository, cache: Path) -> None:
    repository.push("1", make_image({"v": b"1"}))
    pruned.do("image_pull", name=f"{repository}:1")
    orphan = b"no image needs me"
    lost = pruned.store / "blobs" / "sha256" / hashlib.sha256(orphan).hexdigest()
    partial = pruned.store / ".fleet-images" / "partial" / f"sha256-{'0' * 64}"
    states = cache / "fleet-images" / "0.context"
    record = cache / "fleet-images" / "0.output"
    for path, content in ((lost, orphan), (partial, b"half"), (states, b"states"), (record, b"record")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    pruned.rest("image_prune", caches=True)
    make_old(pruned.store)
    make_old(cache)
    pruned.rest("image_prune")
    kept = pruned.names()
    done = pruned.settle("image_prune", caches=True)
    assert kinds(done) == ["clear", "clear"]
    assert done["space_reclaimed"] == len(orphan + b"half" + b"states")
    assert [path.exists() for path in (lost, partial, states, record)] == [False, False, False, True]
    assert (pruned.names(), done["images"]) == (kept, [])
    assert [action["image"] for action in done["actions"]] == [str(pruned.store), str(cache / "fleet-images")]


def rows(count: int) -> list[dict[str, t.Any]]:
    """Return images as Docker lists them; of three in a row two have a tag, and one was pulled by digest."""
    found = []
    for number in range(count):
        name, digest = f"r.test/app{number % 50}", hashlib.sha256(b"%d" % number).hexdigest()
        found.append({
            "Id": f"sha256:{digest}",
            "ParentId": "",
            "RepoTags": [f"{name}:{number}"] if number % 3 else [],
            "RepoDigests": [f"{name}@sha256:{digest[::-1]}"],
            "Created": 1700000000 + number * 3600,
            "Size": 1000,
            "Labels": None,
        })
    return found


def test_a_thousand_images_of_docker_cost_three_requests(tmp_path: Path) -> None:
    listed = rows(1000)
    with simulated_dockerd(tmp_path) as daemon:
        daemon.answers["GET /images/json"] = (200, listed)
        used = {"Id": "c" * 64, "Names": ["/web"], "ImageID": listed[1]["Id"], "State": "exited"}
        daemon.answers["GET /containers/json"] = (200, [used])
        options = {"engine": "docker", "docker_host": daemon.address}
        dangling = run_module("image_prune", options, check=True).succeed()
        assert daemon.requests() == ["GET /version", "GET /images/json", "GET /containers/json"]
        rule = {"all": True, "keep_newest": 2, "filters": {"until": "2023-12-01"}, "protect": ["r.test/app2:*"]}
        unused = run_module("image_prune", {**options, **rule}, check=True).succeed()
    assert len(dangling["images"]) == len(dangling["deleted"]) == 334
    assert dangling["space_reclaimed"] == 334_000
    newest = 1700000000 + 3600 * 899
    made_before = [row for row in listed if row["Created"] < min(1701388800, newest)]
    protected = [row for row in made_before if any(tag.startswith("r.test/app2:") for tag in row["RepoTags"])]
    wanted = {row["Id"] for row in made_before} - {row["Id"] for row in protected} - {listed[1]["Id"]}
    assert set(unused["deleted"]) == wanted
