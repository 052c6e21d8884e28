# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All registries of a task."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
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
