# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds by a Docker daemon: by its classic builder, or by BuildKit where the order needs that."""

from __future__ import annotations

import functools
import typing as t

from ..model.build_order import Built
from ..model.digest import Digest
from ..model.errors import UnsupportedError
from ..model.host import Identity
from ..model.platform import Platform
from ..wire.time_limit import TimeLimit
from .docker_api import PLATFORM_API
from .docker_build_output import SILENCE_SECONDS, build_failed, listen
from .docker_images import platform_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..model.build_order import BuildOrder, Context
    from ..model.reference import Reference
    from ..wire.credentials import Credential
    from .base import ImageBuilder
    from .docker_api import DockerApi
    from .docker_buildkit import BuildKitClient

CLASSIC, BUILDKIT = "classic builder", "BuildKit"

_BUILDKIT_API = (1, 39)
_BUILDKIT_SHM_API = (1, 42)  # before, BuildKit ignores the size
_BUILDKIT_NETWORKS = ("", "default", "host", "none")
_ANSWERS = (200, 400, 404, 500)  # what the builder refuses before its first step, it refuses with a status
_NO_CLIENT = "BuildKit is needed, and the host has no docker client that speaks to it: install docker-buildx"


class DockerBuilds:
    """Implements ImageBuilder. ``keeps_targets`` tells that the daemon has containerd's store of images."""

    def __init__(
        self,
        api: DockerApi,
        *,
        keeps_targets: Callable[[], bool],
        credentials: Callable[[Reference], Credential | None],
    ) -> None:
        self._api = api
        self._keeps_targets = keeps_targets
        self._credentials = credentials

    def lacks(self, order: BuildOrder) -> tuple[str, ...]:
        """See ImageBuilder. Looks for a client of BuildKit only when the order needs one."""
        api, uses_buildkit = self._api.server.api, self._uses_buildkit(order)
        reasons = {
            "squash": self._squash_lacks(uses_buildkit) if order.squash else "",
            "platform": "API 1.32 is needed" if self._is_foreign(order) and api < PLATFORM_API else "",
        }
        if uses_buildkit:
            is_missing = self._client is None
            reasons.update(
                secrets=_NO_CLIENT if is_missing and order.secrets else "",
                dockerfile=_NO_CLIENT if is_missing and not order.secrets else "",
                network="" if order.network in _BUILDKIT_NETWORKS else "BuildKit knows default, host and none alone",
                shm_size="BuildKit of this daemon ignores it" if order.shm_size and api < _BUILDKIT_SHM_API else "",
            )
        return tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason)

    def builder_of(self, order: BuildOrder) -> str:
        """See ImageBuilder."""
        return BUILDKIT if self._uses_buildkit(order) else CLASSIC

    def build(self, order: BuildOrder, *, context: Context) -> Built:
        """See ImageBuilder. Steps that went well stay without a name: they are the daemon's cache.

        Raises:
            PeerError: engine-build-failed.
            UnsupportedError: buildkit-missing; build-platform.
            UnavailableError: deadline-passed: the daemon was told to stop; engine-connection-lost, engine-timeout,
                program-timeout.
        """
        limit = TimeLimit(order.deadline, subject="the build")
        if not self._uses_buildkit(order):
            with limit:
                image, builder = self._build_classic(order, context, limit=limit), CLASSIC
        elif self._client is None:
            raise UnsupportedError(
                "This build needs BuildKit",
                code="buildkit-missing",
                why=_NO_CLIENT,
                fix="install docker-buildx on the host, or leave secrets and RUN --mount out",
                subject="docker",
            )
        else:
            image, builder = self._client.build(order, context=context(hidden_by=""), limit=limit), BUILDKIT
        digest = Digest.parse(image)
        is_target = self._keeps_targets()
        return Built(Identity(manifest_digest=digest) if is_target else Identity(config_digest=digest), builder)

    def _uses_buildkit(self, order: BuildOrder) -> bool:
        if order.secrets or order.needs_buildkit:
            return True
        return self._is_foreign(order) and self._client is not None  # the classic builder would have no cache

    @functools.cached_property
    def _client(self) -> BuildKitClient | None:
        """What this host has to speak to BuildKit of the daemon with."""
        from .docker_buildkit import find_client

        if self._api.server.api < _BUILDKIT_API:
            return None
        return find_client(self._api, credentials=self._credentials)

    def _is_foreign(self, order: BuildOrder) -> bool:
        return order.platform is not None and order.platform[:2] != self._own[:2]

    @property
    def _own(self) -> Platform:
        server = self._api.server
        return Platform.of(server.os, server.architecture)

    def _squash_lacks(self, uses_buildkit: bool) -> str:
        if uses_buildkit:
            return "BuildKit, which this build needs, does not squash"
        if not self._api.info.values.get("ExperimentalBuild"):
            return "the daemon squashes with its experimental features only"
        return "containerd's store of images does not squash" if self._keeps_targets() else ""

    def _build_classic(self, order: BuildOrder, context: Context, *, limit: TimeLimit) -> str:
        """Return the ID of the image, which is for the platform that was ordered.

        The builder's cache mixes platforms: steps of an image for one are taken for another.
        """
        wanted = self._own if order.platform is None else order.platform
        is_cached = order.is_cached and not self._is_foreign(order)
        image = self._send(order._replace(is_cached=is_cached), context, limit=limit)
        if order.is_cached and self._platform(image)[:2] != wanted[:2]:
            image = self._send(order._replace(is_cached=False), context, limit=limit)
        built = self._platform(image)
        if order.platform is None or built[:2] == wanted[:2]:
            return image
        self._api.change("DELETE", f"/images/{image}", query={})
        raise UnsupportedError(
            f"The image was built for {built} instead of {wanted}",
            code="build-platform",
            why=f"it starts from an image on the host that is for {built}",
            fix=f"build or pull that image for {wanted} first",
            subject="platform",
        )

    def _send(self, order: BuildOrder, context: Context, *, limit: TimeLimit) -> str:
        headers = {"Content-Type": "application/x-tar"}
        query = dict(_query(order, names_platform=self._is_foreign(order)))
        body, silence = limit.guard(context(hidden_by=".dockerignore")), limit.left(SILENCE_SECONDS)
        with self._api.stream(
            "/build", query=query, headers=headers, expect=_ANSWERS, timeout=silence, body=body
        ) as answer:
            outcome = listen(answer, limit=limit)
        if outcome.failure or not outcome.image:
            raise build_failed(outcome if outcome.failure else outcome._replace(failure="it told no image"))
        return outcome.image

    def _platform(self, image: str) -> Platform:
        told = self._api.find(f"/images/{image}/json")
        return self._own if told is None else platform_of(told)


def _query(order: BuildOrder, *, names_platform: bool) -> Iterator[tuple[str, str | list[str]]]:
    """Yield the parameters of a build. Source: Docker Engine API v1.41, "Build an image"."""
    import json

    yield from (("version", "1"), ("dockerfile", order.dockerfile), ("rm", "1"), ("forcerm", "1"), ("q", "0"))
    if order.platform is not None and names_platform:
        yield "platform", str(order.platform)
    given: dict[str, str | list[str]] = {
        "buildargs": json.dumps(dict(order.args)) if order.args else "",
        "labels": json.dumps(dict(order.labels)) if order.labels else "",
        "target": order.target,
        "networkmode": order.network,
        "squash": "1" if order.squash else "",
        "shmsize": str(order.shm_size) if order.shm_size else "",
        "extrahosts": [f"{name}:{address}" for name, address in order.etc_hosts.items()],
        "cachefrom": json.dumps(order.cache_from) if order.cache_from else "",
        "nocache": "" if order.is_cached else "1",
    }
    yield from ((key, value) for key, value in given.items() if value)


if t.TYPE_CHECKING:
    _fits: type[ImageBuilder] = DockerBuilds
