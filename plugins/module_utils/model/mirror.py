# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirrors: other registries that hold the same content as an origin, by the same digests."""

from __future__ import annotations

import typing as t

from .errors import InputError
from .reference import is_registry, parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from .reference import Reference


class Mirror(t.NamedTuple):
    """Whatever lies below ``prefix`` (``docker.io``, ``ghcr.io/team``) lies below ``location``, too.

    ``location`` is a registry, or a path there (``cache.example.com:5000/hub``).
    """

    prefix: str
    location: str

    @classmethod
    def parse(cls, registry: str, location: str) -> Mirror:
        """Return the mirror at ``location`` of ``registry``, which may be a part of a registry.

        Raises:
            InputError: bad-mirror, when one of them is no registry with or without a path.
        """
        return cls(_place(registry), _place(location))

    def of(self, reference: Reference) -> Reference | None:
        """Return where the mirror has ``reference``, None when it does not mirror it. Tag and digest stay."""
        repository = reference.repository
        if not f"{repository}/".startswith(f"{self.prefix}/"):
            return None
        registry, _slash, path = f"{self.location}{repository[len(self.prefix):]}".partition("/")
        return reference._replace(registry=registry, path=path) if path else None


def mirrored(reference: Reference, mirrors: Iterable[Mirror]) -> tuple[Reference, ...]:
    """Return where ``mirrors`` have ``reference``, in their order, each place once and never the origin itself."""
    places = [mirror.of(reference) for mirror in mirrors]
    return tuple(dict.fromkeys(place for place in places if place is not None and place != reference))


def _place(text: str) -> str:
    """Return the registry, or the part of one, that ``text`` spells, as references write it."""
    registry, _slash, path = text.strip().rstrip("/").partition("/")
    if is_registry(registry):
        try:
            sample = parse_reference("/".join(part for part in (registry, path, "any/name") if part))
        except InputError:
            pass
        else:
            return sample.repository[: -len("/any/name")]
    shown = f"***@{text.rpartition('@')[2]}" if "@" in text else text  # what stands before may be a password
    raise InputError(
        f"{shown!r} is not a registry",
        code="bad-mirror",
        fix="write it like docker.io, ghcr.io/team or cache.example.com:5000/hub, without https://",
        subject=shown,
    )
