# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host holds: images by identity, and the names that point at them."""

from __future__ import annotations

import typing as t

from .errors import ConflictError
from .reference import ImageId

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .digest import Digest
    from .platform import Platform
    from .reference import Reference


class Identity(t.NamedTuple):
    """Which image: the digests of its manifest, its config, and the index it was chosen from, as far as known.

    ``known_as`` are digests that registries have for it where the engine does not tell whether they are an index's or a
    manifest's; the one to show comes first.
    """

    manifest_digest: Digest | None = None
    config_digest: Digest | None = None
    index_digest: Digest | None = None
    known_as: tuple[Digest, ...] = ()

    @property
    def digest(self) -> Digest | None:
        """The digest a tag at the registry has for it: the index's, else the manifest's."""
        return self.index_digest or (self.known_as[0] if self.known_as else self.manifest_digest)

    @property
    def digests(self) -> frozenset[Digest]:
        """All that are known."""
        own = (self.manifest_digest, self.config_digest, self.index_digest)
        return frozenset(digest for digest in (*own, *self.known_as) if digest is not None)

    @property
    def is_known_by_index_alone(self) -> bool:
        """Whether nothing says which image of its index it is: that of this platform, or of another one."""
        own = (self.manifest_digest, self.config_digest, *self.known_as)
        return self.index_digest is not None and not any(own)

    def led_by(self, digest: Digest | None) -> Identity:
        """Return the same identity, of whose ``known_as`` this ``digest``, if it is one of them, is the one to show."""
        if digest is None or digest not in self.known_as:
            return self
        return self._replace(known_as=(digest, *(other for other in self.known_as if other != digest)))

    def is_same_image(self, other: Identity) -> bool:
        """Tell whether both have the same manifest; else, as far as known, the same config; else any digest in common.

        Two platforms of one index have its digest in common and are told apart by manifest or config.
        """
        if self.manifest_digest is not None and other.manifest_digest is not None:
            return self.manifest_digest == other.manifest_digest
        if self.config_digest is not None and other.config_digest is not None:
            return self.config_digest == other.config_digest
        return not self.digests.isdisjoint(other.digests)


class Container(t.NamedTuple):
    """A container that uses an image, running or not; the image stays without a name while one ``holds_image``."""

    name: str
    holds_image: bool = True


class Look(t.NamedTuple):
    """What a plan must know of a host beyond names and digests. Each costs an engine a request of its own.

    ``containers``: which use the images. ``parents``: what images were built on, nameless ones with it. ``details_of``:
    the images whose platform and labels matter, where a list of images does not tell them.
    """

    containers: bool = False
    parents: bool = False
    details_of: frozenset[Reference | ImageId] = frozenset()


class Space(t.NamedTuple):
    """Where an engine keeps its data, and how many bytes are free there."""

    path: str
    free: int


class Abilities(t.NamedTuple):
    """What the engine of a host can do, as far as a plan depends on it.

    ``ids``: an image's ID is the digest of its ``config``, or of the ``target`` of its name: the index, else the
    manifest. ``sends_exact``: a push keeps the manifest's digest. ``chooses_platform``: it can fetch for another one.
    ``pins_by_pull``: a pull leaves ``repository@digest`` as a name or beside its tag, and only a pull makes such names.
    ``keeps_bases``: an image that others were built on stays when it loses its last name.
    """

    ids: t.Literal["config", "target"] = "config"
    sends_exact: bool = True
    chooses_platform: bool = True
    pins_by_pull: bool = False
    keeps_bases: bool = True


class LocalImage(t.NamedTuple):
    """An image on a host. ``id`` is the engine's word for it; ``names`` hold no digest beside a tag.

    ``missing`` are parts that the store lost: the name is there, the image is not. ``digest_names`` name it by digest
    beside tags of the same repository: they go with the last of these tags, or stay behind when it moves to another
    image. ``used_by`` and ``parent`` (an image's ID) are told when a Look asks for them. ``is_dangling``: the engine
    takes it for one without a name; where a tag that moves leaves digests behind, these do not count.
    """

    id: str
    identity: Identity
    names: tuple[Reference, ...] = ()
    platform: Platform | None = None
    size: int = 0
    created: str = ""
    labels: Mapping[str, str] = {}
    missing: tuple[Digest, ...] = ()
    digest_names: tuple[Reference, ...] = ()
    used_by: tuple[Container, ...] = ()
    parent: str = ""
    is_dangling: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether all its content is there."""
        return not self.missing

    def with_names(self, names: Iterable[Reference]) -> LocalImage:
        """Return the same image under all these ``names``, in their order; digests beside tags are told apart."""
        every = tuple(names)
        tagged = {name.repository for name in every if name.tag is not None}
        beside = tuple(name for name in every if name.tag is None and name.repository in tagged)
        return self._replace(names=tuple(name for name in every if name not in beside), digest_names=beside)


def going_with(reference: Reference, names: Iterable[Reference]) -> tuple[Reference, ...]:
    """Return those of an image's ``names`` that go with ``reference``, itself last: with a last tag its digests."""
    own = tuple(name for name in names if name.repository == reference.repository and name != reference)
    if reference.tag is None or any(name.tag is not None for name in own):
        return (reference,)
    return (*own, reference)


