# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All registries of a task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential, CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.unit.wire.odd_server import OddServer, Reply

NOBODY = CredentialSource(environ={})


def test_every_thread_gets_the_one_client_of_a_registry() -> None:
    with Registries(credentials=NOBODY) as registries, ThreadPoolExecutor(8) as threads:
        clients = set(threads.map(lambda _number: registries.client("quay.io"), range(50)))
        assert len(clients) == 1
        assert registries.client("ghcr.io") not in clients


def test_a_registry_with_settings_of_its_own_is_spoken_to_by_them() -> None:
    strict = RegistrySettings(validate_certs=True, retry=0)
    with OddServer(lambda _asked: Reply(404)) as server:
        name = Reference(server.host, "a", "1")
        with Registries(credentials=NOBODY) as registries:
            assert registries.store(name).tags() == []
        with Registries(strict, NOBODY, per_registry={server.host: RegistrySettings()}) as registries:
            assert registries.store(name).tags() == []


def test_warnings_of_all_registries_are_told_with_their_names() -> None:
    reply = Reply(404, (("Warning", '299 - "moving house"'),))
    with OddServer(lambda _asked: reply) as server, Registries(credentials=NOBODY) as registries:
        registries.store(Reference(server.host, "a")).tags()
        registries.client("quay.io")
        assert registries.warnings == [f"{server.host}: moving house"]


def test_a_mirror_is_asked_once_and_the_same_host_as_an_origin_as_often_as_wanted() -> None:
    settings = RegistrySettings(retry=2, retry_delay=0.0)
    with OddServer(lambda _asked: Reply(503)) as server, Registries(settings, NOBODY) as registries:
        name = Reference(server.host, "a", "1")
        for store, attempts in ((registries.mirror(name), 1), (registries.store(name), 3)):
            server.asked.clear()
            with pytest.raises(UnavailableError) as caught:
                store.resolve(name)
            assert caught.value.attempts == len(server.asked) == attempts


def test_each_mirror_is_spoken_to_with_the_credentials_of_its_own_host() -> None:
    challenge = (("WWW-Authenticate", 'Basic realm="a"'),)
    with OddServer(lambda _asked: Reply(401, challenge)) as origin, OddServer(lambda _asked: Reply(404)) as mirror:
        known = CredentialSource({origin.host: Credential("alice", "secret")}, environ={})
        with Registries(credentials=known) as registries:
            stores = registries.store(Reference(origin.host, "a")), registries.mirror(Reference(mirror.host, "a"))
            for store in stores:
                with pytest.raises(ImagesError):
                    store.resolve(Reference(origin.host, "a", "1"))
        assert any("authorization" in asked.headers for asked in origin.asked)
        assert not any("authorization" in asked.headers for asked in mirror.asked)
