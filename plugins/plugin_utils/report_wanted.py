# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a report compares hosts with: the entries of images[], and what lock, pin or registry say each must be."""

from __future__ import annotations

import typing as t

from ..module_utils.model.digest import Digest
from ..module_utils.model.errors import InputError, Problem
from ..module_utils.model.platform import Platform
from ..module_utils.model.reference import ImageId, Reference, candidates, parse_image, parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..module_utils.model.host import Identity
    from ..module_utils.model.lock import Lock, LockedImage
    from ..module_utils.model.reference import Defaults


class Wanted(t.NamedTuple):
    """One image that hosts must have: ``names`` are what its text may mean, best first, ``tags`` further names."""

    names: tuple[Reference, ...]
    platform: Platform | None = None
    is_built: bool = False
    tags: tuple[Reference, ...] = ()

    @property
    def column(self) -> str:
        """The image's name in a report."""
        return str(self.names[0])


class Declared(t.NamedTuple):
    """A fleet's declaration: images that must be there, names that must not, and what happens to others.

    With ``removes_unlisted`` every other name is drift, unless a pattern of ``protect`` matches it.
    """

    images: tuple[Wanted, ...]
    absent: frozenset[Reference] = frozenset()
    lock: Lock | None = None
    removes_unlisted: bool = False
    protect: tuple[str, ...] = ()

    @property
    def given(self) -> frozenset[Reference]:
        """The names that builds and further tags provide: no lock has to know them."""
        built = (name for image in self.images if image.is_built for name in image.names)
        return frozenset((*built, *(tag for image in self.images for tag in image.tags)))

    @property
    def names(self) -> frozenset[Reference]:
        """Every name that a host may have."""
        own = (name.without_digest() for image in self.images for name in image.names)
        return frozenset((*own, *(tag for image in self.images for tag in image.tags)))


class Expected(t.NamedTuple):
    """Which bytes a name must mean on one host. Without ``identity`` and ``digest`` nothing says it.

    ``siblings`` are the digests that the lock has for other platforms. ``basis`` is lock, pin, registry or nothing.
    """

    digest: Digest | None = None
    identity: Identity | None = None
    siblings: frozenset[Digest] = frozenset()
    basis: str = ""


class Unjudged(t.NamedTuple):
    """Why nobody can say what an image must be on a host."""

    why: str


def read_wanted(
    rows: Sequence[Mapping[str, t.Any]], defaults: Defaults
) -> tuple[tuple[Wanted, ...], frozenset[Reference]]:
    """Return the images that must be there, each once, and the names that must not be, of ``rows`` of images[].

    An entry that is absent and an image ID names nothing that a report could show.

    Raises:
        InputError: names or platforms that are none; all are told.
    """
    problems: list[Problem] = []
    images: dict[str, Wanted] = {}
    absent: set[Reference] = set()
    for at, row in enumerate(rows):
        text = str(row.get("image") or row.get("name") or "")
        try:
            if row.get("state") == "absent":
                is_id = isinstance(parse_image(text, defaults), ImageId)
                absent.update(name.without_digest() for name in (() if is_id else candidates(text, defaults)))
            else:
                wanted = _wanted(row, text, defaults=defaults)
                images.setdefault(wanted.column, wanted)
        except InputError as error:
            what = f"{error.what}: {error.why}" if error.why else error.what
            problems.append(Problem(f"images[{at}]", what, error.fix))
    if problems:
        raise InputError.of(problems)
    return tuple(images[name] for name in sorted(images)), frozenset(absent)


def expected_on(
    wanted: Wanted, declared: Declared, *, platform: Platform, remotes: Mapping[str, str]
) -> Expected | Unjudged:
    """Return what ``wanted`` must be on a host of ``platform``, for which registries said ``remotes``."""
    platform = wanted.platform or platform
    if declared.lock is not None and not wanted.is_built:
        for name in wanted.names:
            locked = declared.lock.images.get(str(name))
            if locked is not None:
                return _locked(locked, platform)
        if not any(name.without_digest() in declared.given for name in wanted.names):
            return Unjudged("it is not in the lock")
    for name in wanted.names:
        if name.digest is not None:
            return Expected(name.digest, basis="pin")
        told = remotes.get(str(name)) or remotes.get(name.familiar)
        if told and not wanted.is_built:
            return Expected(Digest.parse(told), basis="registry")
    return Expected()


def _wanted(row: Mapping[str, t.Any], text: str, *, defaults: Defaults) -> Wanted:
    is_built = bool(row.get("build"))
    platform = str(row.get("platform") or row.get("arch") or "")
    tags: Iterable[object] = row.get("tags") or ()
    return Wanted(
        tuple(candidates(text, defaults)),
        Platform.parse(platform) if platform and "," not in platform else None,
        is_built,
        tuple(parse_reference(str(tag), defaults) for tag in tags),
    )


def _locked(locked: LockedImage, platform: Platform) -> Expected | Unjudged:
    identity = locked.identity(platform)
    if identity is None:
        return Unjudged(f"the lock does not have it for {platform}, only for {', '.join(sorted(locked.platforms))}")
    every = {digest for image in locked.platforms.values() for digest in (image.manifest, image.config)}
    return Expected(locked.digest, identity, frozenset(every - identity.digests), "lock")