class Observed:
    """One reading of a host: every image it holds, found by name, digest or ID without another look at the host."""

    def __init__(
        self,
        images: Iterable[LocalImage],
        *,
        engine: str,
        platform: Platform,
        blobs: frozenset[Digest] = frozenset(),
        abilities: Abilities = Abilities(),  # noqa: B008 (immutable)
        whole: Mapping[Digest, int] | None = None,
    ) -> None:
        """Hold one reading: ``platform`` is the host's; ``blobs`` need not be fetched again (empty if not known).

        ``whole`` are the indexes that are held with all of their images, as far as was asked, and the bytes of each.
        """
        self.engine = engine
        self.platform = platform
        self.images = tuple(images)
        self.blobs = blobs
        self.abilities = abilities
        self.whole: Mapping[Digest, int] = whole or {}
        self.by_name: dict[Reference, LocalImage] = {name: image for image in self.images for name in image.names}
        self._by_digest: dict[Digest, list[LocalImage]] = {}
        for image in self.images:
            for digest in image.identity.digests:
                self._by_digest.setdefault(digest, []).append(image)

    def with_digest(self, digest: Digest) -> list[LocalImage]:
        """Return the images that have ``digest`` as manifest, config or index, in the host's order."""
        return self._by_digest.get(digest, [])

    def whole_index(self, identity: Identity) -> Digest | None:
        """Return the index of ``identity`` if the host holds all of its images, as far as was asked."""
        return identity.index_digest if identity.index_digest in self.whole else None

    def pinned(self, reference: Reference) -> LocalImage | None:
        """Return the image that ``reference`` (a digest without a tag) names: those bytes, in that repository.

        Where only a pull makes such a name, the repository must know it by this very digest.
        """
        if reference.digest is None:
            return None
        for image in self.with_digest(reference.digest):
            names = (*image.names, *image.digest_names)
            if reference in names:
                return image
            if not self.abilities.pins_by_pull and any(name.repository == reference.repository for name in names):
                return image
        return None

    def meant_by(self, wanted: Iterable[Reference | ImageId]) -> list[LocalImage]:
        """Return the images that ``wanted`` mean, each once; an ID that fits several means none here."""
        found: dict[int, LocalImage] = {}
        for name in wanted:
            try:
                image = self.find(name)
            except ConflictError:
                continue
            if image is not None:
                found[id(image)] = image
        return list(found.values())

    def find(self, wanted: Reference | ImageId) -> LocalImage | None:
        """Return the image that ``wanted`` names, or None. A repository's name goes before an ID that looks like one.

        Raises:
            ConflictError: an ID prefix fits more than one image; ``why`` lists them.
        """
        if not isinstance(wanted, ImageId):
            image = self.by_name.get(wanted.without_digest())
            if image is not None and (wanted.digest is None or wanted.digest in image.identity.digests):
                return image
            return self.pinned(wanted) if wanted.tag is None else None
        named = self.find(wanted.name) if wanted.name is not None else None
        if named is not None:
            return named
        found = [image for image in self.images if _has_id(image, wanted.prefix)]
        if len({image.id for image in found}) > 1:
            raise ConflictError(
                f"Image ID {wanted} is ambiguous",
                code="ambiguous-id",
                why="it fits " + ", ".join(sorted(f"{image.id} ({_names(image)})" for image in found)),
                fix="give more characters of the ID, or the name",
                subject=str(wanted),
            )
        return found[0] if found else None


def _has_id(image: LocalImage, prefix: str) -> bool:
    digests = [image.id.rpartition(":")[2], *(digest.encoded for digest in image.identity.digests)]
    return any(text.startswith(prefix) for text in digests)


def _names(image: LocalImage) -> str:
    return ", ".join(sorted(name.familiar for name in image.names)) or "no name"
