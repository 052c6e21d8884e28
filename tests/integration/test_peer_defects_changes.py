# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules for one engine get wrong with tags, pushes and removals: each as a test that passes here.

The list of all is in test_peer_defects.py; here are:

- tag-and-push pushes what the target tag pointed at before, and reports no change
- the push's "unchanged" overwrites the "changed" of the tag
- passwords stand on the engine's command line
- check mode of a removal predicts another list of what goes than the engine removes
- a removal by ``name@sha256:…`` is sent with a reference that no engine takes
"""

from __future__ import annotations

import base64
import json
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.integration.test_peer_defects import put
from ansible_collections.fleet.images.tests.support.images import DOCUMENT_TYPES, make_image, push, request
from ansible_collections.fleet.images.tests.support.lifecycle import Repository, kinds
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy, Fault
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost

pytestmark = pytest.mark.parametrize("engine_host", ["docker", "podman"], indirect=True)

USER, PASSWORD = "deploy", "Pa55-of-the-engine"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Yield a registry that wants a log-in."""
    with start_registry(tmp_path_factory.mktemp("locked"), RegistryOptions(users={USER: PASSWORD})) as server:
        yield server


def test_the_image_that_is_named_is_pushed_and_not_what_the_target_was_before(
    engine_host: EngineHost, repository: Repository
) -> None:
    first, second = put(repository, "1"), put(repository, "2")
    copy = repository._replace(path=f"{repository.path}-copy")
    engine_host.do("image_pull", name=[f"{repository}:1", f"{repository}:2"])
    engine_host.do("image_tag", name=f"{repository}:1", repository=[f"{copy}:new"])
    announced = engine_host.announce("image_push", name=f"{repository}:2", repository=[f"{copy}:new"])
    assert kinds(announced) == ["tag", "push"]
    assert copy.digest("new") == ""
    done = engine_host.do("image_push", name=f"{repository}:2", repository=[f"{copy}:new"])
    assert done["changed"] is True
    remote = engine_host.do("image_info", name=[f"{copy}:new"], remote=True)
    assert remote["remotes"] == {f"{copy}:new": copy.digest("new")}
    assert engine_host.images()[f"{copy}:new"] == second.config.digest
    assert config_at(copy, "new") == second.config.digest
    assert first.config.digest in engine_host.images().values()


def test_each_part_of_a_task_can_make_it_changed_and_none_hides_another(
    engine_host: EngineHost, repository: Repository
) -> None:
    put(repository, "1")
    copy = repository._replace(path=f"{repository.path}-copy")
    item = {"image": f"{repository}:1", "tags": ["local/app:1"], "push": [f"{copy}:1"]}
    assert kinds(engine_host.do("image_state", images=[item])) == ["pull", "tag", "push"]
    engine_host.rest("image_state", images=[item])

    engine_host.do("image_rmi", name="local/app:1")  # the tag alone is to be made, the push finds all there
    assert kinds(engine_host.announce("image_state", images=[item])) == ["tag"]
    assert engine_host.do("image_state", images=[item])["changed"] is True
    put(copy, "1", "stranger")  # the push alone
    assert kinds(engine_host.announce("image_state", images=[item])) == ["push"]
    assert engine_host.do("image_state", images=[item])["changed"] is True
    engine_host.rest("image_state", images=[item])

    # With tag-and-push: the registry has it already, the name is new here.
    engine_host.do("image_push", name=f"{repository}:1", repository=[f"{copy}:2"])
    engine_host.do("image_rmi", name=f"{copy}:2")
    done = engine_host.do("image_push", name=f"{repository}:1", repository=[f"{copy}:2"])
    assert (done["changed"], kinds(done)) == (True, ["tag"])


def test_what_a_removal_takes_is_told_beforehand_as_the_engine_does_it(
    engine_host: EngineHost, repository: Repository
) -> None:
    for tag in ("lone", "shared", "pinned"):
        put(repository, tag)
    pinned = repository.digest("pinned")
    items = [
        {"image": f"{repository}:lone"},
        {"image": f"{repository}:shared", "tags": ["local/kept:1", "local/gone:1"]},
        {"image": f"{repository}@{pinned}"},
    ]
    engine_host.do("image_state", images=items)
    ids = {row["id"]: set(row["names"]) for row in engine_host.do("image_info")["images"]}
    wanted = [f"{repository}:lone", "local/gone:1", f"{repository}:shared", f"{repository}@{pinned}"]
    announced = engine_host.announce("image_rmi", name=wanted)
    before = set(engine_host.images().values())
    engine_host.settle("image_rmi", name=wanted)
    after = engine_host.images()
    left = {row["id"] for row in engine_host.do("image_info")["images"]}
    assert set(announced["deleted"]) == set(ids) - left
    assert len(announced["deleted"]) == 2
    assert sorted(announced["untagged"]) == sorted([*wanted[:1], "docker.io/local/gone:1", *wanted[2:]])
    assert set(after) == {"docker.io/local/kept:1"}
    assert set(after.values()) < before
    assert engine_host.digests() == set() or all("local/" in digest for digest in engine_host.digests())


def test_an_image_that_was_pulled_by_digest_is_removed_by_it(engine_host: EngineHost, repository: Repository) -> None:
    image = put(repository, "1")
    name = f"{repository}@{image.digest}"
    engine_host.do("image_pull", name=name)
    assert name in engine_host.digests()
    engine_host.settle("image_rmi", name=name)
    assert engine_host.digests() == set()
    assert engine_host.do("image_info")["images"] == []


def test_no_password_is_among_the_arguments_or_the_environment_of_any_process(
    engine_host: EngineHost, locked: Registry
) -> None:
    push(locked, "team/app", make_image({"v": b"1"}, layers=2), tag="1")
    login = {"username": USER, "password": PASSWORD}
    with CountingProxy(locked.url) as proxy:
        proxy.fail(Fault(path="/v2/", times=1000, delay=0.15))  # long enough to be seen
        name, copy = f"{proxy.host}/team/app:1", f"{proxy.host}/team/copy-{engine_host.engine}:1"
        with _watched() as seen:
            engine_host.do("image_pull", name=name, **login)
            engine_host.do("image_push", name=name, repository=[copy], **login)
    assert locked.digest(f"team/copy-{engine_host.engine}", "1")
    shown = b"\n".join(seen)
    assert (b"dockerd" if engine_host.engine == "docker" else b"system\0service") in shown
    assert PASSWORD.encode() not in shown
    assert base64.b64encode(f"{USER}:{PASSWORD}".encode()) not in shown


@contextmanager
def _watched() -> Iterator[set[bytes]]:
    """Yield a set that takes, until the block ends, what any user may read of every process, and what its owner may."""
    ended, seen = threading.Event(), set[bytes]()

    def watch() -> None:
        while not ended.wait(0.05):
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    seen.update((path / part).read_bytes() for part in ("cmdline", "environ"))
                except OSError:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def config_at(repository: Repository, tag: str) -> str:
    """Return the config digest behind a tag at the registry."""
    headers = {"Accept": ", ".join(DOCUMENT_TYPES)}
    answer = request(repository.registry, "GET", f"/v2/{repository.path}/manifests/{tag}", headers=headers)
    return str(json.loads(answer.body)["config"]["digest"])
