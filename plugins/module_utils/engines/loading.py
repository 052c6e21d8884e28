# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of images that engines take in."""

from __future__ import annotations

import typing as t

from ..model.errors import PeerError
from ..wire.redact import redact
from .base import Archiver

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .docker_api import DockerApi
    from .podman_api import PodmanApi

_ANY_STATUS = range(200, 600)
_LOAD_SECONDS = 3600.0  # engines say nothing while they unpack layers
_TAR = {"Content-Type": "application/x-tar"}


class Loader(Archiver, t.Protocol):
    """An engine that gives whole images out, and takes them in, itself."""

    def load(self, images: Sequence[Callable[[], Iterable[bytes]]], *, whole: Callable[[], Iterable[bytes]]) -> None:
        """Take in images without names: ``images`` makes an archive of each, ``whole`` one of all of them.

        The archives are layouts that say for Docker what is in them. Layers that are here already stay as they are.

        Raises:
            PeerError: engine-load-failed: the engine could not; ``why`` has its words.
            ImagesError: the engine does not answer, or an archive cannot be made.
        """


def load_into_docker(api: DockerApi, archive: Iterable[bytes]) -> None:
    """Let Docker load an archive.

    Raises:
        ImagesError: as Loader.load.
    """
    from .docker_progress import failure_told

    with api.stream(
        "/images/load", query={"quiet": "1"}, headers=_TAR, expect=_ANY_STATUS, timeout=_LOAD_SECONDS, body=archive
    ) as answer:
        failure = "" if answer.status == 200 else f"status {answer.status}"
        for message in answer.messages():
            failure = failure_told(message) or failure
    if failure:
        raise _load_failed("Docker", failure)


def load_into_podman(api: PodmanApi, archive: Iterable[bytes]) -> None:
    """Let podman load an archive.

    Raises:
        ImagesError: as Loader.load.
    """
    with api.stream(
        "POST", "/images/load", query={}, headers=_TAR, expect=_ANY_STATUS, timeout=_LOAD_SECONDS, body=archive
    ) as answer:
        told = [str(message.get("message") or message.get("cause") or "") for message in answer.messages()]
        if answer.status != 200:
            raise _load_failed("podman", "; ".join(filter(None, told)) or f"status {answer.status}")


def _load_failed(engine: str, why: str) -> PeerError:
    return PeerError(
        f"{engine} could not load the images",
        code="engine-load-failed",
        why=redact(why),
        fix="check the free space of the engine's host, and look at the engine's own log there",
        subject=engine,
    )
