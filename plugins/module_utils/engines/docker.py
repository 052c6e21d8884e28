# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker: its daemon keeps the images and speaks to registries; both of its stores, over its HTTP API."""

from __future__ import annotations

import threading
import typing as t

from ..model.host import Abilities, Look, Observed
from ..model.platform import Platform
from .base import Description, gone, size_of, space_at
from .daemon_lists import rfc3339
from .docker_api import PLATFORM_API, DockerApi, name_image
from .docker_images import Listing, containers_by_image, keeps_targets, platform_of
from .host_platform import host_platform

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ..model.fields import Fields
    from ..model.host import Container, Identity, LocalImage, Space
    from ..model.reference import ImageId, Reference
    from ..wire.credentials import Credential
    from ..wire.engine_socket import EngineConnection
    from ..wire.streams import ReadStream
    from .base import Daemon, Engine, Heard
    from .docker_transfers import DockerTransfers
    from .loading import Loader

_CONTAINERD_API, _MANIFESTS_API = (1, 42), (1, 47)
_CONTAINERD_DRIVER = ["driver-type", "io.containerd.snapshotter.v1"]

#: What an image says; the other fields are of the container that it was committed from.
_SETTINGS = frozenset(
    ["ArgsEscaped", "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell"]
    + ["StopSignal", "User", "Volumes", "WorkingDir"]
)


