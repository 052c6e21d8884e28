# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Docker's list of images, in the words of the model."""

from __future__ import annotations

import typing as t

from ..model.digest import Digest
from ..model.host import Container, Identity, LocalImage
from ..model.media_types import is_index
from ..model.platform import Platform, choose
from .daemon_lists import by_digests, references, rfc3339

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model.fields import Fields
    from ..model.reference import Reference

_HOLDING = frozenset({"running", "paused", "restarting"})


class Listing(t.NamedTuple):
    """What the daemon listed, and what it takes to read that.

    ``keeps_targets``: it is the containerd store, whose ID is the digest of what a name points at; else the classic
    one, whose ID is the digest of the config. ``containers`` are those that use an image, by its ID, and ``platforms``
    what is known beyond the list, by the same.
    """

    rows: Sequence[Fields]
    platform: Platform
    keeps_targets: bool
    has_parents: bool = False
    containers: Mapping[str, tuple[Container, ...]] = {}
    platforms: Mapping[str, Platform] = {}

    def images(self) -> list[LocalImage]:
        """Return the images, in the daemon's order.

        Raises:
            PeerError: wrong-shape.
        """
        read = self._target if self.keeps_targets else self._classic
        return [image for row in self.rows for image in read(row)]

    def _classic(self, row: Fields) -> Iterable[LocalImage]:
        """Yield one image for each set of digests that repositories know a config by."""
        names = _names(row)
        everything = [name.digest for name in names if name.tag is None and name.digest is not None]
        config = row.digest("Id")
        for digests, mine in by_digests(names).items():
            known_as = tuple(dict.fromkeys((*digests, *everything)))
            yield self._image(row, mine, identity=Identity(config_digest=config, known_as=known_as))

    def _target(self, row: Fields) -> Iterable[LocalImage]:
        """Yield the image that a name points at: an index or a manifest."""
        target = row.digest("Id")
        names = _names(row)
        kinds = [Manifest.of(part) for part in row.objects("Manifests")]
        images = [part for part in kinds if part.is_image]
        descriptor = row.optional_object("Descriptor")
        if descriptor is not None:
            has_index = is_index(descriptor.optional_text("mediaType"))
        elif kinds:
            has_index = all(part.digest != target for part in kinds)
        else:
            yield self._image(row, names, identity=Identity(known_as=(target,)))
            return
        shown = self._shown(images)
        if not has_index:
            identity = Identity(manifest_digest=target)
        else:
            identity = Identity(manifest_digest=shown.digest if shown else None, index_digest=target)
        image = self._image(row, names, identity=identity)
        lacks = shown is not None and not shown.is_available
        platform = shown.platform if shown is not None else image.platform
        yield image._replace(platform=platform, missing=(shown.digest,) if shown and lacks else ())

    def _shown(self, images: Sequence[Manifest]) -> Manifest | None:
        """Return what the host would run of an index; of what the store has, if it has any."""
        there = [part for part in images if part.is_available] or images
        at = choose([part.platform for part in there], self.platform)
        return there[at] if at is not None else there[0] if there else None

    def _image(self, row: Fields, names: Sequence[Reference], *, identity: Identity) -> LocalImage:
        return LocalImage(
            id=row.text("Id"),
            identity=identity,
            size=row.integer("Size"),
            created=rfc3339(row.values.get("Created")),
            platform=self.platforms.get(row.text("Id")),
            labels=row.text_map("Labels"),
            used_by=self.containers.get(row.text("Id"), ()),
            parent=row.optional_text("ParentId") if self.has_parents else "",
            is_dangling=not any(name.tag for name in names) and (not self.keeps_targets or not names),
        ).with_names(names)


class Manifest(t.NamedTuple):
    """One entry of ``Manifests``: an image of an index, or an attestation beside it."""

    digest: Digest
    is_image: bool
    is_available: bool
    platform: Platform | None

    @classmethod
    def of(cls, part: Fields) -> Manifest:
        """Read it. Source: Docker Engine API v1.47, ImageManifestSummary."""
        data = part.optional_object("ImageData")
        platform = data.optional_object("Platform") if data is not None else None
        return cls(
            part.digest("ID"),
            part.optional_text("Kind") == "image",
            part.values.get("Available") is True,
            Platform.from_json(platform) if platform is not None else None,
        )


def keeps_targets(rows: Iterable[Fields]) -> bool | None:
    """Tell by the list whether the store is containerd's; None where the list does not tell.

    Its images have a descriptor (API 1.48), and their repositories know them by their ID; no repository knows a
    config by its own digest, so none of the classic store's are.

    Raises:
        PeerError: wrong-shape.
    """
    for row in rows:
        if row.has("Descriptor"):
            return True
        pins = [pin for pin in row.texts("RepoDigests") if pin != "<none>@<none>"]
        if pins:
            return any(pin.endswith(f"@{row.text('Id')}") for pin in pins)
    return None


def containers_by_image(rows: Iterable[Fields], *, keeps_targets: bool) -> dict[str, tuple[Container, ...]]:
    """Return the containers of a list of them by the ID of their image.

    The classic store lets the image of a stopped container go; what containerd's store holds stays for any.

    Raises:
        PeerError: wrong-shape.
    """
    found: dict[str, tuple[Container, ...]] = {}
    for row in rows:
        name = next(iter(row.texts("Names")), row.text("Id")[:12]).lstrip("/")
        image = row.text("ImageID")
        container = Container(name, holds_image=keeps_targets or row.optional_text("State") in _HOLDING)
        found[image] = (*found.get(image, ()), container)
    return found


def platform_of(told: Fields) -> Platform:
    """Return the platform of an image that was inspected."""
    os_version = told.optional_text("OsVersion")
    variant = told.optional_text("Variant")
    return Platform.of(told.text("Os"), told.text("Architecture"), variant=variant, os_version=os_version)


def _names(row: Fields) -> list[Reference]:
    """Return an image's tags, then its names by digest, each sorted."""
    return [name for key in ("RepoTags", "RepoDigests") for name in sorted(references(row.texts(key)))]
