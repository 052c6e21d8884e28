# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Indexes: one name, an image for each platform."""

from __future__ import annotations

import typing as t

from .platform import choose

if t.TYPE_CHECKING:
    from .descriptor import Descriptor
    from .platform import Platform

_ATTESTATION = "vnd.docker.reference.type"


class Index(t.NamedTuple):
    """An OCI index or Docker manifest list: its exact bytes beside what they say."""

    raw: bytes
    descriptor: Descriptor
    manifests: tuple[Descriptor, ...]

    def images(self) -> list[Descriptor]:
        """Return the entries that are images: attestations (platform unknown/unknown) are not."""
        return [entry for entry in self.manifests if not _is_attestation(entry)]

    def choose(self, wanted: Platform) -> Descriptor | None:
        """Return the image that suits a host of platform ``wanted`` best, or None.

        An entry without a platform suits any host, after all those that have one.
        """
        images = self.images()
        at = choose([image.platform for image in images], wanted)
        if at is not None:
            return images[at]
        return next((image for image in images if image.platform is None), None)


def _is_attestation(entry: Descriptor) -> bool:
    platform = entry.platform
    unknown = platform is not None and platform.os == "unknown" and platform.architecture == "unknown"
    return unknown or _ATTESTATION in entry.annotations
