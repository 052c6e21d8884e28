# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules for one engine get wrong, as measured with them: each as a test that passes here.

In this file (the names of the tests say what holds here instead):

- check mode of a pull with ``always`` says "changed" without asking the registry; the diff knows no digest
- check mode says "changed" for ever of ``name:tag@sha256:…``; a pull of it says "unchanged" and returns no image
- a pull policy of "newer" or "always" does nothing when the image is there
- an image that is up to date costs eight requests or six processes
- the platform that was delivered is not looked at
- a pull that stalls never ends
- an unknown name among several is left out of the answer without a word; a list costs one inspection per image

Those of tags, pushes and removals are in test_peer_defects_changes.py.

In tests/contract/test_life_of_an_image.py, on every engine:

- a moved tag is not followed: test_a_pull_goes_from_nothing_through_a_moved_tag_to_nothing
- pins are pulled again on every run, not found and not removed: test_all_forms_of_a_pin_mean_the_same_bytes
- a platform that is not there is passed over: test_a_platform_that_a_single_image_is_not_for_is_refused
- tagging what is not there is "ok": test_further_names_are_given_moved_kept_and_removed
- a push is judged by the layers it uploads, and is "changed" always, or has no check mode:
  test_a_push_is_judged_by_the_registry
- an ID with two tags is refused, a short one is passed over: test_an_id_removes_all_names_of_its_image
- a name that is a prefix of an ID removes that image:
  test_a_name_that_looks_like_an_id_and_one_too_short_remove_nothing

In tests/contract/test_images_in_use.py:

