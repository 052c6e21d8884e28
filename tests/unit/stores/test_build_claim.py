# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who builds: hosts agree through a store, on a clock of the tests; and through a real registry."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    AuthError,
    UnavailableError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.build_claim import (
    CLAIM_ANNOTATION,
    BuildClaim,
    Rhythm,
)
from ansible_collections.fleet.images.plugins.module_utils.stores.memory import MemoryStore
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.stores.registry import RegistryStore
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support.module import COLLECTIONS
from ansible_collections.fleet.images.tests.unit.stores.sample_images import sample_image
from ansible_collections.fleet.images.tests.unit.wire.odd_server import OddServer, Reply, client_for

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
    from ansible_collections.fleet.images.plugins.module_utils.stores.base import ContentStore
    from ansible_collections.fleet.images.tests.support.registry import Registry

WANTED = parse_reference("registry.example/shared:build-0123")
CLAIM = parse_reference("registry.example/shared:build-0123-claim")
IMAGE = sample_image("built")


class Time:
    """A clock that moves when somebody sleeps; ``events`` happen once their time has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[tuple[float, Callable[[], None]]] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            event[1]()


def host(store: ContentStore, time: Time, *, deadline: float | None = None) -> BuildClaim:
    # No sign of life of its own during a test: its renewals would need a clock that runs.
    return BuildClaim(
        store, WANTED, deadline=deadline, rhythm=Rhythm(renew=3600.0), clock=time.clock, sleep=time.sleep
    )


def put(store: ContentStore, reference: Reference = WANTED) -> None:
    """Put an image there as a host does that has built it."""
    IMAGE.put(store, reference)


def test_the_first_host_builds_and_the_next_finds_what_it_put_there() -> None:
    store, time = MemoryStore(), Time()
    first = host(store, time)
    assert first.take()
    put(store)
    first.release()
    started = time.now
    assert not host(store, time).take()
    assert time.now == started


def test_a_host_waits_while_another_shows_that_it_builds() -> None:
    store, time = MemoryStore(), Time()
    first, other = host(store, time), host(store, time)
    assert first.take()
    time.events = [(20.0 * number, functools.partial(sign, first, number)) for number in range(1, 11)]
    time.events.append((205.0, lambda: put(store)))
    assert not other.take()
    assert time.now >= 205.0
    first.release()


def sign(claim: BuildClaim, number: int) -> None:
    """Let a host show that it builds."""
    claim._put(f"sign {number}")


def test_a_host_that_is_gone_is_followed_by_another() -> None:
    store, time = MemoryStore(), Time()
    gone, other = host(store, time), host(store, time)
    assert gone.take()
    started = time.now
    assert other.take()
    assert time.now - started >= Rhythm().dead
    other.release()
    gone.release()


def test_a_host_whose_build_failed_lets_the_next_one_build_at_once() -> None:
    store, time = MemoryStore(), Time()
    failed, other = host(store, time), host(store, time)
    assert failed.take()
    failed.release()
    started = time.now
    assert other.take()
    assert time.now - started <= 2 * Rhythm().settle
    other.release()


def test_of_two_that_claim_at_once_the_last_one_builds() -> None:
    store, time = MemoryStore(), Time()
    first, last = host(store, time), host(store, time)
    time.events.append((0.1, lambda: sign(last, 1)))  # while the first one waits whether its claim stays
    time.events.append((5.0, lambda: put(store)))
    assert not first.take()
    assert time.now >= 5.0


def test_what_is_put_there_while_a_claim_settles_is_found_and_the_claim_given_back() -> None:
    store, time = MemoryStore(), Time()
    time.events.append((0.1, lambda: put(store)))
    claim = host(store, time)
    assert not claim.take()
    assert json.loads(store.read(store.resolve(CLAIM)))["annotations"] == {CLAIM_ANNOTATION: ""}


def test_waiting_ends_at_the_deadline() -> None:
    store, time = MemoryStore(), Time()
    first = host(store, time)
    assert first.take()
    started = time.now
    with pytest.raises(UnavailableError) as caught:
        host(store, time, deadline=10.0).take()
    assert caught.value.code == "deadline-passed"
    assert not caught.value.retryable
    assert time.now - started == pytest.approx(10.0)
    first.release()


def test_a_repository_that_may_not_be_written_is_told_as_such() -> None:
    with OddServer(lambda asked: Reply(404 if asked.method in ("GET", "HEAD") else 403)) as server:
        wanted = Reference(server.host, "shared", "build-0123")
        store = RegistryStore(client_for(server.host, settings=RegistrySettings(retry=0)), "shared")
        with pytest.raises(AuthError) as caught:
            BuildClaim(store, wanted).take()
    assert caught.value.code == "share-not-writable"
    assert "403" in caught.value.why


def test_a_registry_that_only_gives_is_told_as_such() -> None:
    with OddServer(lambda asked: Reply(404 if asked.method in ("GET", "HEAD") else 405)) as server:
        wanted = Reference(server.host, "shared", "build-0123")
        store = RegistryStore(client_for(server.host, settings=RegistrySettings(retry=0)), "shared")
        with pytest.raises(UnsupportedError) as caught:
            BuildClaim(store, wanted).take()
    assert caught.value.code == "registry-read-only"
    assert "405" in caught.value.why


def test_a_claim_is_renewed_until_it_is_released() -> None:
    store, others = MemoryStore(), set(threading.enumerate())
    claim = BuildClaim(store, WANTED, rhythm=Rhythm(settle=0.0, renew=0.01))
    assert claim.take()
    seen: set[Digest] = set()
    while len(seen) < 3:
        seen.add(store.resolve(CLAIM).digest)
    claim.release()
    claim.release()
    last = json.loads(store.read(store.resolve(CLAIM)))
    assert last["annotations"] == {CLAIM_ANNOTATION: ""}
    assert set(threading.enumerate()) <= others


def test_ten_hosts_at_once_agree_on_one_at_a_real_registry(registry: Registry) -> None:
    wanted = parse_reference(registry.reference("shared", "build-0123"))
    rhythm = Rhythm(poll=0.05, longest_poll=0.1, renew=0.2)
    built = []

    def converge(_number: int) -> bool:
        with Registries(credentials=CredentialSource(environ={})) as registries:
            store = registries.store(wanted)
            claim = BuildClaim(store, wanted, rhythm=rhythm)
            if not claim.take():
                return store.resolve(wanted).digest == IMAGE.descriptor.digest
            built.append(wanted)
            put(store, wanted)
            claim.release()
            return True

    with ThreadPoolExecutor(10) as threads:
        assert all(threads.map(converge, range(10)))
    assert len(built) == 1
    with Registries(credentials=CredentialSource(environ={})) as registries:
        store = registries.store(wanted)
        claim_manifest = store.fetch_manifest(wanted.with_tag("build-0123-claim"))[0]
        assert json.loads(claim_manifest)["annotations"] == {CLAIM_ANNOTATION: ""}


_HOLDER = """
import sys
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.build_claim import BuildClaim, Rhythm
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
wanted = parse_reference(sys.argv[1])
claim = BuildClaim(Registries().store(wanted), wanted, rhythm=Rhythm(settle=0.1, renew=0.1))
print(claim.take(), flush=True)
sys.stdin.read()
"""


def test_a_host_that_is_killed_while_it_builds_is_followed_by_another(registry: Registry) -> None:
    wanted = parse_reference(registry.reference("shared", "build-0123"))
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with holder, Registries(credentials=CredentialSource(environ={})) as registries:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == b"True"
        store = registries.store(wanted)
        # It shows that it builds, so nobody else does, however long that takes.
        waiting = BuildClaim(store, wanted, deadline=6.0, rhythm=Rhythm(poll=0.1, longest_poll=0.1, dead=4.0))
        with pytest.raises(UnavailableError):
            waiting.take()
        holder.kill()
        holder.wait()
        claim = BuildClaim(store, wanted, rhythm=Rhythm(settle=0.1, poll=0.1, longest_poll=0.1, dead=1.0))
        assert claim.take()
        claim.release()
