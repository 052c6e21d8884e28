# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages that a Docker daemon sends while it pulls or pushes. Status 200 comes first, the failure later."""

from __future__ import annotations

import time
import typing as t

from ..model.errors import UnavailableError, deadline_passed

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.reference import Reference
    from ..wire.credentials import Credential
    from ..wire.engine_stream import EngineStream
    from .base import Heard
    from .docker_api import DockerApi

_ANY_STATUS = range(200, 600)


class Transfer(t.NamedTuple):
    """How a pull or push ended: bytes that moved as far as the daemon told, and its words if it failed."""

    size: int
    failure: str


def transfer(
    api: DockerApi,
    path: str,
    *,
    query: Mapping[str, str],
    credential: Credential | None,
    expires: float | None,
    subject: Reference,
    heard: Heard | None = None,
) -> Transfer:
    """Let the daemon talk to a registry about ``subject``, and listen until it is done. Its words hold no secret.

    ``expires`` is a time of the monotonic clock; without one the connection's own timeout bounds each silence.
    ``heard``: see Daemon.pull.

    Raises:
        UnavailableError: deadline-passed: the time came; the connection is closed, by which the daemon stops.
        ImagesError: the daemon cannot be talked to.
    """
    from ..wire.credentials import daemon_login
    from ..wire.redact import redact

    headers = {"X-Registry-Auth": daemon_login(credential)}
    left = None if expires is None else _left(expires, subject)
    try:
        with api.stream(path, query=query, headers=headers, expect=_ANY_STATUS, timeout=left) as answer:
            size, failure = _listen(answer, expires=expires, subject=subject, heard=heard)
    except UnavailableError as error:
        if expires is not None and error.code == "engine-timeout":
            _left(expires, subject)
        raise
    return Transfer(size, redact(failure, credential.secrets if credential is not None else ()))


def _listen(
    answer: EngineStream, *, expires: float | None, subject: Reference, heard: Heard | None
) -> tuple[int, str]:
    """Return how many bytes the layers have that were not there, and what failed."""
    sizes: dict[object, int] = {}
    failure = "" if answer.status == 200 else f"status {answer.status}"
    for message in answer.messages():
        detail = message.get("progressDetail")
        total = detail.get("total") if isinstance(detail, dict) else None
        if isinstance(total, int):
            sizes[message.get("id")] = max(total, sizes.get(message.get("id"), 0))
        if heard is not None:
            _tell(message, heard)
        failure = failure_told(message) or failure
        if expires is not None:
            answer.wait_at_most(_left(expires, subject))
    return sum(sizes.values()), failure


def _tell(message: Mapping[str, t.Any], heard: Heard) -> None:
    layer, detail = message.get("id"), message.get("progressDetail")
    current = detail.get("current") if isinstance(detail, dict) else None
    if isinstance(layer, str) and isinstance(current, int):
        heard(layer, current)  # also while it is unpacked, which goes no further than its size
    elif isinstance(layer, str) and message.get("status") == "Already exists":
        heard(layer, None)


def failure_told(message: Mapping[str, t.Any]) -> str:
    """Return what a message says went wrong; a refusal before the first one has it in another field."""
    detail = message.get("errorDetail")
    words = detail.get("message") if isinstance(detail, dict) else None
    return str(words or message.get("error") or message.get("message") or "")


def _left(expires: float, subject: Reference) -> float:
    left = expires - time.monotonic()
    if left <= 0:
        raise deadline_passed(str(subject))
    return left