- check mode says "changed" where the run fails: test_the_last_name_of_an_image_in_use_is_not_removed
- ``force`` removes the container as well: test_a_name_can_go_while_the_container_stays
"""

from __future__ import annotations

import json
import re
import tempfile
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import DockerHost, EngineHost, PodmanHost
from ansible_collections.fleet.images.tests.support.images import (
    OCI_INDEX,
    Blob,
    MadeImage,
    MadeIndex,
    make_image,
    push_manifest,
)
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Repository
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.socket_proxy import socket_proxy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.parametrize("engine_host", ["docker", "podman"], indirect=True)


@pytest.fixture
def proxy(repository: Repository) -> Iterator[CountingProxy]:
    """Yield a counting proxy before the shared registry."""
    with CountingProxy(repository.registry.url) as made:
        yield made


@pytest.fixture
def counted(repository: Repository, proxy: CountingProxy) -> Repository:
    """Return the repository as hosts see it: through the proxy."""
    return repository._replace(host=proxy.host)


def put(repository: Repository, tag: str, label: str = "", *, layers: int = 2) -> MadeImage:
    """Push an image that differs by ``label`` and return it."""
    image = make_image({"v": (label or tag).encode()}, layers=layers)
    repository.push(tag, image)
    return image


def asked(proxy: CountingProxy) -> list[str]:
    """Return "METHOD kind" of every request, without the question whether this is a registry at all."""
    kinds_asked = [(row.method, re.findall("manifests|blobs", row.path)) for row in proxy.exchanges()]
    return [f"{method} {kind[0]}" for method, kind in kinds_asked if kind]


@contextmanager
def requests_to_the_engine(host: EngineHost) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Yield options that lead to the engine through a proxy, and what that proxy sees: "METHOD path", no version."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engine-")))
        if isinstance(host, DockerHost):
            target = host.daemon.socket
        elif isinstance(host, PodmanHost):
            target = Path(stack.enter_context(host.podman.service()).address.removeprefix("unix://"))
        else:
            raise TypeError(host.engine)
        between = stack.enter_context(socket_proxy(folder / "s", target=target))
        yield {"docker_host": between.address}, between.requests


def assert_one_listing(requests: list[str]) -> None:
    """Fail unless the engine was asked for its images once, after at most one question for its version."""
    shapes = [re.sub(r" (/v[0-9.]+)?(/libpod)?", " ", request.partition("?")[0]) for request in requests]
    assert shapes in (["GET /version", "GET /images/json"], ["GET /_ping", "GET /images/json"])


def test_check_mode_asks_the_registry_and_knows_the_digest_to_come(
    engine_host: EngineHost, counted: Repository, proxy: CountingProxy
) -> None:
    name = f"{counted}:1"
    first = put(counted, "1")
    engine_host.do("image_pull", name=name)
    proxy.reset()
    announced = engine_host.announce("image_pull", name=name, pull="always")
    assert asked(proxy) == ["HEAD manifests"]
    assert (announced["changed"], announced["actions"], announced["diff"]["after"]) == (False, [], "")

    second = put(counted, "1", "moved")
    proxy.reset()
    announced = engine_host.announce("image_pull", name=name, pull="always")
    (action,) = announced["actions"]
    assert (action["previous_digest"], action["digest"]) == (first.digest, second.digest)
    assert announced["diff"]["before"] == f"{name} {first.digest}\n"
    assert announced["diff"]["after"] == f"{name} {second.digest}\n"
    assert [layer for layer in second.layers if proxy.count(path=layer.digest)] == []
    engine_host.settle("image_pull", name=name, pull="always")
    assert engine_host.images() == {name: second.config.digest}


@pytest.mark.parametrize("form", ["{}:1@{}", "{}@{}"])
def test_a_pin_is_pulled_once_returned_and_then_left_alone_in_check_mode_too(
    engine_host: EngineHost, counted: Repository, proxy: CountingProxy, form: str
) -> None:
    image = put(counted, "1")
    pin = form.format(counted, image.digest)
    done = engine_host.settle("image_pull", name=pin)
    (row,) = done["images"]
    assert (row["changed"], row["digest"]) == (True, image.digest)
    assert row["id"]
    put(counted, "1", "moved")
    proxy.reset()
    for policy in ("always", "missing"):
        assert engine_host.announce("image_pull", name=pin, pull=policy)["changed"] is False
        engine_host.rest("image_pull", name=pin, pull=policy)
    assert proxy.exchanges() == []
    found = engine_host.do("image_info", name=[pin])
    assert [row["digest"] for row in found["images"]] == [image.digest]
    assert found["missing"] == []
    engine_host.settle("image_rmi", name=pin)
    assert engine_host.images() == {}
    assert engine_host.digests() == set()


@pytest.mark.parametrize("policy", ["always", "missing"])
def test_an_image_that_is_up_to_date_costs_two_requests_to_the_engine(
    engine_host: EngineHost, counted: Repository, proxy: CountingProxy, policy: str
) -> None:
    put(counted, "1")
    engine_host.do("image_pull", name=f"{counted}:1")
    proxy.reset()
    with requests_to_the_engine(engine_host) as (options, requests):
        engine_host.rest("image_pull", name=f"{counted}:1", pull=policy, **options)
    assert_one_listing(requests)
    assert asked(proxy) == (["HEAD manifests"] if policy == "always" else [])


def test_information_about_all_images_costs_two_requests_to_the_engine(
    engine_host: EngineHost, repository: Repository
) -> None:
    names = {f"{repository}:{tag}": put(repository, tag) for tag in "abcdef"}
    engine_host.do("image_pull", name=list(names))
    with requests_to_the_engine(engine_host) as (options, requests):
        found = engine_host.do("image_info", **options)
    assert_one_listing(requests)
    assert {row["names"][0]: row["digest"] for row in found["images"]} == {
        name: image.digest for name, image in names.items()
    }


def test_names_that_the_host_does_not_have_are_told(engine_host: EngineHost, repository: Repository) -> None:
    image = put(repository, "1")
    engine_host.do("image_pull", name=f"{repository}:1")
    absent = [f"{repository}:2", f"{repository}@sha256:{'1' * 64}", f"{repository}:1@sha256:{'2' * 64}"]
    found = engine_host.do("image_info", name=[absent[0], f"{repository}:1", *absent[1:]])
    assert [row["digest"] for row in found["images"]] == [image.digest]
    assert found["missing"] == absent


def test_a_platform_that_an_index_promises_wrongly_is_found_out(
    engine_host: EngineHost, repository: Repository
) -> None:
    ours = make_image({"a": b"1"}, platform=HOST)
    os_name, architecture = FOREIGN.split("/")
    entry = {**ours.manifest.descriptor, "platform": {"os": os_name, "architecture": architecture}}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}
    index = MadeIndex(Blob(OCI_INDEX, json.dumps(document).encode()), (ours,))
    repository.push("ours", ours)
    push_manifest(repository.registry, repository.path, index.manifest, tag="1")
    run = engine_host.run("image_pull", name=f"{repository}:1", platform=FOREIGN).result
    assert run["failed"]
    assert run["error"]["code"] == "wrong-platform-delivered"
    assert HOST in run["msg"]
    assert FOREIGN in run["msg"]


def test_a_pull_that_stalls_ends_by_its_deadline(
    engine_host: EngineHost, counted: Repository, proxy: CountingProxy
) -> None:
    image = put(counted, "1")
    proxy.fail(Fault(path="/blobs/", times=100, delay=6))  # dockerd waits for what it has asked for
    before = engine_host.state()
    run = engine_host.run("image_pull", name=f"{counted}:1", deadline=2).result
    assert run["failed"]
    assert run["error"]["code"] == "deadline-passed", run
    assert "deadline" in run["msg"]
    assert engine_host.state() == before
    proxy.reset()
    engine_host.settle("image_pull", name=f"{counted}:1")
    assert engine_host.images() == {f"{counted}:1": image.config.digest}
