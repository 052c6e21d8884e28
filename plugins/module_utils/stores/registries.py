# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All registries of one task: one client for each, made when it is first needed."""

from __future__ import annotations

import threading
import typing as t

from ..wire.registry_settings import RegistrySettings

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.reference import Reference
    from ..wire.credentials import CredentialSource
    from ..wire.registry_client import RegistryClient
    from .registry import RegistryStore


_MIRROR_CONNECT = 5.0  # seconds: a mirror is near, or worth no wait


class Registries:
    """Hands out one client for each registry, and one for each mirror. Thread-safe. A context manager that closes."""

    def __init__(
        self,
        settings: RegistrySettings = RegistrySettings(),  # noqa: B008 (immutable)
        credentials: CredentialSource | None = None,
        *,
        per_registry: Mapping[str, RegistrySettings] | None = None,
    ) -> None:
        """Speak to every registry by ``settings``, but to those in ``per_registry`` by theirs.

        Without ``credentials`` the auth files and helpers of this host are asked.
        """
        if credentials is None:
            from ..wire.credentials import CredentialSource

            credentials = CredentialSource()
        self._settings = settings
        self._per_registry = dict(per_registry or {})
        self._credentials = credentials
        self._clients: dict[tuple[str, bool], RegistryClient] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Registries:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def settings(self) -> RegistrySettings:
        """How registries without settings of their own are spoken to."""
        return self._settings

    @property
    def warnings(self) -> list[str]:
        """What registries want people to read, as ``registry: text``, each once."""
        with self._lock:
            clients = list(self._clients.values())
        return [f"{client.registry}: {text}" for client in clients for text in client.warnings]

    def client(self, registry: str, *, is_mirror: bool = False) -> RegistryClient:
        """Return the client of ``registry``, the first part of a reference (``docker.io``).

        That of a mirror tries nothing again and does not wait long for a connection: there is another source.
        """
        with self._lock:
            client = self._clients.get((registry, is_mirror))
            if client is None:
                from ..wire.registry_client import RegistryClient

                settings = self._per_registry.get(registry, self._settings)
                if is_mirror:
                    settings = settings._replace(retry=0, connect_timeout=_MIRROR_CONNECT)
                client = RegistryClient(registry, settings=settings, credentials=self._credentials)
                self._clients[registry, is_mirror] = client
            return client

    def store(self, reference: Reference, *, mount_from: Sequence[str] = ()) -> RegistryStore:
        """Return the repository of ``reference`` as a store.

        ``mount_from`` are paths of repositories of the same registry that may hold blobs to be written.
        """
        from .registry import RegistryStore

        return RegistryStore(self.client(reference.registry), reference.path, mount_from=mount_from)

    def mirror(self, reference: Reference) -> RegistryStore:
        """Return the repository of ``reference``, which names content at a mirror, as a store to read from."""
        from .registry import RegistryStore

        return RegistryStore(self.client(reference.registry, is_mirror=True), reference.path)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            client.close()
