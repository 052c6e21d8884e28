# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that fail, on every engine: what may pass is waited for, what cannot pass is told at once."""

from __future__ import annotations

import typing as t
from collections import Counter

import pytest
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image
from ansible_collections.fleet.images.tests.support.lifecycle import Repository
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost

PATIENT: dict[str, t.Any] = {"retry": 3, "retry_delay": 0.1}


@pytest.fixture
def proxy(repository: Repository) -> Iterator[CountingProxy]:
    """Yield a counting proxy before the shared registry."""
    with CountingProxy(repository.registry.url) as made:
        yield made


@pytest.fixture
def flawed(repository: Repository, proxy: CountingProxy) -> Repository:
    """Return the repository as hosts see it: through the proxy."""
    return repository._replace(host=proxy.host)


def put(repository: Repository, tag: str) -> MadeImage:
    """Push an image of three layers of noise, under ``tag``, and return it."""
    image = make_image({"v": tag.encode()}, layers=3, random_bytes=20_000, seed=sum(tag.encode()))
    repository.push(tag, image)
    return image


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="GET", status=429, headers={"Retry-After": "1"}),
        Fault(method="GET", status=503),
        Fault(method="GET", cut_after=9_000),
    ],
    ids=["429", "503", "cut"],
)
def test_what_passes_is_waited_for(
    engine_host: EngineHost, flawed: Repository, proxy: CountingProxy, fault: Fault
) -> None:
    image = put(flawed, "1")
    proxy.fail(fault._replace(path=f"/blobs/{image.layers[1].digest}"))
    done = engine_host.do("image_pull", name=f"{flawed}:1", **PATIENT)
    assert [row.status for row in proxy.exchanges(path=image.layers[1].digest)].count(fault.status) == 1
    assert done["images"][0]["digest"] == image.digest
    assert engine_host.images() == {f"{flawed}:1": image.config.digest}
    engine_host.rest("image_pull", name=f"{flawed}:1")


@pytest.mark.parametrize(
    ("status", "code"), [(401, "auth-required"), (403, "access-denied"), (404, "blob-not-found")]
)
def test_what_cannot_pass_is_never_tried_again(
    engine_host: EngineHost, flawed: Repository, proxy: CountingProxy, status: int, code: str
) -> None:
    put(flawed, "1")
    headers = {"WWW-Authenticate": 'Basic realm="tests"'} if status == 401 else {}
    most = []
    for patience in ({"retry": 0}, PATIENT):
        proxy.reset()
        proxy.fail(Fault(path="/blobs/", status=status, headers=headers, times=10_000))
        run = engine_host.run("image_pull", name=f"{flawed}:1", **patience).result
        assert run["failed"]
        assert run["error"]["code"] == code
        assert engine_host.images() == {}
        assert engine_host.digests() == set()
        most.append(max(Counter((row.method, row.path) for row in proxy.exchanges(path="/blobs/")).values()))
    assert most[1] <= most[0] <= 2  # Docker itself asks for a blob twice before it gives up


def test_one_failure_of_several_keeps_the_others_and_tells_what_became_of_each(
    engine_host: EngineHost, flawed: Repository, proxy: CountingProxy
) -> None:
    images = {tag: put(flawed, tag) for tag in ("a", "b", "bad", "c", "d")}
    lost = images["bad"].layers[-1].digest
    proxy.fail(Fault(path=f"/blobs/{lost}", status=404, times=10_000))
    items = [{"image": f"{flawed}:{tag}"} for tag in images]
    run = engine_host.run("image_state", images=items, parallel=2, **PATIENT).result
    assert run["failed"]
    error = run["error"]
    labels = {f"pull {flawed}:{tag}": f"{flawed}:{tag}" for tag in images}
    assert sorted([*error["done"], *error["failed"], *error["not_started"]]) == sorted(labels)
    assert list(error["failed"]) == [f"pull {flawed}:bad"]
    assert set(engine_host.images()) == {labels[label] for label in error["done"]}
    proxy.reset()
    engine_host.settle("image_state", images=items, parallel=2)
    assert engine_host.images() == {f"{flawed}:{tag}": image.config.digest for tag, image in images.items()}
    for label in error["done"]:
        tag = label.rpartition(":")[2]
        assert all(proxy.count(path=layer.digest, method="GET") == 0 for layer in images[tag].layers[1:])
