# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers, pushers and runners that other tests trust do what they promise."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support import images, skopeo
from ansible_collections.fleet.images.tests.support.playbook import run_playbook
from ansible_collections.fleet.images.tests.support.programs import is_listening
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry

StartRegistry = Callable[[RegistryOptions], Registry]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


def test_a_pushed_image_has_the_digest_that_skopeo_computes(registry: Registry) -> None:
    image = images.push_image(registry, "team/app", "1", layers=2, random_bytes=5000)
    assert skopeo.manifest_digest(f"docker://{registry.reference('team/app', '1')}") == image.digest
    assert registry.digest("team/app", "1") == image.digest
    assert registry.tags("team/app") == ["1"]
    assert (registry.digest("team/app", "2"), registry.tags("team/none")) == ("", [])


def test_a_pushed_index_can_be_copied_whole_and_checked_by_umoci(registry: Registry, tmp_path: Path) -> None:
    index = images.push_index(registry, "multi", "1")
    layout = tmp_path / "layout"
    skopeo.copy(f"docker://{registry.reference('multi', '1')}", f"oci:{layout}:multi", all_platforms=True)
    assert skopeo.manifest_digest(f"oci:{layout}:multi") == index.digest
    assert skopeo.umoci_names(layout) == ["multi"]


def test_a_handwritten_layout_survives_the_collection_of_umoci(tmp_path: Path) -> None:
    image = images.make_image({"etc/motd": b"hi\n"})
    layout = images.write_layout(tmp_path / "layout", {"one": image, "two": images.make_image(seed=7)})
    skopeo.umoci_collect(layout)
    assert skopeo.umoci_names(layout) == ["one", "two"]
    assert (skopeo.umoci_unpack(layout, "one", tmp_path / "bundle") / "etc/motd").read_bytes() == b"hi\n"


def test_a_registry_with_accounts_refuses_strangers(registry_with: StartRegistry) -> None:
    guarded = registry_with(RegistryOptions(users={"alice": "wonder land", "bob": "b"}))
    images.push_image(guarded, "private/app")
    with pytest.raises(urllib.error.HTTPError) as refusal:
        get(f"{guarded.url}/v2/private/app/tags/list")
    with refusal.value as answer:
        assert answer.code == 401


def test_a_registry_with_tls_is_trusted_by_its_own_authority_only(registry_with: StartRegistry) -> None:
    guarded = registry_with(RegistryOptions(tls=True))
    images.push_image(guarded, "app")
    assert guarded.tags("app") == ["latest"]
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        get(f"{guarded.url}/v2/")


def test_a_registry_is_gone_after_its_block_and_keeps_its_content(tmp_path: Path) -> None:
    with start_registry(tmp_path) as first:
        image = images.push_image(first, "app")
        port = int(first.host.rpartition(":")[2])
        assert is_listening(port)
    assert not is_listening(port)
    with start_registry(tmp_path) as second:
        assert second.digest("app", "latest") == image.digest


def test_a_pull_through_cache_serves_what_its_origin_has(registry: Registry, registry_with: StartRegistry) -> None:
    image = images.push_image(registry, "app")
    cache = registry_with(RegistryOptions(proxy_of=registry.url))
    assert cache.digest("app", "latest") == image.digest


def test_the_proxy_counts_requests_and_bytes_both_ways(registry: Registry, counting_proxy: CountingProxy) -> None:
    through = registry._replace(host=counting_proxy.host, url=counting_proxy.url)
    image = images.push_image(through, "app", random_bytes=300_000)
    layer = image.layers[0]
    assert get(f"{counting_proxy.url}/v2/app/blobs/{layer.digest}") == layer.data
    assert counting_proxy.bytes_sent(method="GET", path="/blobs/") == len(layer.data)
    uploads = counting_proxy.exchanges(method="PUT", path="/blobs/uploads/")
    assert sorted(e.bytes_received for e in uploads) == sorted([len(layer.data), len(image.config.data)])
    assert counting_proxy.count(method="PUT", path="/manifests/latest$") == 1
    assert {exchange.status for exchange in counting_proxy.exchanges(method="PUT")} == {201}


def test_the_proxy_fails_as_often_as_it_was_told(registry: Registry, counting_proxy: CountingProxy) -> None:
    images.push_image(registry, "app")
    counting_proxy.fail(Fault("/tags/list", status=503, times=2, skip=1, headers={"Retry-After": "0"}, body=b"busy"))
    statuses = []
    for _ in range(4):
        connection = http.client.HTTPConnection(counting_proxy.host, timeout=30)
        connection.request("GET", "/v2/app/tags/list")
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [200, 503, 503, 200]


def test_the_proxy_cuts_a_download_after_the_bytes_it_was_told(
    registry: Registry, counting_proxy: CountingProxy
) -> None:
    layer = images.push_image(registry, "app", random_bytes=200_000).layers[0]
    url = f"{counting_proxy.url}/v2/app/blobs/{layer.digest}"
    counting_proxy.fail(Fault("/blobs/", cut_after=100_000))
    with pytest.raises(http.client.IncompleteRead) as cut:
        get(url)
    assert cut.value.partial == layer.data[:100_000]
    assert get(url) == layer.data


def test_the_proxy_changes_bytes_on_request(registry: Registry, counting_proxy: CountingProxy) -> None:
    layer = images.push_image(registry, "app").layers[0]
    counting_proxy.fail(Fault("/blobs/", tamper=lambda data: data[:-1] + b"X"))
    assert get(f"{counting_proxy.url}/v2/app/blobs/{layer.digest}") == layer.data[:-1] + b"X"


def test_a_playbook_run_returns_what_each_task_gave(tmp_path: Path) -> None:
    tasks = [
        {"name": "greet", "ansible.builtin.ping": {"data": "hello"}},
        {"name": "change", "ansible.builtin.command": {"cmd": "true"}},
        {"name": "fail", "ansible.builtin.command": {"cmd": "false"}},
    ]
    run = run_playbook([{"hosts": "all", "gather_facts": False, "tasks": tasks}], tmp_path)
    assert run.returncode == 2
    assert [(row.task, row.status, row.changed) for row in run.results[:2]] == [
        ("greet", "ok", False),
        ("change", "ok", True),
    ]
    assert run.of("greet").result["ping"] == "hello"
    assert run.of("fail", host="localhost").status == "failed"
