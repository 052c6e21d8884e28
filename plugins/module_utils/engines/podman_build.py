# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How podman builds for us: the context goes to its daemon, and an image without a name comes out."""

from __future__ import annotations

import json
import typing as t

from ..model.build_order import Built
from ..model.digest import Digest
from ..model.errors import ImagesError
from ..model.host import Identity
from ..wire.buildah_log import BuildahLog, release
from ..wire.time_limit import TimeLimit

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model.build_order import BuildOrder, Context
    from .base import ImageBuilder
    from .podman_api import PodmanApi

_NAME = "podman"
_SILENCE_SECONDS = 7 * 86400.0  # a step may print nothing for as long as it likes
_SECRET_FILE = ".fleet-images.secret-"
#: Docker's format: OCI's, as podman writes it, loses HEALTHCHECK, SHELL and ONBUILD.
_FORMAT = "application/vnd.docker.distribution.manifest.v2+json"
_BLOCK = 512
_HEREDOCS = (4, 8)


class PodmanBuilds:
    """Implements ImageBuilder."""

    def __init__(self, api: PodmanApi) -> None:
        self._api = api

    def lacks(self, order: BuildOrder) -> tuple[str, ...]:
        """See ImageBuilder. Asks for the version only where the order has heredocs."""
        reasons: list[str] = []
        if order.cache_from:
            reasons.append("cache_from: podman takes steps only from what its own --cache-to pushed, not from images")
        if order.has_heredocs:
            told = self._api.find("/version")
            version = told.text("Version") if told is not None else ""
            if release(version) < _HEREDOCS:
                reasons.append(f"dockerfile: its heredocs, which podman knows from 4.8 on, and this is {version}")
        return tuple(reasons)

    def builder_of(self, order: BuildOrder) -> str:
        """See ImageBuilder."""
        return _NAME

    def build(self, order: BuildOrder, *, context: Context) -> Built:
        """See ImageBuilder. What the steps of a failed build left goes, too.

        Raises:
            PeerError: engine-build-failed.
            UnavailableError: deadline-passed: podman was told to stop; engine-connection-lost.
        """
        log = BuildahLog()
        try:
            with TimeLimit(order.deadline, subject="the build") as limit:
                said = _send(self._api, order, context=context, limit=limit, log=log)
            log.finish()
            if said or not log.image_id:
                secrets = [secret.value for secret in order.secrets]
                raise log.failure(_NAME, said=said, secrets=secrets, subject=_NAME)
        except BaseException:
            _remove(self._api, log.step_images)
            raise
        return Built(Identity(config_digest=Digest("sha256", log.image_id)), _NAME)


def _send(api: PodmanApi, order: BuildOrder, *, context: Context, limit: TimeLimit, log: BuildahLog) -> str:
    """Feed ``log`` with what podman says while it builds; return what it says of a failure."""
    said = ""
    with api.stream(
        "POST",
        "/build",
        query=_query(order),
        body=limit.guard(_with_secrets(order, context(hidden_by=".containerignore"))),
        headers={"Content-Type": "application/x-tar"},
        timeout=limit.left(_SILENCE_SECONDS),
    ) as answer:
        for message in answer.messages():
            answer.wait_at_most(limit.left(_SILENCE_SECONDS))
            log.feed(str(message.get("stream") or ""))
            said = str(message.get("error") or said)
    return said


def _query(order: BuildOrder) -> dict[str, str]:
    """Return what the API is asked. A plain name of the Dockerfile is looked up in the context, a list is not at first.

    Source: podman's API, "Create image" (libpod/build); layers off is what ``podman build --squash`` means.
    """
    query = {
        "dockerfile": order.dockerfile,
        "buildargs": json.dumps(dict(order.args)),
        "labels": json.dumps(dict(order.labels)),
        "layers": "false" if order.squash else "true",
        "nocache": "false" if order.is_cached else "true",
        "pullpolicy": "never",
        "outputformat": _FORMAT,
        "httpproxy": "true",
        "rm": "true",
        "forcerm": "true",
    }
    optional = {
        "platform": str(order.platform or ""),
        "target": order.target,
        "networkmode": order.network,
        "shmsize": str(order.shm_size or ""),
        "extrahosts": json.dumps([f"{name}:{address}" for name, address in order.etc_hosts.items()]),
        "secrets": json.dumps([f"id={secret.id},src={_SECRET_FILE}{at}" for at, secret in enumerate(order.secrets)]),
    }
    return {**query, **{name: value for name, value in optional.items() if value not in ("", "[]")}}


def _with_secrets(order: BuildOrder, context: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the context behind the secrets; podman takes them out of it before the first step, and removes them.

    Source: podman, pkg/api/handlers/compat/images_build.go ("move secret away from contextDir").
    """
    for at, secret in enumerate(order.secrets):
        yield _header(f"{_SECRET_FILE}{at}", len(secret.value))
        yield secret.value + bytes(-len(secret.value) % _BLOCK)
    yield from context


def _header(name: str, size: int) -> bytes:
    """Return the header of a file that only its owner reads. Source: POSIX, pax, "ustar Interchange Format"."""
    import tarfile

    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.USTAR_FORMAT)


def _remove(api: PodmanApi, image_ids: list[str]) -> None:
    """Remove what failed steps left, newest first; what others use meanwhile stays."""
    import contextlib

    from .podman_names import PodmanNames

    for image_id in reversed(image_ids):
        with contextlib.suppress(ImagesError):
            PodmanNames(api).remove(image_id, prunes=False)


if t.TYPE_CHECKING:
    _fits: type[ImageBuilder] = PodmanBuilds
