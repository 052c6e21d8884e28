# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fifty cold hosts at once: what leaves the origin without a cache, through nginx, through a seeded docker-registry.

``REGISTRY_CACHE_LAYER_MIB=20`` runs it at full size; the ratios hold at any. ``REGISTRY_CACHE_ROLLOUT_HOSTS=50``
rolls out to so many hosts, through both kinds of cache, instead of four through the one that needs the order.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import tempfile
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.integration.test_registry_cache import Answering, Cache, serving
from ansible_collections.fleet.images.tests.support.forked_module import run_forked
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, push
from ansible_collections.fleet.images.tests.support.lifecycle import Host
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.registry import Registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS = 50
LAYER_BYTES = int(os.environ.get("REGISTRY_CACHE_LAYER_MIB", "2")) << 20
CONTENT = "/blobs/|/manifests/"
ROLLOUT_HOSTS = int(os.environ.get("REGISTRY_CACHE_ROLLOUT_HOSTS", "4"))
BOUNDS = {"registry": 2.05, "nginx": 1.05} if ROLLOUT_HOSTS > 4 else {"registry": 2.05}


@pytest.fixture(scope="module")
def image() -> MadeImage:
    """Return an image of three layers that do not compress."""
    return make_image(layers=3, random_bytes=LAYER_BYTES)


@pytest.fixture
def origin(shared_registry: Registry, image: MadeImage) -> Iterator[CountingProxy]:
    """Yield what counts before a registry that has the image as fleet/app."""
    push(shared_registry, "fleet/app", image)
    with CountingProxy(shared_registry.url) as proxy:
        yield proxy


