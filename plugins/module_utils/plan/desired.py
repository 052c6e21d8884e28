# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is wanted to hold: the planner's first input."""

from __future__ import annotations

import typing as t

from ..model.reference import ImageId, Reference

if t.TYPE_CHECKING:
    from ..model.host import Identity, Observed
    from ..model.output import Output
    from ..model.platform import Platform
    from ..model.resolved import Resolved

PullPolicy = t.Literal["missing", "newer", "always", "never"]
InUse = t.Literal["fail", "skip", "untag"]


class Share(t.NamedTuple):
    """Where hosts put what they build for each other: a repository, and with the key of the inputs its tag there.

    ``found`` is what the registry has there, to be pulled; ``former`` what it has and must not be taken.
    """

    reference: Reference
    found: Resolved | None = None
    former: Identity | None = None


class DesiredBuild(t.NamedTuple):
    """An image that is built: ``key`` stands for all its inputs and is kept on the image as label ``key_label``.

    ``spec`` is what the builder needs; the planner does not look into it. ``bases`` are the names it starts from. The
    key is empty while one of them is yet to be built. ``change`` tells people which inputs are not those of the image
    that is there, ``builder`` what will build. ``platforms`` are several, for an index of images, or none.
    """

    key: str
    key_label: str
    spec: object
    rebuild: t.Literal["changed", "always", "never"] = "changed"
    bases: tuple[Reference, ...] = ()
    change: str = ""
    builder: str = ""
    platforms: tuple[Platform, ...] = ()
    share: Share | None = None


class DesiredImage(t.NamedTuple):
    """One image that must be present, with further names and places to push it to, or must be absent.

    ``path`` says where the user wrote it (``images[3]``). ``candidates`` are what a short name may mean, best first.
    ``platform`` is None when the host's own is wanted. ``push`` are references at registries. ``locked`` is the very
    image that a lock says; then there is one candidate, and it has the lock's digest. ``outputs`` are files and folders
    of the host that it is also written to.
    """

    path: str
    candidates: tuple[Reference | ImageId, ...]
    is_present: bool = True
    pull: PullPolicy = "missing"
    platform: Platform | None = None
    tags: tuple[Reference, ...] = ()
    keeps_existing_tags: bool = False
    build: DesiredBuild | None = None
    push: tuple[Reference, ...] = ()
    locked: Identity | None = None
    outputs: tuple[Output, ...] = ()

    @property
    def wanted(self) -> Reference | ImageId:
        """The best meaning of the name."""
        return self.candidates[0]


class Pins(t.Protocol):
    """What names mean, decided before and elsewhere: a lock."""

    def pin(self, desired: Desired, *, observed: Observed) -> Desired:
        """Return ``desired`` with each image that is to be had from a registry ``locked``.

        Raises:
            ImagesError: the lock does not serve an image here. With several such images all are told.
        """

    def base(self, reference: Reference, *, platform: Platform, is_given: bool) -> Identity | None:
        """Return what a build starts from; None when that is not decided here. ``is_given``: the task provides it.

        Raises:
            ImagesError: the lock does not serve it.
        """


class Desired(t.NamedTuple):
    """All that one task wants of a host.

    With ``removes_unlisted`` every name that no image asks for goes, unless a pattern of ``protect`` (shell wildcards,
    against the full or the familiar name) matches it. ``in_use`` says what becomes of an image that should go while
    containers use it: the task fails, the image keeps its names, or it loses its names and stays for the containers.
    With ``prunes`` nameless images go along that only the removed image was built on. ``pins`` say what names mean.
    """

    images: tuple[DesiredImage, ...]
    removes_unlisted: bool = False
    protect: tuple[str, ...] = ()
    in_use: InUse = "fail"
    prunes: bool = True
    pins: Pins | None = None

    @property
    def removes_any(self) -> bool:
        """Whether anything may go."""
        return self.removes_unlisted or not all(item.is_present for item in self.images)
