# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd: images are names in a namespace that point at content; what no name leads to goes by itself."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..model.digest import Digest
from ..model.errors import ConflictError, NotFoundError
from ..model.host import Abilities, Container, Identity, LocalImage, Look, Observed, going_with
from ..model.media_types import is_index
from ..wire.ctr import CHOSEN_LABEL
from ..wire.ctr_tables import IMPORT_HANDLE
from .base import Description, gone, size_of, space_at
from .host_platform import host_platform

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model.host import Space
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..wire.ctr import Ctr
    from ..wire.ctr_tables import ContainerRow, ImageRow
    from .base import Engine

GRACE_SECONDS = 86400.0  # what was fetched for an image that never got its name stays this long, to be resumed


class Content(t.Protocol):
    """What this engine needs of its content; ContainerdStore is it."""

    def staged(self) -> frozenset[Digest]:
        """Return what was fetched and is not in containerd yet."""

    def publish(
        self, reference: Reference, *, identity: Identity, host: Platform, is_alone: bool = False
    ) -> None:
        """Bring an image, unless it ``is_alone`` its whole index, into containerd and name it.

        It is unpacked where it is the one for ``host``.
        """

    def tidy(self, grace_seconds: float) -> int:
        """Remove what was staged long ago; return the bytes freed."""

    def untidy(self, grace_seconds: float) -> int:
        """Return the bytes that ``tidy`` would free now."""


class ContainerdEngine:
    """Implements Engine on one namespace of containerd. The image ID is the digest of what a name points at.

    Names that are no complete reference are nobody's here: they are not shown and never removed, and what they point at
    stays.
    """

    name = "containerd"

    def __init__(self, ctr: Ctr, *, content: Callable[[bool], Content]) -> None:
        """Take the namespace, and how to open its content (True: make the directory beside it when it is not there)."""
        self._ctr = ctr
        self._content = content
        self.place = ctr.place

    def observe(self, look: Look = Look()) -> Observed:  # noqa: B008 (immutable)
        """See Engine. The list tells names and digests; platforms, labels and sizes are in ``details_of``."""
        rows, held = self._ctr.images(), self._ctr.content()
        users = self._ctr.containers() if look.containers else ()
        images = [image_of(same, held=held, users=users) for same in _by_target(rows)]
        whole: dict[Digest, int] = {}
        if look.details_of:
            from .containerd_details import detailed

            # the plan tells who asks for an ambiguous ID
            wanted = {image.id for image in self._observed(images).meant_by(look.details_of)}
            images = [
                detailed(image, ctr=self._ctr, held=held, rows=rows, whole=whole) if image.id in wanted else image
                for image in images
            ]
        return self._observed(images, blobs=frozenset(map(_digest, held)) | self._staged(), whole=whole)

    def tag(self, reference: Reference, *, identity: Identity, platform: Platform | None) -> None:
        """See Engine. An image that was chosen from an index is named by the index, as containerd's own pull does.

        Raises:
            NotFoundError: image-not-found; blob-not-found.
        """
        content = self._content(True)
        name, target = str(reference.without_digest()), identity.index_digest or identity.manifest_digest
        rows = self._ctr.names_of(target) if target is not None else []
        named = [row.name for row in rows if not row.is_import]  # what another task brings in may lose its name soon
        is_chosen = identity.index_digest is not None and identity.manifest_digest is not None
        if is_chosen or (identity.manifest_digest is not None and (not named or content.staged())):
            content.publish(reference, identity=identity, host=host_platform(), is_alone=platform is not None)
        elif not named:
            raise gone(str(target or identity.config_digest), subject=str(reference), why="no name points at it")
        elif name not in named:
            self._move(name, named[0])

    def untag(self, reference: Reference, *, is_used: bool = False, prunes: bool = True) -> None:
        """See Engine. The content of an image without a name goes at once; what runs has a file system of its own."""
        row = self._ctr.image(str(reference.without_digest()))
        if row is None:
            return
        same = self._ctr.names_of(row.digest)
        names = [row.reference for row in same if row.reference is not None]
        going = [str(name) for name in going_with(reference.without_digest(), names)]
        if all(row.is_handle or row.name in going for row in same):
            if not is_used:
                self._refuse_used(reference, same)
            going = [*(row.name for row in same if row.is_handle), *going]
        self._ctr.run("images", "rm", "--sync", *going)

    def remove(self, image: LocalImage) -> None:
        """Do nothing: here an image is there by its names alone."""

    def freeable(self, going: Sequence[LocalImage]) -> int:
        """See Engine."""
        with contextlib.suppress(NotFoundError):
            return size_of(going) + self._content(False).untidy(GRACE_SECONDS)
        return size_of(going)

    def reclaim(self) -> int:
        """See Engine. containerd frees what no name needs as soon as its name goes; its bytes are not counted."""
        with contextlib.suppress(NotFoundError):
            return self._content(False).tidy(GRACE_SECONDS)
        return 0

    def describe(self, image: LocalImage) -> Description:
        """See Engine.

        Raises:
            NotFoundError: image-not-found.
        """
        from .containerd_details import documents

        rows, held = self._ctr.names_of(Digest.parse(image.id)), self._ctr.content()
        found = documents(image, ctr=self._ctr, held=held, rows=rows)
        if found.manifest is None:
            raise gone(image.id)
        settings = found.config.fields.optional_object("config") if found.config is not None else None
        return Description(
            config=settings.values if settings is not None else {},
            history=found.config.history if found.config is not None else (),
            layers=tuple(str(layer.digest) for layer in found.manifest.layers),
        )

    def space(self) -> Space | None:
        """See Engine. None where containerd does not tell its directory, or this user may not look there."""
        there = space_at(self._ctr.root())
        return there._replace(path=os.path.dirname(there.path)) if there is not None else None

    def close(self) -> None:
        """See Engine."""

    def _observed(
        self,
        images: Sequence[LocalImage],
        *,
        blobs: frozenset[Digest] = frozenset(),
        whole: Mapping[Digest, int] | None = None,
    ) -> Observed:
        abilities = Abilities("target", True, True)
        return Observed(
            images, engine=self.name, platform=host_platform(), blobs=blobs, abilities=abilities, whole=whole
        )

    def _staged(self) -> frozenset[Digest]:
        try:
            return self._content(False).staged()
        except NotFoundError:  # made by the first pull, not by looking
            return frozenset()

    def _move(self, name: str, source: str) -> None:
        """Let ``name`` point at what ``source`` does; what lost its last name by this is gone on return."""
        is_new = self._ctr.image(name) is None
        self._ctr.run("images", "tag", "--force", source, *([name] if is_new else [IMPORT_HANDLE + "move", name]))
        if not is_new:
            self._ctr.run("images", "rm", "--sync", IMPORT_HANDLE + "move")

    def _refuse_used(self, reference: Reference, same: Sequence[ImageRow]) -> None:
        names = {row.name for row in same}
        users = [row.id for row in self._ctr.containers() if row.image in names]
        if users:
            raise ConflictError(
                f"Containers use the image {reference.familiar}",
                code="engine-conflict",
                why=f"it would lose its last name, and {', '.join(sorted(users))} were made from it",
                fix="remove these containers first, or set in_use: untag",
                subject=str(reference),
            )


