# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of a registry: nothing where nothing is to be known, and everything once."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Host, Repository
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def proxy(repository: Repository) -> Iterator[CountingProxy]:
    """Yield a counting proxy before the shared registry."""
    with CountingProxy(repository.registry.url) as made:
        yield made


@pytest.fixture
def counted(repository: Repository, proxy: CountingProxy) -> Repository:
    """Return the repository as hosts see it: through the proxy."""
    return repository._replace(host=proxy.host)


def asked(proxy: CountingProxy) -> list[str]:
    """Return "METHOD kind" of every request, in order, without the question whether this is a registry at all."""
    rows = []
    for exchange in proxy.exchanges():
        if exchange.path.rstrip("/") != "/v2":
            kind = next((kind for kind in ("manifests", "uploads", "blobs") if f"/{kind}/" in exchange.path), "other")
            rows.append(f"{exchange.method} {kind}")
    return rows


def test_what_is_there_costs_no_request(host: Host, counted: Repository, proxy: CountingProxy) -> None:
    digest = counted.push("1", make_image(layers=2))
    wanted = [{"image": f"{counted}:1", "tags": ["local/a:1"]}, {"image": f"{counted}:2@{digest}"}]
    counted.push("2", make_image({"v": b"2"}))
    host.do("image_state", images=wanted)
    proxy.reset()
    host.rest("image_state", images=wanted)
    host.rest("image_pull", name=f"{counted}:1", pull="missing")
    host.rest("image_pull", name=f"{counted}@{digest}", pull="always")
    host.do("image_info", name=f"{counted}:1")
    host.do("image_tag", name=f"{counted}:1", repository=["local/b:1"])
    host.do("image_rmi", name="local/b:1")
    assert proxy.exchanges() == []


def test_following_a_tag_that_did_not_move_costs_one_head(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    counted.push("1", make_image(layers=2))
    counted.push("index", make_index([make_image(platform=name) for name in (HOST, FOREIGN)]))
    host.do("image_pull", name=[f"{counted}:1", f"{counted}:index"])
    for tag in ("1", "index"):
        proxy.reset()
        host.rest("image_pull", name=f"{counted}:{tag}", pull="newer")
        assert asked(proxy) == ["HEAD manifests"]


def test_an_absent_image_costs_one_manifest_and_its_blobs(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    image = make_image(layers=3)
    counted.push("1", image)
    host.do("image_pull", name=f"{counted}:1")
    assert asked(proxy)[0] == "GET manifests"
    assert sorted(asked(proxy)) == sorted(["GET manifests", *["GET blobs"] * 4])
    content = sum(len(blob.data) for blob in (image.manifest, image.config, *image.layers))
    assert proxy.bytes_sent(path="/(manifests|blobs)/") == content


def test_check_mode_fetches_no_layer(host: Host, counted: Repository, proxy: CountingProxy) -> None:
    counted.push("1", make_image(layers=3))
    counted.push("index", make_index([make_image(platform=name) for name in (HOST, FOREIGN)]))
    host.announce("image_pull", name=[f"{counted}:1", f"{counted}:index"])
    assert sorted(asked(proxy)) == ["GET manifests"] * 3


def test_an_absent_image_of_an_index_costs_two_manifests_and_its_blobs(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    counted.push("1", make_index([make_image(platform=name, layers=2) for name in (HOST, FOREIGN)]))
    host.do("image_pull", name=f"{counted}:1")
    assert sorted(asked(proxy)) == sorted(["GET manifests"] * 2 + ["GET blobs"] * 3)


def test_a_new_version_fetches_only_the_layers_that_are_new(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    old, new = make_image(layers=3), make_image(layers=4)
    counted.push("1", old)
    host.do("image_pull", name=f"{counted}:1")
    counted.push("1", new)
    proxy.reset()
    host.do("image_pull", name=f"{counted}:1", pull="newer")
    fetched = {exchange.path.rpartition("/")[2] for exchange in proxy.exchanges(path="/blobs/")}
    assert fetched == {new.config.digest, new.layers[3].digest}


def test_twenty_images_that_share_layers_fetch_each_blob_once(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    images = {f"v{count}": make_image(layers=1 + count % 5, labels={"n": str(count)}) for count in range(20)}
    for tag, image in images.items():
        counted.push(tag, image)
    host.do("image_state", images=[{"image": f"{counted}:{tag}"} for tag in images])
    wanted = sorted({blob.digest for image in images.values() for blob in (image.config, *image.layers)})
    fetched = sorted(exchange.path.rpartition("/")[2] for exchange in proxy.exchanges(path="/blobs/"))
    assert fetched == wanted
    assert proxy.count(path="/manifests/") == 20
    proxy.reset()
    host.rest("image_state", images=[{"image": f"{counted}:{tag}"} for tag in images])
    assert proxy.exchanges() == []


def test_pushing_again_costs_one_head(host: Host, counted: Repository, proxy: CountingProxy) -> None:
    counted.push("1", make_image(layers=2))
    host.do("image_pull", name=f"{counted}:1")
    proxy.reset()
    host.rest("image_push", name=f"{counted}:1")
    assert asked(proxy) == ["HEAD manifests"]


def test_a_further_tag_of_what_the_registry_has_moves_no_blob(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    counted.push("1", make_image(layers=2))
    host.do("image_pull", name=f"{counted}:1")
    proxy.reset()
    host.do("image_push", name=f"{counted}:1", repository=[f"{counted}:2"])
    assert proxy.count(path="/uploads/") == 0
    assert asked(proxy).count("HEAD blobs") == 3
    assert asked(proxy).count("PUT manifests") == 1
    assert sum(exchange.bytes_received for exchange in proxy.exchanges(path="/blobs/")) == 0


def test_a_push_uploads_only_the_layers_that_the_registry_lacks(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    old, new = make_image(layers=3), make_image(layers=4)
    counted.push("new", new)
    host.do("image_pull", name=f"{counted}:new")
    other = counted._replace(path=f"{counted.path}/other")
    other.push("1", old)
    # Known by a local name only, it could be anywhere: nothing is mounted.
    host.do("image_tag", name=f"{counted}:new", repository=["local/app:1"])
    host.do("image_rmi", name=f"{counted}:new")
    proxy.reset()
    host.do("image_push", name="local/app:1", repository=[f"{other}:1"])
    sent = sum(exchange.bytes_received for exchange in proxy.exchanges(path="/blobs/uploads/"))
    assert sent == len(new.layers[3].data) + len(new.config.data)
    assert counted.registry.digest(other.path, "1") == new.digest


def test_a_push_to_another_repository_of_the_registry_mounts_and_uploads_nothing(
    host: Host, counted: Repository, proxy: CountingProxy
) -> None:
    image = make_image(layers=3)
    counted.push("1", image)
    host.do("image_pull", name=f"{counted}:1")
    other = counted._replace(path=f"{counted.path}/promoted")
    proxy.reset()
    host.do("image_push", name=f"{counted}:1", repository=[f"{other}:1"])
    assert [exchange.status for exchange in proxy.exchanges(path="/blobs/uploads/")] == [201] * 4
    assert sum(exchange.bytes_received for exchange in proxy.exchanges(path="/blobs/uploads/")) == 0
    assert counted.registry.digest(other.path, "1") == image.digest
