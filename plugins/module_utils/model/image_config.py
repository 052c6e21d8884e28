# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image configs: platform, labels, diff IDs and history of one image."""

from __future__ import annotations

import typing as t

from .digest import Digest
from .fields import Fields
from .platform import Platform

if t.TYPE_CHECKING:
    from collections.abc import Mapping


class ImageConfig(t.NamedTuple):
    """An image's config: its exact bytes beside what they say; diff IDs oldest layer first.

    ``fields`` reads the rest (``fields.object("config")`` holds Env, Cmd, Entrypoint …).
    """

    raw: bytes
    digest: Digest
    platform: Platform
    diff_ids: tuple[Digest, ...]
    labels: Mapping[str, str]
    created: str
    history: tuple[Mapping[str, t.Any], ...]
    fields: Fields

    @property
    def has_triggers(self) -> bool:
        """Whether a build that starts from the image runs instructions of its (ONBUILD)."""
        settings = self.fields.optional_object("config")
        return settings is not None and bool(settings.texts("OnBuild"))


def parse_config(raw: bytes, *, subject: str = "image") -> ImageConfig:
    """Return the image config that ``raw`` is; ``subject`` names the image in errors.

    Raises:
        PeerError: not JSON, or a part of it is malformed.
    Source: OCI image-spec v1.1 config.md.
    """
    fields = Fields.of_bytes(raw, what=f"config of {subject}")
    settings = fields.optional_object("config")
    rootfs = fields.optional_object("rootfs")
    return ImageConfig(
        raw,
        Digest.of(raw),
        platform=Platform.from_json(fields),
        diff_ids=tuple(rootfs.digests("diff_ids")) if rootfs is not None else (),
        labels=settings.text_map("Labels") if settings is not None else {},
        created=fields.optional_text("created"),
        history=tuple(entry.values for entry in fields.objects("history")),
        fields=fields,
    )
