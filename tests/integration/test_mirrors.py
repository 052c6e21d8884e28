# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirrors that are real registries: what they have comes from them, what they lack or spoil from the origin."""

from __future__ import annotations

import socket
import typing as t
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support import images
from ansible_collections.fleet.images.tests.support.lifecycle import HOST, Host
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "team/app"
IMAGE = images.make_image({"a": b"1"}, seed=1, platform=HOST, layers=3, random_bytes=40_000)
BOTH = images.make_index([IMAGE, images.make_image({"a": b"2"}, seed=2, platform="linux/s390x")])
BLOBS = r"/blobs/sha256"


class World(t.NamedTuple):
    """A host, an origin and a mirror, both behind proxies that count."""

    host: Host
    origin: CountingProxy
    mirror: CountingProxy
    origin_registry: Registry
    mirror_registry: Registry

    def name(self, suffix: str = ":1") -> str:
        """Return the name of the image at its origin."""
        return f"{self.origin.host}/{PATH}{suffix}"

    def mirrors(self, *locations: str) -> list[dict[str, str]]:
        """Return the option that names mirrors of the origin, the world's own where none is given."""
        return [
            {"registry": self.origin.host, "location": location}
            for location in locations or (f"{self.mirror.host}/hub",)
        ]

    def fill_mirror(self, made: images.MadeImage | images.MadeIndex = BOTH) -> None:
        """Put the image at the mirror."""
        images.push(self.mirror_registry, f"hub/{PATH}", made, tag="copied")

    def blob_file(self, digest: str) -> Path:
        """Return the file in which the mirror keeps the bytes of ``digest``."""
        name = digest.partition(":")[2]
        return self.mirror_registry.data / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"

    def is_whole(self, digest: str = IMAGE.digest) -> bool:
        """Tell whether the host has the image under the origin's name alone, and each blob hashes to its digest."""
        parts = {blob.digest for blob in (IMAGE.config, *IMAGE.layers)}
        named = {name: target for name, target in self.host.names().items() if "@" not in name}
        return parts <= self.host.blobs() and named == {self.name(): digest}


@pytest.fixture
def world(tmp_path: Path, registry: Registry) -> Iterator[World]:
    """Yield a world whose origin has the image, and whose mirror has nothing yet."""
    with ExitStack() as held:
        other = held.enter_context(start_registry(tmp_path / "mirror"))
        origin, mirror = (held.enter_context(CountingProxy(server.url)) for server in (registry, other))
        images.push(registry, PATH, BOTH, tag="1")
        yield World(Host(tmp_path / "host" / "store"), origin, mirror, registry, other)


def test_a_mirror_that_has_everything_spares_the_origin_all_but_the_tag(world: World) -> None:
    world.fill_mirror()
    world.host.settle("image_pull", name=[world.name()], mirrors=world.mirrors())
    assert world.is_whole()
    assert world.origin.count(path=BLOBS) == 0
    assert {exchange.path for exchange in world.origin.exchanges(path="manifests")} == {f"/v2/{PATH}/manifests/1"}
    assert world.mirror.count(method="GET", path=BLOBS) == 1 + len(IMAGE.layers)


@pytest.mark.parametrize("suffix", ["@{}", ":1@{}"])
def test_what_is_pinned_needs_no_origin(world: World, suffix: str) -> None:
    world.fill_mirror()
    world.origin.fail(Fault(status=503, times=1_000_000))
    name = world.name(suffix.format(BOTH.digest))
    done = world.host.settle("image_pull", name=[name], mirrors=world.mirrors())
    assert world.origin.count() == 0
    assert [action["digest"] for action in done["actions"]] == [BOTH.digest]
    assert world.host.skopeo_digest(name if suffix.startswith("@") else world.name()) == IMAGE.digest


def test_blobs_that_a_mirror_lacks_come_from_the_origin_and_no_others(world: World) -> None:
    world.fill_mirror()
    lost = [IMAGE.layers[0].digest, IMAGE.layers[2].digest]
    for digest in lost:
        world.blob_file(digest).unlink()
    world.host.do("image_pull", name=[world.name()], mirrors=world.mirrors())
    assert world.is_whole()
    asked = [exchange.path.rpartition("/")[2] for exchange in world.origin.exchanges(path=BLOBS)]
    assert sorted(asked) == sorted(lost)