@pytest.fixture
def public() -> Iterator[Path]:
    """Yield a folder that every account may enter."""
    with tempfile.TemporaryDirectory(prefix="registry-cache-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def content_bytes(image: MadeImage) -> int:
    """Return what one cold host fetches."""
    return sum(len(blob.data) for blob in (image.manifest, image.config, *image.layers))


def pull_on_all(host: str, image: MadeImage) -> None:
    """Pull the image by digest on all hosts at the same moment; every byte is compared on each."""
    start = threading.Barrier(HOSTS)
    with ThreadPoolExecutor(HOSTS) as hosts:
        for pull in [hosts.submit(_pull, host, image, start) for _host in range(HOSTS)]:
            pull.result()


def _pull(host: str, image: MadeImage, start: threading.Barrier) -> None:
    start.wait(60)
    connection = http.client.HTTPConnection(host, timeout=300)
    wanted = [("manifests", image.manifest), *(("blobs", blob) for blob in (image.config, *image.layers))]
    for kind, blob in wanted:
        headers = {"Accept": image.manifest.media_type}
        connection.request("GET", f"/v2/fleet/app/{kind}/{blob.digest}", headers=headers)
        answer = connection.getresponse()
        digest = hashlib.sha256()
        for chunk in iter(lambda a=answer: a.read(1 << 20), b""):  # type: ignore[misc]
            digest.update(chunk)
        assert (answer.status, "sha256:" + digest.hexdigest()) == (200, blob.digest)
    connection.close()


def test_without_a_cache_every_host_costs_the_origin_the_whole_image(origin: CountingProxy, image: MadeImage) -> None:
    pull_on_all(origin.host, image)
    assert origin.bytes_sent(path=CONTENT) >= 40 * content_bytes(image)


def test_through_nginx_the_origin_sends_the_image_once_however_many_hosts_start_at_once(
    origin: CountingProxy, image: MadeImage, public: Path
) -> None:
    cache = Cache("nginx", public, upstream=origin.url).set_up()
    with cache.started():
        pull_on_all(cache.registry.host, image)
    ratio = origin.bytes_sent(path=CONTENT) / content_bytes(image)
    assert 1 <= ratio <= 1.05
    assert origin.count(path="/blobs/") == 1 + len(image.layers)


def test_through_a_seeded_docker_registry_the_origin_sends_the_image_twice(
    origin: CountingProxy, image: MadeImage, public: Path
) -> None:
    cache = Cache("registry", public, upstream=origin.url).set_up()
    with cache.started():
        seeded = cache.probe(f"fleet/app@{image.digest}")
        assert seeded.returncode == 0, seeded.stderr
        pull_on_all(cache.registry.host, image)
    ratio = origin.bytes_sent(path=CONTENT) / content_bytes(image)
    assert 1 <= ratio <= 2.05


@pytest.mark.long
@pytest.mark.parametrize("kind", sorted(BOUNDS))
def test_a_rollout_through_a_cache_costs_the_origin_no_more_however_many_hosts_follow_the_canary(
    kind: str, origin: CountingProxy, image: MadeImage, public: Path, tmp_path: Path
) -> None:
    cache, name = Cache(kind, public, upstream=origin.url).set_up(), f"{origin.host}/fleet/app:latest"
    mirrors = [{"registry": origin.host, "location": cache.registry.host}]
    store = {"engine": "layout", "store": f"{tmp_path}/{{{{ inventory_hostname }}}}"}
    given = {"fleet_images": [{"image": name}], "fleet_images_options": {**store, "mirrors": mirrors}}
    hosts = [f"host{number}" for number in range(ROLLOUT_HOSTS)]
    with cache.started():
        done = run_playbook(
            [{"name": "Roll out", "ansible.builtin.import_playbook": "fleet.images.rollout"}],
            tmp_path / "home",
            inventory="".join(f"{host} ansible_connection=local\n" for host in hosts),
            arguments=["-e", json.dumps(given)],
            environment={"ANSIBLE_PIPELINING": "true"},
            timeout=60 * ROLLOUT_HOSTS,
        )
    assert done.returncode == 0, done.output
    assert [Host(tmp_path / host).names() for host in hosts] == [{name: image.digest}] * ROLLOUT_HOSTS
    assert 1 <= origin.bytes_sent(path=CONTENT) / content_bytes(image) <= BOUNDS[kind]


def test_hosts_that_name_the_cache_as_a_mirror_fetch_nothing_from_the_origin_once_it_is_warm(
    origin: CountingProxy, shared_registry: Registry, image: MadeImage, public: Path
) -> None:
    cache = Cache("nginx", public, upstream=origin.url).set_up()
    name = f"{origin.host}/fleet/app@{image.digest}"
    mirrors = [{"registry": origin.host, "location": cache.registry.host}]
    with cache.started():
        sent = []
        for number in range(3):
            origin.reset()
            store = {"engine": "layout", "store": str(public / f"store-{number}")}
            pulled = run_forked("image_pull", {**store, "name": [name], "mirrors": mirrors})
            assert pulled.result.get("changed") is True, pulled.result
            sent.append(origin.bytes_sent(path="/blobs/"))
    assert sent == [content_bytes(image) - len(image.manifest.data), 0, 0]


@pytest.mark.parametrize("is_relative", [False, True], ids=["other host", "same host"])
def test_nginx_caches_the_bytes_behind_redirects_and_keeps_log_ins_from_where_they_lead(
    image: MadeImage, public: Path, *, is_relative: bool
) -> None:
    blobs = {blob.digest: blob.data for blob in (image.config, *image.layers)}
    with serving(_BlobStore) as store, serving(_Redirecting) as registry:
        registry.image, registry.blobs, registry.asked = image, blobs, []  # type: ignore[attr-defined]
        store.blobs, store.asked = blobs, []  # type: ignore[attr-defined]
        registry.store = "" if is_relative else f"http://127.0.0.1:{store.server_address[1]}"  # type: ignore[attr-defined]
        upstream = f"http://127.0.0.1:{registry.server_address[1]}"
        account = {"registry_cache_username": "reader", "registry_cache_password": "word"}
        cache = Cache("nginx", public, upstream=upstream, **account).set_up()
        with cache.started():
            pull_on_all(cache.registry.host, image)
        bytes_asked = (registry if is_relative else store).asked  # type: ignore[attr-defined]
        assert sorted(row for row in bytes_asked if row[0].startswith("/store/")) == sorted(
            (f"/store/{digest}", "") for digest in blobs
        )
        redirected = [row for row in registry.asked if row[0].startswith("/v2/fleet")]  # type: ignore[attr-defined]
        assert len(redirected) == len(blobs) + 1
        assert {log_in.partition(" ")[0] for _path, log_in in redirected} == {"Basic"}


class _Noting(Answering):
    def note(self) -> t.Any:
        server: t.Any = self.server
        server.asked.append((self.path, self.headers.get("Authorization", "")))
        return server


class _BlobStore(_Noting):
    def do_GET(self) -> None:
        self.answer(200, self.note().blobs[self.path.rpartition("/")[2]])


class _Redirecting(_Noting):
    def do_GET(self) -> None:
        if self.path == "/v2/":
            self.answer(401, WWW_Authenticate='Basic realm="r"')
            return
        server, name = self.note(), self.path.rpartition("/")[2]
        if self.path.startswith("/store/"):
            self.answer(200, server.blobs[name])
        elif "/manifests/" in self.path:
            self.answer(200, server.image.manifest.data, Content_Type=server.image.manifest.media_type)
        else:
            self.answer(307, Location=f"{server.store}/store/{name}")
