# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a reference turned out to be at its registry."""

from __future__ import annotations

import typing as t

from .host import Identity
from .media_types import is_index

if t.TYPE_CHECKING:
    from .descriptor import Descriptor
    from .host import LocalImage
    from .manifest import Manifest
    from .platform import Platform
    from .reference import Reference


class Resolved(t.NamedTuple):
    """The image a reference means for one platform.

    ``reference`` says where the content is; ``descriptor`` is what the tag points at, an index or a manifest.
    ``manifest`` is None when asking for the digest was enough, because the host holds it. ``index_raw`` are the bytes
    of the index that it was chosen from.
    """

    reference: Reference
    descriptor: Descriptor
    manifest: Manifest | None = None
    platform: Platform | None = None
    index_raw: bytes | None = None

    @property
    def is_index(self) -> bool:
        """Whether the image was, or is yet to be, chosen from an index."""
        return is_index(self.descriptor.media_type)

    @property
    def identity(self) -> Identity:
        """The digests of the image, as far as they were asked for."""
        if self.manifest is None:
            digest = self.descriptor.digest
            return Identity(index_digest=digest) if self.is_index else Identity(manifest_digest=digest)
        index = self.descriptor.digest if self.is_index else None
        return Identity(self.manifest.descriptor.digest, self.manifest.config.digest, index)

    def is_on(self, image: LocalImage) -> bool:
        """Tell whether ``image`` is this image, as far as digests tell.

        An image that came from another index, or that registries know by other digests only, is another one although
        its own manifest stayed: its digest at the registry moved. One whose index is not known (built here, or pulled
        by another tool) is judged by its manifest or config.
        """
        identity = image.identity
        if self.descriptor.digest in identity.digests:
            return True
        if self.manifest is None or (self.is_index and identity.index_digest is not None):
            return False
        pins = [name.repository for name in (*image.names, *image.digest_names) if name.tag is None]
        is_known_here = not pins or self.reference.repository in pins  # what other repositories call it tells nothing
        own = {self.manifest.descriptor.digest, identity.manifest_digest}
        if is_known_here and not own.issuperset(identity.known_as):
            return False
        return self.identity.is_same_image(identity)
