# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every engine can do with the images of its host. The contract suite runs over all that implement it."""

from __future__ import annotations

import typing as t

from ..model.errors import NotFoundError
from ..model.host import Look, Space

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model.build_order import BuildOrder, Built, Context
    from ..model.host import Identity, LocalImage, Observed
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..wire.streams import ReadStream

    Heard = Callable[[str, "int | None"], None]


class Description(t.NamedTuple):
    """What an engine tells of one image: its configuration, and how it came to be, newest step last."""

    config: t.Mapping[str, t.Any]
    history: tuple[t.Mapping[str, t.Any], ...]
    layers: tuple[str, ...]


class Engine(t.Protocol):
    """The images of one host and their names. ``name`` is what users write as ``engine``; ``place`` tells it apart."""

    name: str
    place: str

    def observe(self, look: Look = Look()) -> Observed:  # noqa: B008 (immutable)
        """Return every image with its names, in one reading, and what ``look`` asks for beside.

        Changes nothing; a store that is not there yet is empty.

        Raises:
            ImagesError: the engine does not answer, or its store cannot be read.
        """

    def tag(self, reference: Reference, *, identity: Identity, platform: Platform | None) -> None:
        """Let ``reference`` (a name, no pin) point at the image ``identity``, whose content the host holds. Idempotent.

        Raises:
            NotFoundError: the host does not hold it.
        """

    def untag(self, reference: Reference, *, is_used: bool = False, prunes: bool = True) -> None:
        """Remove a name; a name that is gone already is no error. With a repository's last tag go its digests.

        An image that loses its last name goes, unless containers hold it; containers are never touched. ``is_used``:
        containers use the image, and its name goes nonetheless. ``prunes``: nameless images it was built on go along.

        Raises:
            ConflictError: containers use the image and ``is_used`` is False.
        """

    def remove(self, image: LocalImage) -> None:
        """Remove an image without a name, and nameless ones that only it was built on; it may be gone already.

        Raises:
            ConflictError: engine-conflict: something uses it, and the engine tells that.
        """

    def freeable(self, going: Sequence[LocalImage]) -> int:
        """Return the bytes that go when the images ``going`` lose their names and ``reclaim`` is called: at most those.

        Without such images it is what ``reclaim`` would free now.
        """

    def reclaim(self) -> int:
        """Free what no name needs any longer; return the bytes freed. What was written recently may stay a while."""

    def describe(self, image: LocalImage) -> Description:
        """Return what the engine tells of an image that ``observe`` returned.

        Raises:
            NotFoundError: it is gone meanwhile.
        """

    def space(self) -> Space | None:
        """Return how much is free where the engine keeps its data; None when that cannot be seen from here."""

    def close(self) -> None:
        """Free what the engine holds. Idempotent."""


class Daemon(t.Protocol):
    """An engine whose daemon speaks to registries itself. Several threads may pull and push at the same time."""

    def pull(
        self,
        reference: Reference,
        *,
        source: Reference,
        platform: Platform | None,
        deadline: float | None,
        heard: Heard | None = None,
    ) -> int:
        """Let the daemon fetch ``source``, then let ``reference`` point at it; return the bytes that it fetched.

        ``source`` is pinned by a digest, and may lie at a mirror; no name of a mirror stays on the host. ``platform``
        chooses from an index; None: the digest is a manifest's. ``deadline`` is in seconds from now. Idempotent.
        ``heard``, which never raises, is called with the first 12 hex digits of a layer's digest and the bytes of it
        that are there, or None if it was there before, as far as the daemon tells.

        Raises:
            PeerError: engine-pull-failed: the daemon could not get it; ``why`` has its words.
            UnavailableError: deadline-passed: the daemon was told to stop; engine-timeout: it is silent.
        """

    def push(self, reference: Reference, *, identity: Identity, deadline: float | None) -> None:
        """Let the daemon put the image ``identity`` under the tag ``reference`` at its registry. Idempotent.

        No name stays on the host, and none is moved, that was not so before.

        Raises:
            PeerError: engine-push-failed: the daemon could not; ``why`` has its words.
            UnavailableError: deadline-passed; engine-timeout: it is silent.
        """


class ImageBuilder(t.Protocol):
    """An engine that builds in containers of its own."""

    def lacks(self, order: BuildOrder) -> tuple[str, ...]:
        """Return the fields of ``order`` that this engine cannot heed, each with the reason: "squash: …"."""

    def builder_of(self, order: BuildOrder) -> str:
        """Return what builds ``order``, as ``Built`` tells it afterwards; only what it does not lack is asked."""

    def build(self, order: BuildOrder, *, context: Context) -> Built:
        """Build. What fails leaves no name and no image.

        Raises:
            PeerError: engine-build-failed: ``what`` names the failing step, ``why`` has its last lines.
            UnavailableError: engine-timeout, engine-connection-lost.
        """


class Archiver(t.Protocol):
    """An engine that gives whole images out itself."""

    def archive(self, identity: Identity) -> ReadStream:
        """Return an image as a tar archive: an OCI image layout, or what ``docker save`` writes. The caller closes it.

        Its config is the engine's, byte for byte.

        Raises:
            NotFoundError: image-not-found.
            ImagesError: the engine does not answer, or stops before the end.
        """


def gone(image: str, *, subject: str = "", why: str = "") -> NotFoundError:
    """Return the error for an image that was there when the host was looked at; ``image`` is what it is known by."""
    return NotFoundError(
        f"The image {image} is not on the host any longer",
        code="image-not-found",
        why=why,
        fix="run the task again",
        subject=subject or image,
    )


def size_of(images: Sequence[LocalImage]) -> int:
    """Return the bytes of ``images``, each counted once, and layers that they share with each of them."""
    return sum({image.id: image.size for image in images}.values())


def space_at(folder: str) -> Space | None:
    """Return how much is free where ``folder`` is, None when that cannot be seen from here."""
    import os

    try:
        figures = os.statvfs(folder)
    except OSError:
        return None
    return Space(folder, figures.f_bavail * figures.f_frsize)