def test_a_spoiled_blob_of_a_mirror_is_fetched_from_the_origin(world: World) -> None:
    world.fill_mirror()
    spoiled = IMAGE.layers[1]
    world.blob_file(spoiled.digest).write_bytes(bytes(len(spoiled.data)))
    world.host.do("image_pull", name=[world.name()], mirrors=world.mirrors())
    assert world.is_whole()
    asked = [exchange.path.rpartition("/")[2] for exchange in world.origin.exchanges(path=BLOBS)]
    assert asked == [spoiled.digest]


def test_a_blob_that_breaks_at_a_mirror_goes_on_at_the_origin(world: World) -> None:
    made = images.make_image(seed=3, platform=HOST, random_bytes=1_500_000)
    images.push(world.origin_registry, PATH, made, tag="big")
    world.fill_mirror(made)
    (big,) = made.layers
    world.mirror.fail(Fault(path=big.digest, cut_after=1_000_000))
    world.host.do("image_pull", name=[world.name(":big")], mirrors=world.mirrors())
    assert world.host.skopeo_digest(world.name(":big")) == made.digest
    (rest,) = world.origin.exchanges(path=BLOBS)
    assert rest.status == 206
    assert 500_000 <= rest.bytes_sent < 1_500_000
    assert big.digest in world.host.blobs()


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_mirror_that_refuses_is_not_waited_for(world: World, status: int) -> None:
    world.mirror.fail(Fault(status=status, times=1_000_000, headers={"Retry-After": "100"}))
    settings = {"retry": 5, "retry_delay": 100.0}  # whoever waits here is noticed
    world.host.do("image_pull", name=[world.name()], mirrors=world.mirrors(), **settings)
    assert world.is_whole()
    if status == 429:
        assert world.mirror.count() == 1


def test_a_mirror_that_is_down_costs_nothing_but_the_first_attempt(world: World) -> None:
    with closing(socket.socket()) as taken:  # bound and not listening: every connection is refused
        taken.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{taken.getsockname()[1]}"
        mirrors = world.mirrors(dead, f"{world.mirror.host}/hub")
        world.fill_mirror()
        world.host.do("image_pull", name=[world.name()], mirrors=mirrors)
    assert world.is_whole()
    assert world.origin.count(path=BLOBS) == 0


def test_when_all_fail_the_origins_error_is_told_and_the_mirrors_beside_it(world: World) -> None:
    world.origin.fail(Fault(path=BLOBS, status=403, times=1_000_000))
    result = world.host.run("image_pull", name=[world.name()], mirrors=world.mirrors()).result
    assert result["failed"]
    assert result["error"]["code"] == "access-denied"
    assert f"the mirror {world.mirror.host}/hub/{PATH}: " in result["error"]["why"]
    assert world.host.names() == {}


def test_a_mirror_gets_its_own_credentials_and_not_those_of_the_origin(tmp_path: Path, registry: Registry) -> None:
    users = {"carol": "mirror-secret"}
    with ExitStack() as held:
        other = held.enter_context(start_registry(tmp_path / "mirror", RegistryOptions(users=users)))
        origin = held.enter_context(CountingProxy(registry.url))
        images.push(registry, PATH, BOTH, tag="1")
        images.push(other, f"hub/{PATH}", BOTH, tag="copied")
        host = Host(tmp_path / "host" / "store")
        mirrors = [{"registry": origin.host, "location": f"{other.host}/hub"}]
        login = [{"registry": other.host, "username": "carol", "password": "mirror-secret"}]
        host.do("image_pull", name=[f"{origin.host}/{PATH}:1"], mirrors=mirrors, registry_auth=login)
        assert origin.count(path=BLOBS) == 0
        assert not [exchange for exchange in origin.exchanges() if "Authorization" in exchange.headers]


def test_a_pull_through_cache_is_a_mirror(tmp_path: Path, registry: Registry) -> None:
    images.push(registry, PATH, BOTH, tag="1")
    with ExitStack() as held:
        origin = held.enter_context(CountingProxy(registry.url))
        options = RegistryOptions(proxy_of=registry.url)
        cache = held.enter_context(start_registry(tmp_path / "cache", options))
        for number in (1, 2):
            host = Host(tmp_path / f"host{number}" / "store")
            mirrors = [{"registry": origin.host, "location": cache.host}]
            host.do("image_pull", name=[f"{origin.host}/{PATH}:1"], mirrors=mirrors)
            assert host.skopeo_digest(f"{origin.host}/{PATH}:1") == IMAGE.digest
        assert origin.count(path=BLOBS) == 0
