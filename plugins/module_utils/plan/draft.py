# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan in the making: each method adds one kind of action and follows it in the world.

Actions are compiled with the first of them: most tasks have none.
"""

from __future__ import annotations

import typing as t

from ..model.host import Identity
from .plan import Plan, Row
from .world import Held, Pending, World

if t.TYPE_CHECKING:
    from ..model.digest import Digest
    from ..model.errors import ImagesError
    from ..model.host import Observed
    from ..model.output import Output
    from ..model.reference import Reference
    from ..model.resolved import Resolved
    from .actions import Action, Untag
    from .desired import DesiredBuild

_PENDING_TEXT = "(built in this run)"
_MADE_ANEW_TEXT = "(the engine makes its manifest)"
_MOST_MOUNTS = 2  # repositories; each that does not hold a blob costs a request for it


class _Basics(t.NamedTuple):
    """The fields that all actions have, in their order."""

    id: int
    reference: Reference
    cause: str
    needs: tuple[int, ...]
    digest: Digest | None
    previous_digest: Digest | None
    before: str
    after: str
    size: int = 0


class Told(t.NamedTuple):
    """What the diff tells behind the digests where they stay: a platform, or damage."""

    before: str = ""
    after: str = ""


class Draft:
    """Actions planned so far, the world they lead to, and the problems that forbid the plan."""

    def __init__(self, observed: Observed, *, prunes: bool = True) -> None:
        """Start with the host as ``observed`` and nothing to do; ``prunes`` is what Desired says."""
        self.observed = observed
        self._prunes = prunes
        self.world = World(observed)
        self.actions: list[Action] = []
        self.leftovers: list[Untag] = []
        self.rows: list[Row] = []
        self.warnings: list[str] = []
        self.problems: dict[str, ImagesError] = {}
        self.made: set[Reference] = set()  # names that items planned so far surely put on the host
        self.claims: dict[Reference, str] = {}  # names that must stay, and the path of the item that says so
        self._before: dict[str, str] = {}
        self._after: dict[str, str] = {}

    def pull(self, name: Reference, *, resolved: Resolved, cause: str, told: Told = Told()) -> Held:  # noqa: B008
        """Plan to fetch ``resolved`` (its manifest is known) and to name it; return what the name then holds."""
        from .actions import Pull

        manifest, identity = resolved.manifest, resolved.identity
        if manifest is None:
            raise TypeError(f"{name} is pulled although its manifest was not asked for")
        abilities = self.observed.abilities
        image_id = identity.config_digest if abilities.ids == "config" else identity.digest
        target = Held(identity, str(image_id or ""), manifest.size, self._next_id)
        beside = name.with_digest(resolved.descriptor.digest) if abilities.pins_by_pull else None
        size = self.world.fetch(manifest.blobs())
        basics = self._naming(name, target, cause=cause, size=size, told=told, beside=beside)
        self.actions.append(Pull(*basics, resolved=resolved))
        return target

    def build(self, name: Reference, *, build: DesiredBuild, cause: str) -> Held:
        """Plan to build an image and to name it, after what it starts from; return what the name then holds."""
        from .actions import Build

        target = Held(Pending(self._next_id), made_by=self._next_id)
        needs = sorted({self.world.names[base].made_by for base in build.bases if base in self.world.names} - {0})
        self.actions.append(Build(*self._naming(name, target, cause=cause, needs=tuple(needs)), build=build))
        return target

    def tag(self, name: Reference, *, source: Held, cause: str) -> None:
        """Plan to put ``name`` on what ``source`` holds."""
        from .actions import Tag

        target = source._replace(made_by=self._next_id)
        basics = self._naming(name, target, cause=cause, needs=_needs(source))
        self.actions.append(Tag(*basics, source=source.identity))

    def untag(self, name: Reference, *, cause: str) -> None:
        """Plan to remove ``name``, which the host has; the image goes with its last name, unless something needs it."""
        self._note(str(name), before=shown(self.world.names[name]), after="")
        self.actions.append(self._removal(name, cause=cause))

    def leave(self, name: Reference) -> None:
        """Plan to remove the digest ``name``, which a tag that moves leaves behind; no further action may follow."""
        self.leftovers.append(self._removal(name, cause="left behind"))

    def push(self, name: Reference, *, source: Held, remote: Identity | None, cause: str) -> None:
        """Plan to make ``name`` at its registry, which points at ``remote``, point at what ``source`` holds."""
        from .actions import Push

        is_exact, digest, size = self.observed.abilities.sends_exact, None, 0
        if isinstance(source.identity, Identity) and is_exact:
            index = self.observed.whole_index(source.identity)
            digest = index or source.identity.manifest_digest
            size = self.observed.whole[index] if index is not None else source.size
        previous = remote.digest if remote is not None else None
        pending = _MADE_ANEW_TEXT if isinstance(source.identity, Identity) else _PENDING_TEXT
        before, after = str(previous or ""), str(digest or "")
        self._note(f"{name} (registry)", before=before, after=after or pending)
        basics = _Basics(self._next_id, name, cause, _needs(source), digest, previous, before, after, size)
        same = (other for other, target in self.world.names.items() if target.is_same_image(source.identity))
        paths = {other.path for other in same if other.registry == name.registry and other.path != name.path}
        self.actions.append(Push(*basics, source=source.identity, mount_from=tuple(sorted(paths)[:_MOST_MOUNTS])))

    def write(
        self, name: Reference, *, output: Output, source: Held, former: Held | None, note: str, cause: str
    ) -> None:
        """Plan to write what ``source`` holds to ``output``, which holds ``former``; ``note`` tells more of that."""
        from .outputs import Write

        before, after = shown(former) + note, shown(source)
        self._note(f"{output.dest} ({output.form})", before=before, after=after or _PENDING_TEXT)
        digests = digest_of(source), digest_of(former)
        basics = _Basics(self._next_id, name, cause, _needs(source), *digests, before, after)
        self.actions.append(Write(*basics, source=source.identity, output=output))

    def row(
        self, name: str, *, target: Held | None, first: int, cause: str, previous: Digest | None = None
    ) -> Row:
        """Return the row of one wanted image, whose actions are those from place ``first`` on."""
        actions = self.actions[first:]
        return Row(
            name,
            actions[0].kind if actions else "none",
            actions[0].cause if actions else cause,
            tuple(action.id for action in actions),
            target.image_id if target is not None else "",
            digest_of(target),
            previous,
            sum(action.size for action in actions),
            target.identity.made_by if target is not None and isinstance(target.identity, Pending) else 0,
        )

    def row_with(self, row: Row, action: Action) -> Row:
        """Return ``row`` with one more action."""
        if not row.action_ids:
            row = row._replace(action=action.kind, cause=action.cause)
        return row._replace(action_ids=(*row.action_ids, action.id), size=row.size + action.size)

    def finished(self) -> Plan:
        """Return the plan."""
        return Plan(
            tuple(self.actions),
            tuple(self.rows),
            tuple(self.warnings),
            self._before,
            self._after,
            tuple(self.leftovers),
        )

    @property
    def _next_id(self) -> int:
        return len(self.actions) + len(self.leftovers) + 1

    def _removal(self, name: Reference, *, cause: str) -> Untag:
        from .actions import Untag

        target = self.world.remove(name)
        is_last = not self.world.is_named(target)
        deletes = self.world.drop(target, prunes=self._prunes) if is_last else ()
        basics = _Basics(self._next_id, name, cause, _needs(target), None, digest_of(target), shown(target), "")
        is_used = is_last and bool(self.world.users(target))
        return Untag(*basics, deletes=deletes, is_used=is_used, prunes=self._prunes)

    def _naming(
        self,
        name: Reference,
        target: Held,
        *,
        cause: str,
        needs: tuple[int, ...] = (),
        size: int = 0,
        told: Told = Told(),  # noqa: B008 (immutable)
        beside: Reference | None = None,
    ) -> _Basics:
        """Let ``name`` point at ``target`` in the world; return the basics of the action that does it."""
        former = self.world.names.get(name)
        before, after = shown(former), shown(target)
        self._note(str(name), before=before and before + told.before, after=f"{after or _PENDING_TEXT}{told.after}")
        self.world.put(name, target, beside=beside)
        return _Basics(self._next_id, name, cause, needs, digest_of(target), digest_of(former), before, after, size)

    def _note(self, name: str, *, before: str, after: str) -> None:
        """Keep what ``name`` pointed at before the first and after the last change of it; empty: there is no such."""
        if before and name not in self._after:
            self._before.setdefault(name, before)
        if after:
            self._after[name] = after
        else:
            self._after.pop(name, None)


def digest_of(target: Held | None) -> Digest | None:
    """Return the digest of what a name holds; None for nothing, or when it is not known yet."""
    return target.identity.digest if target is not None and isinstance(target.identity, Identity) else None


def shown(target: Held | None) -> str:
    """Return what people are told a name holds; empty for nothing, or when it is not known yet."""
    if target is None or not isinstance(target.identity, Identity):
        return ""
    return str(target.identity.digest or f"image {target.identity.config_digest or target.image_id}")


def _needs(source: Held) -> tuple[int, ...]:
    return (source.made_by,) if source.made_by else ()
