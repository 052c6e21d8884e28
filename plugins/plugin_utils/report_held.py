# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host holds, as image_info tells it."""

from __future__ import annotations

import typing as t

from ..module_utils.model.digest import Digest
from ..module_utils.model.errors import InputError
from ..module_utils.model.host import Identity
from ..module_utils.model.platform import Platform
from ..module_utils.model.reference import Reference, parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .report_wanted import Expected


class Held(t.NamedTuple):
    """One image of a host. ``digests`` are all that its engine knows of it, ``damages`` sentences about its bytes."""

    names: tuple[Reference, ...]
    identity: Identity
    digests: frozenset[Digest] = frozenset()
    platform: Platform | None = None
    size: int = 0
    is_complete: bool = True
    used_by: tuple[str, ...] = ()
    damages: tuple[str, ...] = ()

    @property
    def is_dangling(self) -> bool:
        """Whether no tag names it."""
        return all(name.tag is None for name in self.names)

    def is_what(self, expected: Expected) -> bool:
        """Tell whether these are the ``expected`` bytes: by config, else manifest, else any digest in common.

        The config goes first: some engines do not tell whether a digest is an index's or a manifest's.
        """
        if expected.identity is None:
            return expected.digest is None or expected.digest in self.digests
        config = self.identity.config_digest
        if config is not None and expected.identity.config_digest is not None:
            return config == expected.identity.config_digest
        return self.identity.is_same_image(expected.identity)


class HeldImages(t.NamedTuple):
    """All images of one host, its platform and engine, and the digests that names have at registries, if it asked."""

    images: tuple[Held, ...]
    platform: Platform
    engine: str = ""
    remotes: Mapping[str, str] = {}
    elapsed: float = 0.0

    def named(self, name: Reference) -> list[Held]:
        """Return what ``name`` points at: several where a store keeps an index with images for several platforms.

        A digest without a tag means those bytes in that repository.
        """
        wanted = name.without_digest()
        found = [image for image in self.images if wanted in image.names]
        if found or wanted.digest is None:
            return found
        alike = (image for image in self.images if wanted.digest in image.digests)
        return [image for image in alike if any(own.repository == wanted.repository for own in image.names)]


def read_held(result: Mapping[str, t.Any]) -> HeldImages:
    """Return what a result of image_info tells.

    Raises:
        InputError: it is none.
    """
    try:
        return HeldImages(
            tuple(_held(row) for row in result["images"]),
            Platform.parse(result["platform"]),
            str(result["engine"]),
            {str(name): str(digest) for name, digest in (result.get("remotes") or {}).items()},
            float(result.get("elapsed") or 0),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError("it is no result of fleet.images.image_info", why=why) from error


def _held(row: Mapping[str, t.Any]) -> Held:
    identity = Identity(
        _digest(row["manifest_digest"]),
        _digest(row["config_digest"]),
        _digest(row["index_digest"]),
        tuple(digest for digest in (_digest(row["digest"]),) if digest is not None),
    )
    others = (Digest.parse(str(text)) for text in row.get("digests") or ())
    return Held(
        tuple(parse_reference(str(name)) for name in row["names"]),
        identity,
        identity.digests | frozenset(others),
        Platform.parse(row["platform"]) if row["platform"] else None,
        int(row["size"]),
        bool(row["complete"]),
        tuple(str(name) for name in row.get("used_by") or ()),
        tuple(_damage(damage) for damage in row.get("corrupt") or ()),
    )


def _damage(row: Mapping[str, t.Any]) -> str:
    """Return a damaged part in words."""
    told = f"must be {row['expected']}" if row["expected"] else ""
    told += f" and is {row['found']}" if row["found"] else ""
    return f"{row['part']} is damaged: {'; '.join(filter(None, (told, row['why'])))}"


def _digest(text: object) -> Digest | None:
    return Digest.parse(str(text)) if text else None