class DockerEngine:
    """Implements Engine and Daemon. Threads have connections of their own; ``close`` closes all."""

    name = "docker"

    def __init__(
        self,
        connect: Callable[[], EngineConnection],
        *,
        place: str,
        api_version: str,
        credentials: Callable[[Reference], Credential | None],
    ) -> None:
        """Connect later, by ``connect``. ``api_version`` is ``auto`` or like ``1.41``.

        Raises:
            InputError: bad-api-version.
        """
        self.place = place
        self._api = DockerApi(connect, version=api_version)
        self._credentials = credentials
        self._opening = threading.Lock()
        self._opened: DockerTransfers | None = None

    @property
    def api(self) -> DockerApi:
        """The daemon, for what a single module does with it."""
        return self._api

    def keeps_targets(self) -> bool:
        """Tell whether the daemon has containerd's store of images."""
        return self._keeps_targets([])

    def observe(self, look: Look = Look()) -> Observed:  # noqa: B008 (immutable)
        """See Engine. One request, and one for the version before the first; what ``look`` asks for costs its own."""
        query = {"all": "1"} if look.parents else {}
        if self._api.server.api >= _MANIFESTS_API:
            query["manifests"] = "1"
        rows = self._api.rows("/images/json", query)
        keeps = self._keeps_targets(rows)
        used: Mapping[str, tuple[Container, ...]] = {}
        if look.containers:
            used = containers_by_image(self._api.rows("/containers/json", {"all": "1"}), keeps_targets=keeps)
        listing = Listing(rows, self._platform, keeps, has_parents=look.parents, containers=used)
        observed = self._observed(listing)
        details = self._platforms(observed, look.details_of)
        return self._observed(listing._replace(platforms=details)) if details else observed

    def tag(self, reference: Reference, *, identity: Identity, platform: Platform | None) -> None:
        """See Engine.

        Raises:
            NotFoundError: image-not-found.
        """
        image = self._held(identity, reference)
        if not name_image(self._api, reference, image=image):
            raise gone(image, subject=str(reference))

    def untag(self, reference: Reference, *, is_used: bool = False, prunes: bool = True) -> None:
        """See Engine. Docker lets the image of stopped containers go; they start nonetheless.

        Raises:
            ConflictError: engine-conflict.
        """
        query = {"force": "1" if is_used else "0", "noprune": "0" if prunes else "1"}
        self._api.change("DELETE", f"/images/{reference.without_digest()}", query=query)

    def remove(self, image: LocalImage) -> None:
        """See Engine.

        Raises:
            ConflictError: engine-conflict.
        """
        self._api.change("DELETE", f"/images/{image.id}", query={"force": "0", "noprune": "0"})

    def freeable(self, going: Sequence[LocalImage]) -> int:
        """See Engine."""
        return size_of(going)

    def reclaim(self) -> int:
        """Return 0: Docker removes what an image leaves behind together with its last name."""
        return 0

    def describe(self, image: LocalImage) -> Description:
        """See Engine.

        Raises:
            NotFoundError: image-not-found.
        """
        told = self._api.find(f"/images/{image.id}/json")
        if told is None:
            raise gone(image.id)
        settings = told.optional_object("Config")
        layers = told.optional_object("RootFS")
        steps = self._api.rows(f"/images/{image.id}/history")
        return Description(
            config={key: value for key, value in settings.values.items() if value and key in _SETTINGS}
            if settings is not None
            else {},
            history=tuple(_step(step) for step in reversed(steps)),
            layers=tuple(layers.texts("Layers")) if layers is not None else (),
        )

    def space(self) -> Space | None:
        """See Engine. None for another machine's daemon, and for containerd's store: it does not tell its folder."""
        if not self._api.is_local or self._has_containerd_driver():
            return None
        return space_at(self._api.info.text("DockerRootDir"))

    def close(self) -> None:
        """See Engine."""
        self._api.close()

    def pull(
        self,
        reference: Reference,
        *,
        source: Reference,
        platform: Platform | None,
        deadline: float | None,
        heard: Heard | None = None,
    ) -> int:
        """See Daemon.

        Raises:
            PeerError: engine-pull-failed.
            UnavailableError: deadline-passed; engine-timeout.
            UnsupportedError: engine-too-old: another platform than the daemon's needs API 1.32.
            ConflictError: engine-digest-taken: the name by digest is another platform's only name.
        """
        return self._transfers().pull(reference, source=source, platform=platform, deadline=deadline, heard=heard)

    def push(self, reference: Reference, *, identity: Identity, deadline: float | None) -> None:
        """See Daemon. Where Docker would drop the image or a name by digest with the new tag, that tag stays.

        Raises:
            NotFoundError: image-not-found.
            PeerError: engine-push-failed.
            UnavailableError: deadline-passed; engine-timeout.
        """
        self._transfers().push(reference, image=self._held(identity, reference), deadline=deadline)

    def archive(self, identity: Identity) -> ReadStream:
        """See Archiver.

        Raises:
            NotFoundError: image-not-found.
        """
        return self._api.download(f"/images/{self._held(identity, None)}/get")

    def load(self, images: Sequence[Callable[[], Iterable[bytes]]], *, whole: Callable[[], Iterable[bytes]]) -> None:
        """See Loader. In one request: layers that images share are sent once.

        Raises:
            PeerError: engine-load-failed.
        """
        from .loading import load_into_docker

        load_into_docker(self._api, whole())

    def _transfers(self) -> DockerTransfers:
        with self._opening:  # threads pull, and on Python 3.9 two of them must not import a file at the same time
            if self._opened is None:
                from .docker_transfers import DockerTransfers

                self._opened = DockerTransfers(self._api, credentials=self._credentials)
            return self._opened

    def _held(self, identity: Identity, reference: Reference | None) -> str:
        """Return the ID of an image: one of its digests, or that of an image that a repository knows by one."""
        for digest in (identity.config_digest, identity.index_digest, identity.manifest_digest):
            told = self._api.find(f"/images/{digest}/json") if digest is not None else None
            if told is not None:
                return told.text("Id")
        for image in self.observe().images:
            if identity.is_same_image(image.identity):
                return image.id
        raise gone(str(identity.config_digest or identity.digest), subject=str(reference or ""))

    @property
    def _platform(self) -> Platform:
        """The daemon's; with the processor's variant where that is this machine's."""
        server = self._api.server
        told = Platform.of(server.os, server.architecture)
        own = host_platform() if self._api.is_local else told
        return own if (own.os, own.architecture) == (told.os, told.architecture) else told

    def _keeps_targets(self, rows: Sequence[Fields]) -> bool:
        if self._api.server.api < _CONTAINERD_API:
            return False
        told = keeps_targets(rows)
        return self._has_containerd_driver() if told is None else told

    def _has_containerd_driver(self) -> bool:
        status = self._api.info.values.get("DriverStatus")
        return isinstance(status, list) and _CONTAINERD_DRIVER in status

    def _observed(self, listing: Listing) -> Observed:
        return Observed(
            listing.images(),
            engine=self.name,
            platform=listing.platform,
            abilities=Abilities(
                ids="target" if listing.keeps_targets else "config",
                sends_exact=listing.keeps_targets,
                chooses_platform=self._api.server.api >= PLATFORM_API,
                pins_by_pull=True,
            ),
        )

    def _platforms(self, observed: Observed, details_of: Collection[Reference | ImageId]) -> dict[str, Platform]:
        """Return the platforms of these images by ID, where the list did not tell them."""
        found: dict[str, Platform] = {}
        for image in observed.meant_by(details_of):
            if image.platform is not None or image.id in found:
                continue
            told = self._api.find(f"/images/{image.id}/json")
            if told is not None:
                found[image.id] = platform_of(told)
        return found


def _step(told: Fields) -> Mapping[str, t.Any]:
    """Return a step of an image's history as image configs have it. Source: OCI image-spec v1.1 config.md."""
    step = {
        "created": rfc3339(told.values.get("Created")),
        "created_by": told.optional_text("CreatedBy"),
        "comment": told.optional_text("Comment"),
    }
    return {key: value for key, value in step.items() if value}


if t.TYPE_CHECKING:
    _fits: tuple[type[Engine], type[Daemon]] = (DockerEngine, DockerEngine)
    _gives: type[Loader] = DockerEngine
