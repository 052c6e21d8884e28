# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports over every engine: what its own client does to images is named rightly, and damage is found by reading."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.contract.test_life_of_an_image import sleeper
from ansible_collections.fleet.images.tests.support.engine_hosts import (
    ContainerdHost,
    DockerHost,
    LayoutHost,
    PodmanHost,
)
from ansible_collections.fleet.images.tests.support.fleet_reports import findings, report
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST
from ansible_collections.fleet.images.tests.support.locks import lock_of

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

CONTENT = b"a file that a disk may damage " * 40
Found = set[tuple[str, str]]
on_every_engine = pytest.mark.parametrize("engine_host", ["layout", "docker", "podman", "containerd"], indirect=True)


def audit(host: EngineHost, name: str, image: MadeImage, *, deep: bool = False) -> Found:
    """Return what a report finds when the lock says that ``name`` is ``image`` and nothing else may be there."""
    held = host.announce("image_info", detail=True, deep=deep)
    options: dict[str, t.Any] = {"images": [{"image": name}], "lock": lock_of({name: image}), "unlisted": "remove"}
    return {(image, kind) for _host, image, kind in findings(report({"web1": held}, **options))}


@on_every_engine
def test_each_thing_that_happens_to_a_host_is_named(engine_host: EngineHost, repository: Repository) -> None:
    name, beside = f"{repository}:1", f"{repository}:beside"
    ours, other = make_image({"v": b"1"}, platform=HOST), make_image({"v": b"2"}, platform=HOST)
    repository.push("1", other)
    repository.push("beside", ours)
    assert audit(engine_host, name, ours) == {(name, "missing")}
    engine_host.do("image_pull", name=name)
    assert audit(engine_host, name, ours) == {(name, "digest-differs")}
    engine_host.do("image_pull", name=beside)
    assert audit(engine_host, name, ours) == {(name, "tag-moved"), (beside, "extra")}
    engine_host.do("image_rmi", name=name)
    assert audit(engine_host, name, ours) == {(name, "missing"), (beside, "extra")}
    engine_host.do("image_tag", name=beside, repository=[name])
    engine_host.do("image_rmi", name=beside)
    assert audit(engine_host, name, ours) == set()
    foreign = make_image({"v": b"1"}, platform=FOREIGN)
    held = engine_host.announce("image_info", detail=True)
    lock = lock_of({name: make_index([foreign, ours])})
    assert findings(report({"web1": held}, images=[{"image": name}], lock=lock)) == set()
    swapped = report({"web1": held}, images=[{"image": name, "platform": FOREIGN}], lock=lock)
    assert findings(swapped) == {("web1", name, "wrong-platform")}


@pytest.mark.parametrize("engine_host", ["docker", "podman"], indirect=True)
def test_what_a_container_still_uses_of_an_older_image_is_named(
    engine_host: EngineHost, repository: Repository
) -> None:
    name, older, newer = f"{repository}:used", sleeper("1"), sleeper("2")
    repository.push("used", older)
    engine_host.do("image_pull", name=name)
    engine_host.use(name, "web", is_running=False)
    assert audit(engine_host, name, older) == set()
    repository.push("used", newer)
    engine_host.do("image_pull", name=name, pull="newer")
    assert audit(engine_host, name, newer) == {(name, "in-use-older")}
    engine_host.drop("web")
    ((left, kind),) = audit(engine_host, name, newer)
    assert kind == "dangling"
    assert str(repository) in left or left.startswith("sha256:")
    engine_host.do("image_state", images=[{"image": name}], unlisted="remove")
    assert audit(engine_host, name, newer) == set()


@on_every_engine
def test_a_flipped_bit_is_found_by_reading_what_is_stored(engine_host: EngineHost, repository: Repository) -> None:
    name = f"{repository}:1"
    image = make_image({"first": b"1", "second": CONTENT}, layers=2, platform=HOST)
    repository.push("1", image)
    engine_host.do("image_pull", name=name)
    engine_host.do("image_tag", name=name, repository=["local/alias:1"])
    engine_host.do("image_rmi", name="local/alias:1")
    assert audit(engine_host, name, image, deep=True) == set()
    layer = damage(engine_host, image)
    assert audit(engine_host, name, image) == set()
    assert audit(engine_host, name, image, deep=True) == {(name, "corrupt")}
    (row,) = engine_host.announce("image_info", name=name, deep=True)["images"]
    (told,) = row["corrupt"]
    if isinstance(engine_host, DockerHost):  # it refuses, and names a file
        assert told["expected"] == image.config.digest
        assert '"second"' in told["why"]
    else:
        assert told["part"].startswith("layer ")
        assert told["expected"] == layer
        assert told["found"] != layer


def damage(host: EngineHost, image: MadeImage) -> str:
    """Flip one bit in what the engine stores of the layer that has CONTENT; return that layer's digest there."""
    if isinstance(host, (LayoutHost, ContainerdHost)):
        folder = host.host.store if isinstance(host, LayoutHost) else host.daemon.data
        layer = next(blob for blob in image.layers if CONTENT in unpacked(blob.data))
        (path,) = folder.rglob(layer.digest.partition(":")[2])
        flip(path, 20)
        return layer.digest
    if isinstance(host, PodmanHost):
        folder = Path(json.loads(host.podman.cli("info", "--format", "json"))["store"]["graphRoot"])
    else:
        assert isinstance(host, DockerHost)
        folder = host.daemon.data
    (path,) = (found for found in folder.rglob("diff/second") if found.read_bytes() == CONTENT)
    flip(path, 20)
    at = next(at for at, blob in enumerate(image.layers) if CONTENT in unpacked(blob.data))
    return str(json.loads(image.config.data)["rootfs"]["diff_ids"][at])


def unpacked(data: bytes) -> bytes:
    import gzip

    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def flip(path: Path, at: int) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
