# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Descriptors: media type, digest and size of some content, and what is said about it."""

from __future__ import annotations

import typing as t

from .digest import Digest
from .platform import Platform

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .fields import Fields

UNKNOWN_SIZE = -1


class Descriptor(t.NamedTuple):
    """Where content is (its digest), what it is, and how many bytes; ``size`` may be UNKNOWN_SIZE before it was read.

    Source: OCI image-spec v1.1 descriptor.md.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = {}
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, content: bytes, media_type: str) -> Descriptor:
        """Return the descriptor of ``content``."""
        return cls(media_type, Digest.of(content), len(content))

    @classmethod
    def from_json(cls, fields: Fields) -> Descriptor:
        """Return the descriptor at ``fields``.

        Raises:
            PeerError: a required field is missing, or any is of another type.
        """
        platform = fields.optional_object("platform")
        return cls(
            media_type=fields.text("mediaType"),
            digest=fields.digest("digest"),
            size=fields.size("size"),
            platform=Platform.from_json(platform) if platform is not None else None,
            annotations=fields.text_map("annotations"),
            artifact_type=fields.optional_text("artifactType"),
            urls=tuple(fields.texts("urls")),
        )

    def to_json(self) -> dict[str, t.Any]:
        """Return the object that ``from_json`` reads; what is empty is left out."""
        result: dict[str, t.Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.artifact_type:
            result["artifactType"] = self.artifact_type
        if self.urls:
            result["urls"] = list(self.urls)
        if self.annotations:
            result["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform is not None:
            result["platform"] = self.platform.to_json()
        return result

    def plain(self) -> Descriptor:
        """Return media type, digest and size only: what a manifest says of its parts."""
        return Descriptor(self.media_type, self.digest, self.size)