def image_of(same: Sequence[ImageRow], *, held: frozenset[str], users: Sequence[ContainerRow]) -> LocalImage:
    """Return the image that all rows of ``same`` point at."""
    target, own = same[0], {row.name for row in same}
    references = sorted((row.reference for row in same if row.reference is not None), key=str)
    configs = {row.config_digest for row in same if row.config_digest is not None}
    is_chosen = is_index(target.media_type)
    return LocalImage(
        id=str(target.digest),
        identity=Identity(
            None if is_chosen else target.digest,
            configs.pop() if len(configs) == 1 else None,
            target.digest if is_chosen else None,
        ),
        missing=() if str(target.digest) in held else (target.digest,),
        used_by=tuple(Container(user.id, holds_image=False) for user in users if user.image in own),
    ).with_names(references)


def _by_target(rows: Sequence[ImageRow]) -> list[list[ImageRow]]:
    """Return the rows of each image, less those that only an import under way, or one that was stopped, holds."""
    found: dict[tuple[Digest, str], list[ImageRow]] = {}
    for row in rows:  # two platforms of one index have its digest in common
        found.setdefault((row.digest, row.labels.get(CHOSEN_LABEL, "")), []).append(row)
    return [same for same in found.values() if not all(row.is_import for row in same)]


def _digest(text: str) -> Digest:
    algorithm, _colon, encoded = text.partition(":")
    return Digest(algorithm, encoded)


if t.TYPE_CHECKING:
    _fits: type[Engine] = ContainerdEngine
