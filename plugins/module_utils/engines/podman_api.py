# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to podman's own API, in the newest version that both sides know."""

from __future__ import annotations

import re
import threading
import typing as t

from ..model.errors import UnsupportedError
from ..model.fields import Fields
from ..wire.engine_connections import EngineConnections

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..wire.engine_socket import EngineConnection
    from ..wire.engine_stream import EngineStream

HIGHEST_TESTED_API = (4, 3, 0)
LOWEST_USABLE_API = (4, 0, 0)

_DOWNLOAD_SECONDS = 3600.0  # podman packs an image before the first byte of it comes
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})")


class Service(t.Protocol):
    """What this engine needs of podman's service; PodmanService is one."""

    @property
    def place(self) -> str:
        """What tells it apart for people."""

    @property
    def is_local(self) -> bool:
        """Whether its files are this machine's."""

    def connect(self) -> EngineConnection:
        """Return a new connection."""


class PodmanApi:
    """One service, asked by any number of threads: each has a connection of its own.

    The service is asked for its version once, before the first request.
    """

    def __init__(self, service: Service) -> None:
        """Connect later."""
        self.service = service
        self._connections = EngineConnections(service.connect)
        self._lock = threading.Lock()
        self._base = ""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] = (200, 201, 204),
        timeout: float | None = None,
    ) -> tuple[int, t.Any]:
        """Send a request below ``/libpod`` and return its status and what the answer says; None when it is empty.

        ``timeout`` is in seconds, for each wait for bytes.

        Raises:
            ImagesError: the status is not in ``expect``, or the service cannot be talked to.
            UnsupportedError: engine-mismatch: it is no podman; engine-too-old.
        """
        path = f"{self._base or self._negotiate()}{path}"
        status, told, _headers = self._connections.own.request_json(
            method, path, query=query, headers=headers, expect=expect, timeout=timeout
        )
        return status, told

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: Iterable[bytes],
        headers: Mapping[str, str],
        timeout: float,
        expect: Collection[int] = (200, 201, 204),
    ) -> EngineStream:
        """Send a request below ``/libpod`` whose answer is read as it comes; the caller closes it.

        ``body`` is sent piece by piece. ``timeout`` is in seconds, for each wait for bytes.

        Raises:
            ImagesError: as ``request``, and what ``body`` raises.
        """
        path = f"{self._base or self._negotiate()}{path}"
        return self._connections.own.stream(
            method, path, query=query, body=body, headers=headers, expect=expect, timeout=timeout
        )

    def download(self, path: str, *, query: Mapping[str, str]) -> EngineStream:
        """Return the unread answer of a GET, which podman may think about for long; the caller closes it.

        Raises:
            NotFoundError: engine-not-found.
        """
        path = f"{self._base or self._negotiate()}{path}"
        return self._connections.own.stream("GET", path, query=query, timeout=_DOWNLOAD_SECONDS)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> t.Any:
        """Return what is at ``path``; see ``request``."""
        return self.request("GET", path, query=query)[1]

    def find(self, path: str) -> Fields | None:
        """Return the object at ``path``, or None where there is no such thing."""
        status, told = self.request("GET", path, expect=(200, 404))
        return None if status == 404 else Fields(told, "answer of podman")

    def close(self) -> None:
        """Close every connection. Idempotent."""
        self._connections.close()

    def _negotiate(self) -> str:
        with self._lock:
            if not self._base:
                with self._connections.own.stream("GET", "/libpod/_ping", expect=(200, 404)) as answer:
                    told = answer.headers.get("libpod-api-version", "")
                version = self._usable(_VERSION.match(told), told)
                self._base = f"/v{'.'.join(str(part) for part in version)}/libpod"
            return self._base

    def _usable(self, version: re.Match[str] | None, told: str) -> tuple[int, ...]:
        if version is None:
            raise UnsupportedError(
                f"What listens at {self.service.place} is not podman",
                code="engine-mismatch",
                why=f"the version of podman's API that it tells: {told or 'none'}",
                fix="Check docker_host, or choose another engine",
                subject=self.service.place,
            )
        numbers = tuple(int(part) for part in version.groups())
        if numbers < LOWEST_USABLE_API:
            raise UnsupportedError(
                f"The podman at {self.service.place} is too old",
                code="engine-too-old",
                why=f"its API has version {told}, {'.'.join(map(str, LOWEST_USABLE_API))} is needed",
                fix="Upgrade podman, or set engine: layout to keep images in the embedded store beside it",
                subject=self.service.place,
            )
        return min(numbers, HIGHEST_TESTED_API)
