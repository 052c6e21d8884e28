# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirrors on every engine, whatever its daemon is set up for: by digest, named as the origin, origin as fallback."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.fleet.images.tests.contract.test_life_of_an_image import put
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, make_index, push
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Repository, told
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost

    StartRegistry = Callable[[RegistryOptions], Registry]


def blob_requests(registry: Registry, path: str) -> int:
    """Return how often blobs of a repository were read from a registry, as its own log tells."""
    log = registry.log.read_text(encoding="utf-8", errors="replace")
    return sum(f"GET /v2/{path}/blobs/" in line and '"GET' in line for line in log.splitlines())


def mirrored(repository: Repository, mirror: Registry, prefix: str = "hub") -> list[dict[str, str]]:
    """Return the option that says where ``repository``'s registry is mirrored."""
    return [{"registry": repository.registry.host, "location": f"{mirror.host}/{prefix}"}]


def put_at(mirror: Registry, repository: Repository, image: MadeImage) -> None:
    """Let ``mirror`` hold an image of ``repository``."""
    push(mirror, f"hub/{repository.path}", image, tag="cached")


def test_what_a_mirror_has_comes_from_there_and_is_named_as_the_origin(
    engine_host: EngineHost, repository: Repository, registry: Registry
) -> None:
    image = put(repository, "1")
    put_at(registry, repository, image)
    options = {"mirrors": mirrored(repository, registry)}
    engine_host.settle("image_pull", name=f"{repository}:1", **options)
    assert engine_host.images() == {f"{repository}:1": image.config.digest}
    assert not any(registry.host in name for name in engine_host.digests())
    assert blob_requests(repository.registry, repository.path) == 0
    assert blob_requests(registry, f"hub/{repository.path}") > 0


def test_of_an_index_a_mirror_serves_the_platform_of_the_host(
    engine_host: EngineHost, repository: Repository, registry: Registry
) -> None:
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index = make_index([foreign, ours])
    repository.push("1", index)
    push(registry, f"hub/{repository.path}", index, tag="cached")
    options = {"mirrors": mirrored(repository, registry)}
    done = engine_host.settle("image_pull", name=f"{repository}:1", **options)
    assert done["images"][0]["digest"] == index.digest
    assert engine_host.images() == {f"{repository}:1": ours.config.digest}
    assert blob_requests(repository.registry, repository.path) == 0


def test_what_a_mirror_lacks_comes_from_the_origin(
    engine_host: EngineHost, repository: Repository, registry: Registry
) -> None:
    image = put(repository, "1")
    engine_host.settle("image_pull", name=f"{repository}:1", mirrors=mirrored(repository, registry))
    assert engine_host.images() == {f"{repository}:1": image.config.digest}


def test_a_mirror_that_is_down_or_holds_wrong_bytes_harms_nothing(
    engine_host: EngineHost, repository: Repository, registry: Registry
) -> None:
    image = put(repository, "1")
    put_at(registry, repository, image)
    encoded = image.layers[0].digest.partition(":")[2]
    data = registry.data / "docker/registry/v2/blobs/sha256" / encoded[:2] / encoded / "data"
    data.write_bytes(bytes(len(image.layers[0].data)))
    nobody = {"registry": repository.registry.host, "location": "127.0.0.1:9/hub"}
    mirrors = [nobody, *mirrored(repository, registry)]
    options = {"name": f"{repository}:1", "mirrors": mirrors}
    announced = engine_host.announce("image_pull", **options)
    done = engine_host.do("image_pull", **options)
    assert f"The mirror {registry.host}/hub/" in json.dumps(done.pop("warnings"))
    assert told(done) == told(announced)
    assert engine_host.images() == {f"{repository}:1": image.config.digest}
    engine_host.rest("image_pull", **options)


def test_a_tag_means_what_the_origin_says_whatever_a_mirror_has(
    engine_host: EngineHost, repository: Repository, registry: Registry
) -> None:
    push(registry, f"hub/{repository.path}", make_image({"v": b"stale"}), tag="1")
    fresh = put(repository, "1", "fresh")
    engine_host.settle("image_pull", name=f"{repository}:1", mirrors=mirrored(repository, registry))
    assert engine_host.images() == {f"{repository}:1": fresh.config.digest}
