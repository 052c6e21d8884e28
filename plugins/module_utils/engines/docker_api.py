# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to a Docker daemon, in the newest version of its API that both sides know."""

from __future__ import annotations

import re
import threading
import typing as t

from ..model.errors import InputError, NotFoundError, UnsupportedError
from ..model.fields import Fields
from ..wire.engine_connections import EngineConnections

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ..model.reference import Reference
    from ..wire.engine_socket import EngineConnection, EngineEndpoint, EngineTls
    from ..wire.engine_stream import EngineStream

HIGHEST_TESTED_API = (1, 48)
LOWEST_USABLE_API = (1, 24)
PLATFORM_API = (1, 32)  # from here on a pull can be for another platform than the daemon's
_ANSWER = "answer of the engine"
_DOWNLOAD_SECONDS = 3600.0  # a daemon packs an image before the first byte of it comes
_Version = tuple[int, int]
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


class Server(t.NamedTuple):
    """What a daemon told of itself, and the version of the API that is spoken with it."""

    api: tuple[int, int]
    os: str
    architecture: str


class DockerApi:
    """One daemon, asked by any number of threads: each has a connection of its own.

    The daemon is asked for its version once, before the first request.
    """

    def __init__(self, connect: Callable[[], EngineConnection], *, version: str) -> None:
        """Connect later. ``version`` is ``auto``, or the version of the API to speak: ``1.41``.

        Raises:
            InputError: bad-api-version.
        """
        self._connections = EngineConnections(connect)
        self._pinned = None if version == "auto" else _pinned(version)
        self._lock = threading.RLock()
        self._server: Server | None = None
        self._info: Fields | None = None

    @property
    def server(self) -> Server:
        """What answers.

        Raises:
            UnsupportedError: engine-mismatch: it is no Docker; engine-too-old, engine-too-new: no version in common.
            ImagesError: it does not answer.
        """
        with self._lock:
            if self._server is None:
                self._server = self._negotiated(self._version_told())
            return self._server

    @property
    def info(self) -> Fields:
        """What the daemon tells of its store; asked once."""
        with self._lock:
            if self._info is None:
                _status, told, _headers = self._connections.own.request_json("GET", self._versioned("/info"))
                self._info = _object(told)
            return self._info

    @property
    def endpoint(self) -> EngineEndpoint:
        """Where the daemon listens."""
        return self._connections.own.endpoint

    @property
    def tls(self) -> EngineTls | None:
        """How TLS is spoken with it; None: it is not."""
        return self._connections.own.tls

    @property
    def is_local(self) -> bool:
        """Whether the daemon shares this machine's file systems and processors, as far as its address tells."""
        return self.endpoint.scheme == "unix"

    def rows(self, path: str, query: Mapping[str, str] | None = None) -> list[Fields]:
        """Return the objects of a list.

        Raises:
            PeerError: wrong-shape: it is something else.
        """
        told = self._connections.own.request_json("GET", self._versioned(path), query=query)[1]
        return Fields({"rows": told}, _ANSWER).objects("rows")

    def find(self, path: str) -> Fields | None:
        """Return what the daemon tells of one thing, None when it does not have it.

        Raises:
            PeerError: wrong-shape: it is no object.
        """
        status, told, _headers = self._connections.own.request_json("GET", self._versioned(path), expect=(200, 404))
        return None if status == 404 else _object(told)

    def change(self, method: t.Literal["POST", "DELETE"], path: str, *, query: Mapping[str, str]) -> bool:
        """Let the daemon change something; False when it does not have it."""
        target = self._versioned(path)
        expect = (200, 201, 204, 404)
        return self._connections.own.request_json(method, target, query=query, expect=expect)[0] != 404

    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, str | Sequence[str]],
        headers: Mapping[str, str],
        expect: Collection[int],
        timeout: float | None,
        body: bytes | Iterable[bytes] = b"",
    ) -> EngineStream:
        """Send a POST and return its unread answer; the caller closes it."""
        target = self._versioned(path)
        return self._connections.own.stream(
            "POST", target, query=query, headers=headers, body=body, expect=expect, timeout=timeout
        )

    def download(self, path: str) -> EngineStream:
        """Return the unread answer of a GET, which the daemon may think about for long; the caller closes it.

        Raises:
            NotFoundError: engine-not-found.
        """
        return self._connections.own.stream("GET", self._versioned(path), timeout=_DOWNLOAD_SECONDS)

    def close(self) -> None:
        """Close the connections of all threads. Idempotent."""
        self._connections.close()

    def _versioned(self, path: str) -> str:
        return f"/v{_written(self.server.api)}{path}"

    def _version_told(self) -> Fields:
        """Return what the daemon tells of its version, as every Docker does, and hardly any other server.

        Raises:
            UnsupportedError: engine-mismatch.
            ImagesError: it does not answer.
        """
        try:
            _status, told, _headers = self._connections.own.request_json("GET", "/version")
        except NotFoundError as error:
            if error.code != "engine-not-found":
                raise
            told = {}
        except UnsupportedError as error:
            if error.code != "engine-refused":
                raise
            raise UnsupportedError(  # nothing in this request can be refused but the way it came
                f"What listens at {error.subject} does not speak Docker's API this way",
                code="engine-mismatch",
                why=error.why,
                fix="check docker_host; if Docker wants TLS there, set validate_certs (or DOCKER_TLS_VERIFY)",
                subject=error.subject,
            ) from error
        if isinstance(told, dict) and "ApiVersion" not in told:
            place = str(self._connections.own.endpoint)
            raise UnsupportedError(
                f"What listens at {place} is not Docker",
                code="engine-mismatch",
                why="it tells no version of Docker's API",
                fix="check docker_host, or choose another engine",
                subject=place,
            )
        return _object(told)

    def _negotiated(self, told: Fields) -> Server:
        place = str(self._connections.own.endpoint)
        if any(part.optional_text("Name") == "Podman Engine" for part in told.objects("Components")):
            raise UnsupportedError(
                f"What listens at {place} is podman",
                code="engine-mismatch",
                why=f"it tells version {told.optional_text('Version')} of the Podman Engine",
                fix="set engine: podman",
                subject="engine",
            )
        highest = _told_version(told, "ApiVersion")
        lowest = _told_version(told, "MinAPIVersion") if told.has("MinAPIVersion") else LOWEST_USABLE_API
        api = self._pinned or min(highest, HIGHEST_TESTED_API)
        if api > highest or api < LOWEST_USABLE_API:
            raise _too_old(api, highest=highest, place=place)
        if api < lowest:
            raise _too_new(api, lowest=lowest, place=place)
        return Server(api, told.text("Os"), told.text("Arch"))


