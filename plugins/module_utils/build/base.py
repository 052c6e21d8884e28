# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every part of a build speaks of: the order, the bases, the places content comes from and goes to, problems."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError, Problem

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.image_config import ImageConfig
    from ..model.manifest import Manifest
    from ..model.platform import Platform
    from ..wire.streams import OpenAt, ReadStream


class BlobSource(t.Protocol):
    """Where the layers of a base image are read from. Every content store is one."""

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """Return the bytes of a blob from ``offset``; the caller closes."""


class BlobSink(t.Protocol):
    """Where a built image goes. Every content store is one."""

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the bytes of ``descriptor`` are here."""

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        """Publish the bytes that ``open_at`` yields, atomically, if they match digest and size."""

    def put_manifest(self, raw: bytes, descriptor: Descriptor) -> None:
        """Publish a manifest by digest; its config and layers are here."""


class BuildSpec(t.NamedTuple):
    """What is to be built. ``context`` is a folder; ``dockerfile`` is relative to it or absolute.

    ``dockerfile_inline`` holds a Dockerfile's text and wins over ``dockerfile``. ``source_date_epoch`` is in seconds:
    the time of everything that is built, and the upper bound of the times in copied archives. ``is_native``: without
    containers; only then are RUN and whatever else needs one refused, and the fields from ``network`` on are for
    engines: their words, ``shm_size`` in bytes, ``secret_ids`` without values. In ``cache_folder`` is remembered what
    contexts held ("": nowhere); it may be deleted at any time, and need not be there. ``remembered_as``: the path that
    is meant there, where contents of one origin lie in a folder each ("": ``context``).
    """

    context: str
    platform: Platform
    dockerfile: str = "Dockerfile"
    dockerfile_inline: str = ""
    args: Mapping[str, str] = {}
    target: str = ""
    labels: Mapping[str, str] = {}
    source_date_epoch: int = 0
    network: str = ""
    squash: bool = False
    shm_size: int = 0
    etc_hosts: Mapping[str, str] = {}
    secret_ids: tuple[str, ...] = ()
    is_native: bool = True
    cache_folder: str = ""
    remembered_as: str = ""


class Base(t.NamedTuple):
    """An image that a build starts from or copies from: its reference, variables replaced, and for which host."""

    reference: str
    platform: Platform


class BaseImage(t.NamedTuple):
    """A base, resolved. ``digest`` is what the reference resolved to (that of the index, where there is one)."""

    digest: Digest
    manifest: Manifest
    config: ImageConfig
    source: BlobSource


class BuildProblem(t.NamedTuple):
    """One thing wrong with the input of a build: its error code, where (``Dockerfile:3``), what, an accepted form."""

    code: str
    where: str
    what: str
    fix: str = ""


def problems_error(problems: Sequence[BuildProblem]) -> InputError:
    """Return the one error that tells all ``problems`` (at least one); its code is that of the first."""
    error = InputError.of([Problem(problem.where, problem.what, problem.fix) for problem in problems])
    error.code = problems[0].code
    return error
