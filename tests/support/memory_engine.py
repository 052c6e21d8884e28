# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host and registries that live in memory: small, complete, and written without the engines they stand beside."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.engines.base import Description
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.host import (
    Abilities,
    Container,
    Identity,
    LocalImage,
    Look,
    Observed,
    Space,
)
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest, parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.media_types import is_nondistributable
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import ImageId, Reference, parse_reference
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex
from ansible_collections.fleet.images.tests.support.memory_registries import (
    MemoryContent,
    MemoryRegistries,
    MemoryRepository,
    descriptor_of,
    opening,
)

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.engines.base import Engine

__all__ = [
    "AMD64",
    "ARM64",
    "DOCKER",
    "EMBEDDED",
    "TARGET",
    "ImageKey",
    "MemoryContent",
    "MemoryEngine",
    "MemoryRegistries",
    "MemoryRepository",
    "descriptor_of",
    "opening",
]

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")


class ImageKey(t.NamedTuple):
    """What makes an image on a host one image: its manifest, and the index it was chosen from."""

    manifest: Digest
    chosen_from: Digest | None = None


#: Engines by what their identities are like. DOCKER: of an image only its config is known, and the digests that it was
#: pulled by. TARGET: an ID is what a name points at. Both remove an image at once; the embedded one when reclaimed.
EMBEDDED = Abilities()
DOCKER = Abilities("config", sends_exact=False, pins_by_pull=True)
TARGET = Abilities("target")


