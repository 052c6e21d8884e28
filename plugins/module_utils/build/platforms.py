# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One build for several platforms: an image for each, and an index above them."""

from __future__ import annotations

import json
import typing as t

from ..model.descriptor import Descriptor
from ..model.index import Index
from ..model.media_types import OCI_INDEX
from .inputs import combined_key

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.digest import Digest
    from ..model.manifest import Manifest
    from ..model.platform import Platform
    from .base import Base, BuildSpec
    from .changes import FileChanges
    from .inputs import InputsKey
    from .loading import Build


class PlatformBuilds:
    """The builds of one image for several platforms, each checked; to what asks for inputs they are one build.

    All have the key that is made of the inputs of all: a platform more is another key for each of them.
    """

    def __init__(self, builds: Sequence[Build]) -> None:
        """Take the builds, in the order that the index will list their images in."""
        self.builds = tuple(builds)
        self.warnings = tuple(dict.fromkeys(warning for build in self.builds for warning in build.warnings))

    @property
    def name(self) -> str:
        """What messages call the Dockerfile."""
        return self.builds[0].name

    @property
    def spec(self) -> BuildSpec:
        """The order of the first of them; the others differ from it in their platform."""
        return self.builds[0].spec

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The platforms, in the order of the builds."""
        return tuple(build.spec.platform for build in self.builds)

    @property
    def bases(self) -> tuple[Base, ...]:
        """Every image that some of them starts or copies from, each once: one for two platforms is two."""
        return tuple(dict.fromkeys(base for build in self.builds for base in build.bases))

    def inputs_key(self, base_digests: Mapping[Base, Digest], *, has_triggers: bool = False) -> InputsKey:
        """Return the one key of all; ``has_triggers``: a base of some of them has ONBUILD triggers.

        Raises:
            ImagesError: as ``Build.inputs_key``.
        """
        keys = [build.inputs_key(base_digests, has_triggers=has_triggers) for build in self.builds]
        return combined_key(dict(zip(self.platforms, keys)))

    def is_current(self, key: str, base_digests: Mapping[Base, Digest]) -> bool:
        """Tell whether an image labelled with ``key`` is one of those that these builds would give.

        Raises:
            ImagesError: as ``Build.inputs_key``.
        """
        flags = (False, True) if self.bases else (False,)
        return any(self.inputs_key(base_digests, has_triggers=flag).key == key for flag in flags)

    def file_changes(self, before: Mapping[str, str]) -> FileChanges | None:
        """Return which files differ for the first platform for which some do; None when that is not remembered.

        Raises:
            ImagesError: as ``Build.inputs_key``.
        """
        for build in self.builds:
            context = before.get(f"context {build.spec.platform}") or before.get("context", "")
            found = build.file_changes({**before, "context": context})
            if found is not None and any(found):
                return found
        return None


def index_of(images: Sequence[tuple[Platform, Manifest]]) -> Index:
    """Return the index of ``images`` in their order; the same images give the same bytes.

    Source: OCI image-spec v1.1 image-index.md.
    """
    entries = tuple(manifest.descriptor.plain()._replace(platform=platform) for platform, manifest in images)
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry.to_json() for entry in entries]}
    raw = json.dumps(document, separators=(",", ":")).encode()
    return Index(raw, Descriptor.of(raw, OCI_INDEX), entries)
