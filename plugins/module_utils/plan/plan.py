# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan: the actions that bring a host from what it holds to what is wanted, and how it shows itself."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.digest import Digest
    from ..model.reference import Reference
    from .actions import Action, Untag

_SHORT = 12  # characters of a digest, as engines show them
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class Row(t.NamedTuple):
    """What the plan means for one wanted image: ``action`` is the first of ``action_ids``' kinds, or "none".

    ``pending`` is the action that will tell the digest, 0 when it is known.
    """

    name: str
    action: str
    cause: str
    action_ids: tuple[int, ...] = ()
    image_id: str = ""
    digest: Digest | None = None
    previous_digest: Digest | None = None
    size: int = 0
    pending: int = 0

    def to_json(self) -> dict[str, t.Any]:
        """Return the row of ``images[]`` that a task reports."""
        return {
            "name": self.name,
            "id": self.image_id,
            "digest": str(self.digest or ""),
            "previous_digest": str(self.previous_digest or ""),
            "changed": bool(self.action_ids),
            "action": self.action,
            "cause": self.cause,
            "bytes": self.size,
        }


class Plan(t.NamedTuple):
    """Actions in an order that respects their needs; a row for each wanted image; what the user should know.

    ``leftovers`` are digests that engines keep as names of images whose tags move: they go after all actions, as what
    no name leads to does on engines that keep none. Nobody wrote these names, so they are no actions of their own.
    ``frees`` are bytes on disk, at most, where that is what the plan is for.

    ``names_before`` and ``names_after`` map the names that change, here and (``push``) at registries, to what they
    point at: a digest, "image" and its ID where no registry's digest is known, or "(built in this run)".
    """

    actions: tuple[Action, ...]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...] = ()
    names_before: Mapping[str, str] = {}
    names_after: Mapping[str, str] = {}
    leftovers: tuple[Untag, ...] = ()
    frees: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the host is as wanted already."""
        return not self.actions

    @property
    def size(self) -> int:
        """Bytes to move, at most."""
        return sum(action.size for action in self.actions)

    @property
    def untagged(self) -> tuple[Reference, ...]:
        """Names that go."""
        return tuple(action.reference for action in self.actions if action.kind == "untag")

    @property
    def deleted(self) -> tuple[str, ...]:
        """IDs of the images that go."""
        return tuple(image_id for action in self.actions for image_id in getattr(action, "deletes", ()))

    def text(self) -> str:
        """Return the plan as people read it: a line in all, then a line for each action."""
        if self.is_empty:
            return "Nothing to do.\n"
        counts: dict[str, int] = {}
        for action in self.actions:
            counts[action.kind] = counts.get(action.kind, 0) + 1
        summary = ", ".join(f"{count} to {kind}" for kind, count in counts.items())
        width = max(len(action.reference.familiar + action.where) for action in self.actions)
        lines = [_line(action, width=width) for action in self.actions]
        size = f"{size_text(self.frees)} to free at most" if self.frees else f"{size_text(self.size)} to move"
        return "\n".join([f"Plan: {summary}; {size}.", *lines, ""])

    def diff(self) -> dict[str, str]:
        """Return what ``--diff`` shows: the names that change with their digests before and after, and the plan."""
        if self.is_empty:
            return {"before": "", "after": ""}
        return {
            "before_header": "image names",
            "before": _listing(self.names_before),
            "after_header": "image names",
            "after": _listing(self.names_after),
            "prepared": self.text(),
        }


def size_text(size: int) -> str:
    """Return a number of bytes as people read it: ``12.4 MiB``."""
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def _line(action: Action, *, width: int) -> str:
    before, after = _short(action.before), _short(action.after) or "(new)"
    if action.kind in ("untag", "drop", "clear"):
        sign, change = "-", before
    elif before:
        sign, change = "~", f"{before} -> {after}"
    else:
        sign, change = "+", after
    size = f"{size_text(action.size)}, " if action.size else ""
    name = action.reference.familiar + action.where
    return f"  {sign} {action.kind:<5} {name:<{width}}  {change}  ({size}{action.cause})"


def _short(told: str) -> str:
    head, colon, encoded = told.rpartition(":")
    return f"{head}{colon}{encoded[:_SHORT]}"


def _listing(names: Mapping[str, str]) -> str:
    return "".join(f"{name} {target}\n" for name, target in sorted(names.items()))