class MemoryEngine:
    """Implements Engine on a MemoryContent, with the identities that ``abilities`` tell of; see DOCKER and TARGET.

    ``names`` has tags, and digests (``repository@sha256:…``) too. ``containers`` and ``parents`` are by image ID.
    """

    name = "memory"
    place = "memory"

    def __init__(self, platform: Platform = AMD64, *, abilities: Abilities = EMBEDDED) -> None:
        self.platform = platform
        self.abilities = abilities
        self.content = MemoryContent()
        self.names: dict[Reference, ImageKey] = {}
        self.containers: dict[str, tuple[Container, ...]] = {}
        self.parents: dict[str, str] = {}
        self.nameless: dict[ImageKey, None] = {}  # images that stay although they have no name
        self.deleted: list[str] = []
        self.untagged: list[str] = []
        self.tagged = 0
        self.readings = 0
        self.is_closed = False

    def hold(
        self, image: MadeImage, *names: str, index: MadeIndex | Digest | None = None, is_pulled: bool = True
    ) -> LocalImage:
        """Let the host hold ``image`` under ``names``, chosen from ``index``; return it as it is observed.

        An image that was not pulled has no digest that a registry knows.
        """
        self.content.put(image)
        chosen_from = Digest.parse(index.digest) if isinstance(index, MadeIndex) else index
        key = ImageKey(Digest.parse(image.digest), chosen_from)
        for name in map(parse_reference, names):
            self._name(name, key)
            if is_pulled and self.abilities.pins_by_pull:
                self._name(name.with_digest(chosen_from or key.manifest), key)
        if not names:
            self.nameless[key] = None
        wanted = {parse_reference(name) for name in names}
        everything = Look(containers=True, parents=True, details_of=frozenset(wanted))
        rows = [row for row in self._rows(everything) if wanted <= {*row.names, *row.digest_names}]
        return next(row for row in rows if names or row.id == self.image_id(key))

    def observe(self, look: Look = Look()) -> Observed:  # noqa: B008 (immutable)
        self.readings += 1
        return Observed(
            self._rows(look),
            engine=self.name,
            platform=self.platform,
            blobs=frozenset() if self.abilities.pins_by_pull else self.content.digests(),
            abilities=self.abilities,
        )

    def tag(self, reference: Reference, *, identity: Identity, platform: Platform | None) -> None:
        key = self._key_of(identity)
        if key is None:
            raise NotFoundError(f"no image for {reference}", code="image-not-found", subject=str(reference))
        if reference.tag is None and self.abilities.pins_by_pull:
            raise AssertionError(f"{reference} cannot be made by a tag")
        self.tagged += 1
        self._name(reference, key)

    def untag(self, reference: Reference, *, is_used: bool = False, prunes: bool = True) -> None:
        self.untagged.append(str(reference))
        key = self.names.get(reference)
        if key is None:
            return
        image = self.image_id(key)
        going = {reference, *self._digests_that_go_with(reference, image)}
        is_last = not any(self.image_id(other) == image for name, other in self.names.items() if name not in going)
        if is_last and self.containers.get(image) and not is_used:
            raise ConflictError(f"{image} is in use", code="engine-conflict", subject=str(reference))
        for name in going:
            self.nameless[self.names.pop(name)] = None
        if is_last and not any(container.holds_image for container in self.containers.get(image, ())):
            self._delete(image, prunes=prunes)

    def remove(self, image: LocalImage) -> None:
        if self.containers.get(image.id):
            raise ConflictError(f"{image.id} is in use", code="engine-conflict", subject=image.id)
        for key in [key for key in self.nameless if self.image_id(key) == image.id]:
            if self.abilities == EMBEDDED:
                del self.nameless[key]
        self._delete(image.id, prunes=True)

    def freeable(self, going: t.Sequence[LocalImage]) -> int:
        return sum({image.id: image.size for image in going}.values())

    def reclaim(self) -> int:
        kept = {key.manifest for key in self.names.values()}
        if self.abilities == EMBEDDED:
            self.nameless = {key: None for key in self.nameless if self.containers.get(self.image_id(key))}
        kept.update(key.manifest for key in self.nameless)
        for digest in list(kept):
            manifest = self._manifest(digest)
            kept.update(blob.digest for blob in (manifest.blobs() if manifest is not None else ()))
        return self.content.keep_only(kept)

    def space(self) -> Space | None:
        return None

    def describe(self, image: LocalImage) -> Description:
        return Description({}, (), ())

    def close(self) -> None:
        self.is_closed = True

    def image_id(self, key: ImageKey) -> str:
        """Return the ID of an image."""
        if self.abilities.ids == "target":
            return str(key.chosen_from or key.manifest)
        manifest = self._manifest(key.manifest)
        return str(manifest.config.digest if manifest is not None else key.manifest)

    def _name(self, reference: Reference, key: ImageKey) -> None:
        former = self.names.get(reference)
        if former is not None and former != key:
            self.nameless[former] = None
        self.names[reference] = key

    def _key_of(self, identity: Identity) -> ImageKey | None:
        if identity.manifest_digest is not None and identity.manifest_digest in self.content.digests():
            return ImageKey(identity.manifest_digest, identity.index_digest)
        known = [*self.names.values(), *self.nameless]
        return next((key for key in known if self.image_id(key) == str(identity.config_digest)), None)

    def _digests_that_go_with(self, reference: Reference, image: str) -> list[Reference]:
        same = [
            name
            for name, key in self.names.items()
            if name != reference and name.repository == reference.repository and self.image_id(key) == image
        ]
        return same if reference.tag is not None and all(name.tag is None for name in same) else []

    def _delete(self, image: str, *, prunes: bool) -> None:
        """Remove a nameless image unless others were built on it; then, if told so, what it was built on."""
        keys = [key for key in self.nameless if self.image_id(key) == image]
        named = {self.image_id(key) for key in self.names.values()}
        if not keys or image in named or image in self.parents.values():
            return
        for key in keys:
            del self.nameless[key]
        self.deleted.append(image)
        parent = self.parents.pop(image, "")
        if prunes and parent and not self.containers.get(parent):
            self._delete(parent, prunes=True)

    def _manifest(self, digest: Digest) -> Manifest | None:
        if digest not in self.content.digests():
            return None
        manifest = parse_manifest(self.content.read(Descriptor("", digest, -1)))
        return manifest if isinstance(manifest, Manifest) else None

    def _rows(self, look: Look) -> list[LocalImage]:
        groups: dict[ImageKey, list[Reference]] = {}
        for name, key in self.names.items():
            groups.setdefault(key, []).append(name)
        named = {key.manifest for key in groups}
        nameless = dict(self.nameless)
        if self.abilities == EMBEDDED:
            nameless.update((ImageKey(digest), None) for digest in self.content.documents())
        groups.update((key, []) for key in nameless if key.manifest not in named and key not in groups)
        if self.abilities.pins_by_pull:
            return [row for key, names in self._by_image(groups).items() for row in self._docker_rows(key, names, look)]
        return [self._image(key, names, look=look) for key, names in groups.items()]

    def _by_image(self, groups: dict[ImageKey, list[Reference]]) -> dict[ImageKey, list[Reference]]:
        merged: dict[str, tuple[ImageKey, list[Reference]]] = {}
        for key, names in groups.items():
            merged.setdefault(self.image_id(key), (key, []))[1].extend(names)
        return dict(merged.values())

    def _docker_rows(self, key: ImageKey, names: list[Reference], look: Look) -> list[LocalImage]:
        """Return a row for each set of digests that repositories know one image by."""
        of_repository: dict[str, set[Digest]] = {name.repository: set() for name in names}
        for name in names:
            of_repository[name.repository].update([name.digest] if name.digest is not None else [])
        known = sorted({tuple(sorted(digests)) for digests in of_repository.values() if digests}) or [()]
        every = sorted({name.digest for name in names if name.digest is not None})
        rows = []
        for digests in known:
            own = [name for name in names if (tuple(sorted(of_repository[name.repository])) or known[0]) == digests]
            known_as = (*digests, *(digest for digest in every if digest not in digests))
            rows.append(self._image(key, own, look=look, known_as=known_as))
        return rows

    def _image(
        self, key: ImageKey, refs: list[Reference], *, look: Look, known_as: tuple[Digest, ...] = ()
    ) -> LocalImage:
        tagged = {
            name.repository
            for name, other in self.names.items()
            if name.tag is not None and self.image_id(other) == self.image_id(key)
        }
        beside = {name for name in refs if name.tag is None and name.repository in tagged}
        names = tuple(sorted(set(refs) - beside, key=str))
        manifest = self._manifest(key.manifest)
        if manifest is None:
            identity = Identity(key.manifest, None, key.chosen_from)
            return LocalImage(str(key.manifest), identity, names, missing=(key.manifest,))
        identity = Identity(key.manifest, manifest.config.digest, key.chosen_from)
        if self.abilities.pins_by_pull:
            identity = Identity(None, manifest.config.digest, None, known_as)
        image = LocalImage(
            id=self.image_id(key),
            identity=identity,
            names=names,
            size=manifest.size,
            digest_names=tuple(sorted(beside, key=str)),
            used_by=self.containers.get(self.image_id(key), ()) if look.containers else (),
            parent=self.parents.get(self.image_id(key), "") if look.parents else "",
            is_dangling=not refs or (self.abilities == DOCKER and all(name.tag is None for name in refs)),
        )
        return self._with_details(image, manifest, look=look)

    def _with_details(self, image: LocalImage, manifest: Manifest, *, look: Look) -> LocalImage:
        parts = [blob for blob in manifest.blobs() if not is_nondistributable(blob.media_type)]
        missing = tuple(blob.digest for blob in parts if not self.content.has(blob))
        if not self.abilities.pins_by_pull:
            image = image._replace(missing=missing)
        elif not any(_is_meant(image, wanted) for wanted in look.details_of):
            return image
        config = parse_config(self.content.read(manifest.config)) if self.content.has(manifest.config) else None
        return image._replace(platform=config.platform, labels=config.labels) if config is not None else image


def _is_meant(image: LocalImage, wanted: Reference | ImageId) -> bool:
    if isinstance(wanted, ImageId):
        return image.id.rpartition(":")[2].startswith(wanted.prefix) or wanted.name in image.names
    is_known = wanted.digest is not None and wanted.digest in image.identity.digests
    return is_known or wanted.without_digest() in image.names


if t.TYPE_CHECKING:
    _is_engine: type[Engine] = MemoryEngine
