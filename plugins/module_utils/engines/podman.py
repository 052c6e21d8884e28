# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""podman over its own API: it pulls and pushes itself, and keeps every image that a container was made from."""

from __future__ import annotations

import typing as t

from ..model.errors import ConflictError, PeerError
from ..model.fields import Fields
from ..model.host import Abilities, Look, Observed, going_with
from .base import Description, gone, size_of, space_at
from .host_platform import host_platform
from .podman_api import PodmanApi
from .podman_images import containers_by_image, inspected_platform, local_images, names_of
from .podman_names import PodmanNames
from .podman_transfer import PodmanTransfer

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..model.host import Container, Identity, LocalImage, Space
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..wire.credentials import Credential
    from ..wire.streams import ReadStream
    from .base import Daemon, Engine, Heard
    from .loading import Loader
    from .podman_api import Service


class PodmanEngine:
    """Implements Engine and Daemon. The image ID is the digest of the config.

    Names by digest (``repository@sha256:…``) are made by pulls only. An image that others were built on goes with its
    last name, too: they keep its layers.
    """

    name = "podman"

    def __init__(
        self,
        service: Service,
        *,
        credentials: t.Callable[[Reference], Credential | None],
        validate_certs: bool | None,
    ) -> None:
        """Ask the engine nothing yet. ``credentials`` finds the login for a repository; the caller closes ``service``.

        ``validate_certs`` None checks certificates as podman is set up, and speaks plain HTTP to loopback registries.
        """
        self.place = service.place
        self._service = service
        self._api = PodmanApi(service)
        self._names = PodmanNames(self._api)
        self._transfer = PodmanTransfer(self._api, credentials=credentials, validate_certs=validate_certs)

    @property
    def api(self) -> PodmanApi:
        """The service, for what a single module does with it."""
        return self._api

    def observe(self, look: Look = Look()) -> Observed:  # noqa: B008 (immutable)
        """See Engine."""
        containers = self._containers() if look.containers else {}
        rows = self._api.get("/images/json", {"all": "true" if look.parents else "false"})
        images = local_images(rows, containers)
        observed = self._observed(images)
        wanted = {id(image) for image in observed.meant_by(look.details_of)}
        if not wanted:
            return observed
        return self._observed([self._with_platform(image) if id(image) in wanted else image for image in images])

    def tag(self, reference: Reference, *, identity: Identity, platform: Platform | None) -> None:
        """See Engine.

        Raises:
            NotFoundError: image-not-found.
        """
        self._names.add(self._id_of(identity), reference)

    def untag(self, reference: Reference, *, is_used: bool = False, prunes: bool = True) -> None:
        """See Engine."""
        row = self._names.row(reference)
        if row is None:
            return
        image_id = row.text("Id")
        going = going_with(reference, names_of(row))
        is_last = len(going) == len(row.texts("Names"))
        if is_last and not is_used:
            self._refuse_if_used(image_id, reference)
        for name in going:
            self._names.drop(image_id, name)
        if is_last and not self._names.remove(image_id, prunes=prunes) and not is_used:
            self._refuse_if_used(image_id, reference, is_untagged=True)

    def pull(
        self,
        reference: Reference,
        *,
        source: Reference,
        platform: Platform | None,
        deadline: float | None,
        heard: Heard | None = None,
    ) -> int:
        """See Daemon. podman does not tell how many bytes it fetched: 0, and ``heard`` is not called.

        A pull by digest leaves the origin's name by digest; a mirror's goes, unless it was there before. A reference
        without a tag needs its origin even then: podman makes a name by digest from a pull only, though nothing but the
        manifest moves.
        """
        is_mirrored = source.repository != reference.repository
        had_name = is_mirrored and self._names.row(source) is not None
        image_id = self._transfer.pull(source, platform=platform, deadline=deadline)
        try:
            if reference.tag is not None:
                self._names.add(image_id, reference)
            elif is_mirrored:
                self._transfer.pull(reference, platform=platform, deadline=deadline)
        finally:
            if is_mirrored and not had_name:
                self._names.drop(image_id, source)
        return 0

    def push(self, reference: Reference, *, identity: Identity, deadline: float | None) -> None:
        """See Daemon.

        Raises:
            NotFoundError: image-not-found.
            UnsupportedError: podman-token-push.
        """
        image_id = self._id_of(identity)
        try:
            self._transfer.push(image_id, reference, deadline=deadline)
        except PeerError as error:
            if self._api.find(f"/images/{image_id}/json") is None:
                raise gone(image_id) from error
            raise

    def archive(self, identity: Identity) -> ReadStream:
        """See Archiver. Of its two forms the one that is the image's own: podman would make the other's config anew.

        Raises:
            NotFoundError: image-not-found.
        """
        from ..model.media_types import DOCKER_MANIFEST

        image_id = self._id_of(identity)
        told = self._api.find(f"/images/{image_id}/json")
        if told is None:
            raise gone(image_id)
        form = "docker-archive" if told.optional_text("ManifestType") == DOCKER_MANIFEST else "oci-archive"
        return self._api.download(f"/images/{image_id}/get", query={"format": form, "compress": "false"})

    def load(self, images: Sequence[Callable[[], Iterable[bytes]]], *, whole: Callable[[], Iterable[bytes]]) -> None:
        """See Loader. One by one: of a layout podman takes a single image, and only so keeps its manifest.

        Raises:
            PeerError: engine-load-failed.
        """
        from .loading import load_into_podman

        for archive in images:
            load_into_podman(self._api, archive())

    def remove(self, image: LocalImage) -> None:
        """See Engine. What something uses stays, and is not told."""
        self._names.remove(_bare(image.id), prunes=True)

    def freeable(self, going: Sequence[LocalImage]) -> int:
        """See Engine."""
        return size_of(going)

    def reclaim(self) -> int:
        """See Engine. What no name needs went with the name."""
        return 0

    def describe(self, image: LocalImage) -> Description:
        """See Engine.

        Raises:
            NotFoundError: image-not-found.
        """
        told = self._api.find(f"/images/{_bare(image.id)}/json")
        if told is None:
            raise gone(image.id)
        config, root = told.optional_object("Config"), told.optional_object("RootFS")
        return Description(
            config=config.values if config is not None else {},
            history=tuple(step.values for step in told.objects("History")),
            layers=tuple(root.texts("Layers")) if root is not None else (),
        )

    def space(self) -> Space | None:
        """See Engine."""
        if not self._service.is_local:
            return None
        info = Fields(self._api.get("/info"), "answer of podman")
        return space_at(info.object("store").text("graphRoot"))

    def close(self) -> None:
        """See Engine."""
        self._api.close()

    def _observed(self, images: list[LocalImage]) -> Observed:
        abilities = Abilities(ids="config", sends_exact=False, pins_by_pull=True, keeps_bases=False)
        return Observed(images, engine=self.name, platform=host_platform(), abilities=abilities)

    def _with_platform(self, image: LocalImage) -> LocalImage:
        told = None if image.platform is not None else self._api.find(f"/images/{_bare(image.id)}/json")
        return image if told is None else image._replace(platform=inspected_platform(told))

    def _containers(self) -> dict[str, tuple[Container, ...]]:
        return containers_by_image(self._api.get("/containers/json", {"all": "true", "external": "true"}))

    def _refuse_if_used(self, image_id: str, reference: Reference, *, is_untagged: bool = False) -> None:
        """Raise where containers use the image; one that came while the name went gets it back."""
        users = self._containers().get(image_id, ())
        if not users:
            return
        if is_untagged and reference.tag is not None:
            self._names.add(image_id, reference)
        raise ConflictError(
            f"Containers use the image {reference.familiar}",
            code="engine-conflict",
            why=", ".join(container.name for container in users),
            fix="Remove them first, or let the name go and the image stay with in_use: untag",
            subject=str(reference),
        )

    def _id_of(self, identity: Identity) -> str:
        if identity.config_digest is not None:
            return identity.config_digest.encoded
        found = [image for image in self.observe().images if image.identity.is_same_image(identity)]
        found.sort(key=lambda image: identity.manifest_digest not in image.identity.digests)
        if not found:
            raise gone(str(identity.digest))
        return _bare(found[0].id)


def _bare(image_id: str) -> str:
    return image_id.rpartition(":")[2]


if t.TYPE_CHECKING:
    _fits: type[Engine] = PodmanEngine
    _transfers: type[Daemon] = PodmanEngine
    _gives: type[Loader] = PodmanEngine
