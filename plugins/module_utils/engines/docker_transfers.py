# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls and pushes of a Docker daemon, and what they do to names. Imported when there is something to move."""

from __future__ import annotations

import threading
import time
import typing as t

from ..model.errors import ConflictError, PeerError, UnsupportedError
from ..model.host import going_with
from ..model.platform import Platform
from .base import gone
from .daemon_lists import references
from .docker_api import PLATFORM_API, name_image
from .docker_images import platform_of
from .docker_progress import transfer

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.fields import Fields
    from ..model.reference import Reference
    from ..wire.credentials import Credential
    from .base import Heard
    from .docker_api import DockerApi


class _Names(t.NamedTuple):
    """The names of one image."""

    tags: tuple[Reference, ...]
    pins: tuple[Reference, ...]

    @classmethod
    def of(cls, told: Fields) -> _Names:
        return cls(*(tuple(references(told.texts(key))) for key in ("RepoTags", "RepoDigests")))

    def survive(self, reference: Reference) -> bool:
        """Tell whether all of them, and the image, stay when ``reference`` comes and goes.

        With the last tag of a repository Docker removes its names by digest, and with its last name the image.
        """
        names = (*self.tags, *self.pins)
        return names != () and going_with(reference, names) == (reference,)


class DockerTransfers:
    """Daemon's methods, for several threads; those that move the same name take turns."""

    def __init__(self, api: DockerApi, *, credentials: Callable[[Reference], Credential | None]) -> None:
        self._api = api
        self._credentials = credentials
        self._busy: dict[str, threading.Lock] = {}

    def pull(
        self,
        reference: Reference,
        *,
        source: Reference,
        platform: Platform | None,
        deadline: float | None,
        heard: Heard | None,
    ) -> int:
        """See DockerEngine.

        Raises:
            ImagesError: as DockerEngine.pull.
        """
        expires = None if deadline is None else time.monotonic() + deadline
        is_mirror = source.repository != reference.repository
        # Two platforms of an index take the same name by digest from each other.
        with self._lock(source):
            was_there = self._find(source) is not None
            fetched = self._fetch(source, platform=platform, expires=expires, heard=heard)
            try:
                if reference.tag is not None:
                    self._name(reference, image=str(source))
                elif is_mirror:  # Docker gives a name by digest only to what it pulled by it; the layers are there
                    fetched += self._fetch(reference, platform=platform, expires=expires)
            finally:
                if is_mirror and not was_there:
                    self._api.change("DELETE", f"/images/{source}", query={"noprune": "1"})
        return fetched

    def push(self, reference: Reference, *, image: str, deadline: float | None) -> None:
        """See DockerEngine; ``image`` is an ID.

        Raises:
            ImagesError: as DockerEngine.push.
        """
        expires = None if deadline is None else time.monotonic() + deadline
        with self._lock(reference):
            told, former = self._find(image), self._find(reference)
            if told is None:
                raise gone(image, subject=str(reference))
            if former is not None and former.text("Id") == image:
                self._send(reference, expires=expires)
                return
            self._name(reference, image=image)
            try:
                self._send(reference, expires=expires)
            finally:
                self._restore(reference, image=image, names=_Names.of(told), former=former)

    def _fetch(
        self, source: Reference, *, platform: Platform | None, expires: float | None, heard: Heard | None = None
    ) -> int:
        query = {"fromImage": source.repository, "tag": str(source.digest)}
        if platform is not None and self._api.server.api >= PLATFORM_API:
            query["platform"] = str(platform)
        self._make_room(source, platform)
        moved = transfer(
            self._api,
            "/images/create",
            query=query,
            credential=self._credentials(source),
            expires=expires,
            subject=source,
            heard=heard,
        )
        if moved.failure:
            raise PeerError(
                f"Docker could not pull {source.familiar}",
                code="engine-pull-failed",
                why=moved.failure,
                fix="check the name, the credentials, and whether the engine's host reaches the registry",
                subject=str(source),
            )
        return moved.size

    def _send(self, reference: Reference, *, expires: float | None) -> None:
        moved = transfer(
            self._api,
            f"/images/{reference.repository}/push",
            query={"tag": reference.tag or ""},
            credential=self._credentials(reference),
            expires=expires,
            subject=reference,
        )
        if moved.failure:
            raise PeerError(
                f"Docker could not push {reference.familiar}",
                code="engine-push-failed",
                why=moved.failure,
                fix="check the credentials and their rights, and whether the engine's host reaches the registry",
                subject=str(reference),
            )

    def _make_room(self, source: Reference, platform: Platform | None) -> None:
        """Take a name by digest from an image for another platform: the classic store would keep it there, and fail.

        Raises:
            UnsupportedError: engine-too-old: the daemon cannot be asked for another platform.
            ConflictError: engine-digest-taken: that image has no other name, and would be lost.
        """
        if platform is None:
            return
        server = self._api.server
        own = Platform.of(server.os, server.architecture)
        if server.api < PLATFORM_API and (own.os, own.architecture) != (platform.os, platform.architecture):
            raise UnsupportedError(
                f"{source.familiar} cannot be pulled for {platform}",
                code="engine-too-old",
                why="the daemon's API knows platforms from 1.32 on",
                fix="set api_version: auto, or update Docker on the host",
                subject="platform",
            )
        told = self._find(source)
        if told is None or told.text("Id") == str(source.digest) or platform_of(told) == platform:
            return
        names, has = _Names.of(told), platform_of(told)
        if len(names.tags) + len(names.pins) > 1:
            # Forced, or containers that use the image would be in the way although it stays.
            self._api.change("DELETE", f"/images/{source}", query={"force": "1", "noprune": "1"})
        elif has[:2] != platform[:2]:
            raise ConflictError(
                f"{source.familiar} is on the host for {has}",
                code="engine-digest-taken",
                why=f"Docker gives a digest to one platform only, and the image for {has} has no other name",
                fix="give the image a tag, or remove the one that is there first",
                subject=str(source),
            )

    def _restore(self, reference: Reference, *, image: str, names: _Names, former: Fields | None) -> None:
        """Let ``reference`` point at what it pointed at before, and ``image`` have the names it had."""
        if former is None:
            if names.survive(reference):
                self._api.change("DELETE", f"/images/{reference}", query={"noprune": "1"})
            return
        self._name(reference, image=former.text("Id"))
        told = self._find(image)
        if told is None or not (names.tags or names.pins):
            return
        for pin in _Names.of(told).pins:
            if pin.repository == reference.repository and pin not in names.pins:
                self._api.change("DELETE", f"/images/{pin}", query={"force": "1", "noprune": "1"})

    def _name(self, reference: Reference, *, image: str) -> None:
        if not name_image(self._api, reference, image=image):
            raise gone(image, subject=str(reference))

    def _find(self, image: Reference | str) -> Fields | None:
        return self._api.find(f"/images/{image}/json")

    def _lock(self, reference: Reference) -> threading.Lock:
        return self._busy.setdefault(str(reference), threading.Lock())
