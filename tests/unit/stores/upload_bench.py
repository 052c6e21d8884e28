# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of uploads share: a blob, and a server that takes it from a store."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.stores.registry import RegistryStore
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise
from ansible_collections.fleet.images.tests.unit.stores.upload_server import UploadRegistry
from ansible_collections.fleet.images.tests.unit.wire.odd_server import OddServer, Patience, Reply, client_for

CONTENT = noise("upload", 1_000_000)
BLOB = Descriptor.of(CONTENT, media_types.OCI_LAYER_GZIP)
CHUNK = 300_000


class Bench(t.NamedTuple):
    """A server with its rule, a store that writes to it, and the pauses that were made."""

    registry: UploadRegistry
    server: OddServer
    patience: Patience

    def store(self, *, retry: int = 2, mount_from: t.Sequence[str] = ()) -> RegistryStore:
        client = client_for(self.server.host, settings=RegistrySettings(retry=retry), sleep=self.patience)
        return RegistryStore(client, "a", mount_from=mount_from)

    def methods(self) -> list[str]:
        return [asked.method for asked in self.server.asked if asked.path != "/token"]

    def sent(self) -> int:
        return sum(len(asked.body) for asked in self.server.asked)


def once(bench: Bench, reply: Reply, *, method: str, path: str = "") -> None:
    """Let the next request of ``method`` be answered with ``reply``."""
    left = [reply]
    bench.registry.before = lambda asked: (
        left.pop() if left and asked.method == method and path in asked.target else None
    )
