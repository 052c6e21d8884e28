# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine is told to build: the same for all that build in containers."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .digest import Digest
    from .host import Identity
    from .platform import Platform
    from .reference import Reference


class Secret(t.NamedTuple):
    """What steps may read under ``/run/secrets/ID`` while they run. Its value is in no repr, key, layer or argument."""

    id: str
    value: bytes

    def __repr__(self) -> str:
        """Return the ID alone."""
        return f"Secret(id={self.id!r}, …)"


class BuildOrder(t.NamedTuple):
    """How to build the context that goes with it.

    ``dockerfile`` is the name of the Dockerfile in that context; every image it starts or copies from is pinned in it,
    or on the host under the name it uses. ``labels`` hold the key of the inputs. ``network`` empty, ``shm_size`` 0:
    the engine's own way. ``cache_from`` are references. ``syntax`` is the image that BuildKit reads the Dockerfile
    with, and words for it. ``needs_buildkit``: the Dockerfile has what Docker's classic builder does not know, such as
    ``RUN --mount`` and heredocs. ``takes_dockerfile``: a step takes so much of the context that the Dockerfile in it
    would go along. ``has_heredocs``: a needed stage has some. ``deadline``: how many seconds it may take; None is no
    end. The result has no name.
    """

    dockerfile: str
    platform: Platform | None = None
    args: Mapping[str, str] = {}
    target: str = ""
    labels: Mapping[str, str] = {}
    network: str = ""
    squash: bool = False
    shm_size: int = 0
    etc_hosts: Mapping[str, str] = {}
    cache_from: tuple[str, ...] = ()
    syntax: str = ""
    is_cached: bool = True
    secrets: tuple[Secret, ...] = ()
    needs_buildkit: bool = False
    takes_dockerfile: bool = False
    has_heredocs: bool = False
    deadline: float | None = None


class Context(t.Protocol):
    """The context of a build."""

    def __call__(self, *, hidden_by: str) -> Iterable[bytes]:
        """Return its tar anew, with the Dockerfile in it.

        ``hidden_by`` is the ignore file that its reader heeds, which hides what was added and is as it was otherwise.
        "": there is none, and nothing but the Dockerfile was added. The other files are what they are in the context.
        """


class Built(t.NamedTuple):
    """An image that an engine built, nameless, and what built it in the words people know (``BuildKit``).

    ``at_registry``: the names at registries that point at it already, because another host put it there.
    """

    identity: Identity
    builder: str
    at_registry: Mapping[Reference, Digest] = {}
