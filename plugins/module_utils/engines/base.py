# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every engine can do with the images of its host. The contract suite runs over all that implement it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..model.host import Identity, LocalImage, Observed
    from ..model.platform import Platform
    from ..model.reference import Reference


class Description(t.NamedTuple):
    """What an engine tells of one image: its configuration, and how it came to be, newest step last."""

    config: t.Mapping[str, t.Any]
    history: tuple[t.Mapping[str, t.Any], ...]
    layers: tuple[str, ...]


class Engine(t.Protocol):
    """The images of one host and their names. ``name`` is what users write as ``engine``; ``place`` tells it apart."""

    name: str
    place: str

    def observe(self) -> Observed:
        """Return every image with its names, in one reading. Changes nothing; a store that is not there yet is empty.

        Raises:
            ImagesError: the engine does not answer, or its store cannot be read.
        """

    def tag(self, reference: Reference, *, identity: Identity, platform: Platform | None) -> None:
        """Let ``reference`` (a name, no pin) point at the image ``identity``, whose content the host holds. Idempotent.

        Raises:
            NotFoundError: the host does not hold it.
        """

    def untag(self, reference: Reference) -> None:
        """Remove a name; a name that is gone already is no error."""

    def reclaim(self) -> int:
        """Free what no name needs any longer; return the bytes freed. What was written recently may stay a while."""

    def describe(self, image: LocalImage) -> Description:
        """Return what the engine tells of an image that ``observe`` returned.

        Raises:
            NotFoundError: it is gone meanwhile.
        """

    def close(self) -> None:
        """Free what the engine holds. Idempotent."""