def name_image(api: DockerApi, reference: Reference, *, image: str) -> bool:
    """Let a tag point at ``image`` (an ID or a name); False when the daemon does not have that. Idempotent."""
    return api.change("POST", f"/images/{image}/tag", query={"repo": reference.repository, "tag": reference.tag or ""})


def _object(told: object) -> Fields:
    return Fields({"answer": told}, _ANSWER).object("answer")


def _pinned(text: str) -> _Version:
    found = _VERSION.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text!r} is not a version of Docker's API",
            code="bad-api-version",
            fix="write api_version (or DOCKER_API_VERSION) like 1.41, or auto",
            subject="api_version",
        )
    return int(found[1]), int(found[2])


def _told_version(told: Fields, key: str) -> _Version:
    found = _VERSION.fullmatch(told.text(key))
    if found is None:
        raise told.wrong(key, "is not a version like 1.41")
    return int(found[1]), int(found[2])


def _too_old(api: _Version, *, highest: _Version, place: str) -> UnsupportedError:
    needed = max(api, LOWEST_USABLE_API)
    is_daemon = highest < needed
    return UnsupportedError(
        f"The Docker daemon at {place} is too old" if is_daemon else f"Version {_written(api)} of the API is too old",
        code="engine-too-old",
        why=f"it speaks its API up to {_written(highest)}, and {_written(needed)} is needed"
        if is_daemon
        else f"{_written(LOWEST_USABLE_API)} is needed",
        fix="Set api_version: auto, or update Docker on the host",
        subject="api_version",
    )


def _too_new(api: _Version, *, lowest: _Version, place: str) -> UnsupportedError:
    is_pinned_too_low = lowest <= HIGHEST_TESTED_API
    return UnsupportedError(
        f"The Docker daemon at {place} is too new for version {_written(api)} of its API",
        code="engine-too-new",
        why=f"it speaks {_written(lowest)} and later",
        fix="Set api_version: auto"
        if is_pinned_too_low
        else f"Update this collection, or try api_version: '{_written(lowest)}', which was not tested",
        subject="api_version",
    )


def _written(version: _Version) -> str:
    return f"{version[0]}.{version[1]}"
