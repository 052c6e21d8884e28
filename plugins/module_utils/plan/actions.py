# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The actions a plan is made of. Each says why it is needed and what it waits for; none decides anything later."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

if t.TYPE_CHECKING:
    from ..model.digest import Digest
    from ..model.host import Identity
    from ..model.reference import Reference
    from ..model.resolved import Resolved
    from .desired import DesiredBuild
    from .world import Pending


@dataclass(frozen=True)
class Action:
    """One change of one name, on the host or (push) at its registry.

    ``digest`` is what the name points at afterwards, ``previous_digest`` what it points at before: None without such a
    name, or when no registry's digest is known for that. ``before`` and ``after`` say the same to people: an image that
    no registry knows is told by its ID; empty without such a name, or when that is not known yet. ``size`` is bytes
    that move over the network, at most, or 0 if not known. ``needs`` are ids of actions that must be done before.
    """

    kind: t.ClassVar[str] = ""

    id: int
    reference: Reference
    cause: str
    needs: tuple[int, ...]
    digest: Digest | None
    previous_digest: Digest | None
    before: str
    after: str
    size: int

    @property
    def where(self) -> str:
        """What people are told behind the name: empty but for an image that goes to a file or folder."""
        return ""

    def to_json(self) -> dict[str, t.Any]:
        """Return the row that a task reports; digests as text, empty when there is none."""
        return {
            "id": self.id,
            "action": self.kind,
            "image": str(self.reference),
            "digest": str(self.digest or ""),
            "previous_digest": str(self.previous_digest or ""),
            "bytes": self.size,
            "cause": self.cause,
            "needs": list(self.needs),
        }


@dataclass(frozen=True)
class Pull(Action):
    """Fetch what the host lacks of ``resolved`` (its manifest is known) and name it."""

    kind: t.ClassVar[str] = "pull"

    resolved: Resolved


@dataclass(frozen=True)
class Build(Action):
    """Build an image and name it."""

    kind: t.ClassVar[str] = "build"

    build: DesiredBuild

    def to_json(self) -> dict[str, t.Any]:
        """Return the row that a task reports, with what builds."""
        return {**super().to_json(), "builder": self.build.builder}


@dataclass(frozen=True)
class Tag(Action):
    """Put a further name on ``source``, which the host holds by then."""

    kind: t.ClassVar[str] = "tag"

    source: Identity | Pending


@dataclass(frozen=True)
class Untag(Action):
    """Remove a name. The bytes go with the image's last name, when nothing else needs them.

    ``deletes`` are the IDs of the images that go with the name: the image itself, then nameless ones that only it was
    built on. ``is_used``: containers use the image, and the name goes nonetheless.
    """

    kind: t.ClassVar[str] = "untag"

    deletes: tuple[str, ...]
    is_used: bool = False
    prunes: bool = True


@dataclass(frozen=True)
class Push(Action):
    """Make the name at its registry point at ``source``, which the host holds by then.

    ``digest`` is None when the engine makes the manifest anew, and only the registry can tell it afterwards.
    ``mount_from`` are paths at that registry whose repositories likely hold its blobs: the host has it by these names.
    """

    kind: t.ClassVar[str] = "push"

    source: Identity | Pending
    mount_from: tuple[str, ...] = ()
