# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lists of Docker and podman have in common: an image is a config, and repositories know it by digests."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError
from ..model.reference import Reference, parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.digest import Digest


def references(texts: Iterable[str]) -> list[Reference]:
    """Return the names that ``texts`` spell, in their order, without what other tools wrote and no task can spell."""
    found = []
    for text in texts:
        try:
            found.append(parse_reference(text))
        except InputError:
            continue
    return found


def by_digests(names: Iterable[Reference]) -> dict[tuple[Digest, ...], list[Reference]]:
    """Return an image's names by the digests that their repository has for it, sorted by these; at least one row.

    A repository that tells no digest joins the first that does: nothing says which it would have.
    """
    every = tuple(names)
    known: dict[str, tuple[Digest, ...]] = {}
    for name in every:
        if name.tag is None and name.digest is not None:
            known[name.repository] = (*known.get(name.repository, ()), name.digest)
    groups: dict[tuple[Digest, ...], list[Reference]] = {digests: [] for digests in sorted(known.values()) or [()]}
    first = next(iter(groups))
    for name in every:
        groups[known.get(name.repository, first)].append(name)
    return groups


def rfc3339(seconds: object) -> str:
    """Return the time that is so many seconds after 1970 as text; "" where there is none."""
    import time

    if not isinstance(seconds, int) or seconds <= 0:
        return ""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
