# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the lock that is there and what registries have to the lock that is wanted, and how the change shows itself."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase

from ..model.lock import Lock, LockedImage
from ..model.reference import parse_reference
from .plan import size_text

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..model.digest import Digest
    from ..model.platform import Platform
    from ..model.reference import Reference

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_FIRST_IMAGES = datetime(2013, 3, 1, tzinfo=timezone.utc)  # reproducible builds write 1970 or 0001: no age at all
_SKEW = timedelta(days=1)  # clocks are wrong by hours; what was made later than that says nothing true
_SHORT = 12  # characters of a digest, as engines show them


class Declared(t.NamedTuple):
    """An image that the lock must have: what the user wrote and where, and what it may mean, best first.

    ``platforms`` are those that this image must exist for, beside those that are wanted of all images.
    """

    path: str
    text: str
    candidates: tuple[Reference, ...]
    platforms: tuple[Platform, ...] = ()

    def is_matched_by(self, pattern: str) -> bool:
        """Tell whether ``pattern`` is what the user wrote, or matches the full or familiar name (shell wildcards)."""
        names = {name for each in self.candidates for name in (str(each), each.familiar, str(each.without_digest()))}
        return pattern == self.text or any(fnmatchcase(name, pattern) for name in names)


class Found(t.NamedTuple):
    """What one declared image means now: its full name, the wanted entry, and why.

    ``added`` are the bytes that a host which holds all of the lock before has to fetch, at most. ``is_held``: the
    registry has a newer one, and the entry stays for now.
    """

    reference: Reference
    image: LockedImage
    added: int = 0
    is_held: bool = False
    cause: str = ""


class LockRow(t.NamedTuple):
    """What becomes of one entry. Sizes are those of the largest of its platforms: what a host fetches at most."""

    reference: Reference
    action: t.Literal["add", "update", "keep", "held", "drop"]
    cause: str
    image: LockedImage | None = None
    previous: LockedImage | None = None
    added: int = 0

    @property
    def is_verified_anew(self) -> bool:
        """An entry is held back, and other keys verified it than before."""
        return self.action == "held" and self.image != self.previous

    def to_json(self) -> dict[str, t.Any]:
        """Return the row of ``images[]`` that a task reports."""
        return {
            "reference": str(self.reference),
            "digest": str(self.image.digest) if self.image is not None else "",
            "previous_digest": str(self.previous.digest) if self.previous is not None else "",
            "action": self.action,
            "cause": self.cause,
            "platforms": sorted(self.image.platforms) if self.image is not None else [],
            "bytes": _largest(self.image),
            "previous_bytes": _largest(self.previous),
            "added_bytes": self.added,
        }


class LockPlan(t.NamedTuple):
    """The lock that is wanted, and a row for each entry that it has or loses, by name."""

    lock: Lock
    rows: tuple[LockRow, ...]

    @property
    def changes(self) -> list[LockRow]:
        """The rows of entries that are not as before."""
        return [row for row in self.rows if row.action in ("add", "update", "drop") or row.is_verified_anew]

    def text(self) -> str:
        """Return the plan as people read it: a line in all, then a line for each entry that changes or is held."""
        shown = [row for row in self.rows if row.action != "keep"]
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.action] = counts.get(row.action, 0) + 1
        summary = ", ".join(f"{count} {_VERBS[kind]}" for kind, count in sorted(counts.items()))
        width = max((len(row.reference.familiar) for row in shown), default=0)
        return "\n".join([f"Lock: {summary or 'no images'}.", *(_line(row, width=width) for row in shown), ""])

    def diff(self, path: str) -> dict[str, str]:
        """Return what ``--diff`` shows of the file at ``path``, which changes."""
        return {
            "before_header": path,
            "before": _listing((row.reference, row.previous) for row in self.changes),
            "after_header": path,
            "after": _listing((row.reference, row.image) for row in self.changes),
            "prepared": self.text(),
        }


_VERBS = {"add": "to add", "update": "to update", "keep": "to keep", "held": "held back", "drop": "to drop"}
_SIGNS = {"add": "+", "update": "~", "held": "=", "drop": "-"}


def plan_lock(old: Lock, found: Iterable[Found]) -> LockPlan:
    """Return the lock of exactly the images that were ``found``, and what becomes of each entry of ``old``."""
    wanted = {str(each.reference): each for each in found}
    rows = [_row(old.images.get(name), each) for name, each in wanted.items()]
    rows += (
        LockRow(parse_reference(name), "drop", "no longer declared", previous=image)
        for name, image in old.images.items()
        if name not in wanted
    )
    lock = Lock({name: wanted[name].image for name in sorted(wanted)})
    return LockPlan(lock, tuple(sorted(rows, key=lambda row: str(row.reference))))


def unmatched(patterns: Sequence[str], declared: Sequence[Declared]) -> list[int]:
    """Return the places of the ``patterns`` that match none of the images."""
    return [at for at, text in enumerate(patterns) if not any(each.is_matched_by(text) for each in declared)]


def added_bytes(layers: Mapping[Digest, int], *, rest: int, old: Lock) -> int:
    """Return what a host which holds all of ``old`` fetches: the layers of diff IDs that it lacks, and the ``rest``."""
    rows = (row for image in old.images.values() for row in image.platforms.values())
    held = {digest for row in rows for digest in row.diff_ids}
    return rest + sum(size for digest, size in layers.items() if digest not in held)


def hold_reason(moments: Sequence[datetime | None], *, least: timedelta, now: datetime) -> str:
    """Return why an image must wait until it is ``least`` old, or "" when it need not.

    ``moments`` are when its platforms were made; the youngest counts. An age that is not known is not enough.
    """
    known = [moment for moment in moments if moment is not None and _FIRST_IMAGES < moment <= now + _SKEW]
    if len(known) < len(moments) or not known:
        return "it does not say when it was made, so its age is not known"
    youngest = max(known)
    if now - youngest >= least:
        return ""
    return f"it was made {_told(youngest)} and is held until {_told(youngest + least)}"


def moment_of(text: str) -> datetime | None:
    """Return when ``text`` of an image's config says it was made, in UTC; None where it says nothing.

    Source: RFC 3339, section 5.6.
    """
    match = _MOMENT.fullmatch(text)
    try:
        return datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")) if match is not None else None
    except ValueError:  # the 31st of February
        return None


def _row(previous: LockedImage | None, each: Found) -> LockRow:
    if each.is_held:
        return LockRow(each.reference, "held", each.cause, each.image, previous)
    if previous is None:
        return LockRow(each.reference, "add", each.cause or "not in the lock", each.image, added=each.added)
    if previous.to_json() == each.image.to_json():
        return LockRow(each.reference, "keep", each.cause or "unchanged", each.image, previous)
    return LockRow(each.reference, "update", _change(previous, each.image), each.image, previous, each.added)


def _change(previous: LockedImage, image: LockedImage) -> str:
    """Return what is another in two entries of one name."""
    if previous.digest != image.digest:
        return "the tag moved"
    if set(previous.platforms) != set(image.platforms):
        more = [f"+{key}" for key in sorted(set(image.platforms) - set(previous.platforms))]
        less = [f"-{key}" for key in sorted(set(previous.platforms) - set(image.platforms))]
        return f"platforms: {', '.join(more + less)}"
    if sorted(previous.verified_by) != sorted(image.verified_by):
        return "verified by other keys" if image.verified_by else "its signatures are no longer verified"
    return "what the lock said of it was not so"


def _largest(image: LockedImage | None) -> int:
    return max((row.size for row in image.platforms.values()), default=0) if image is not None else 0


def _told(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _line(row: LockRow, *, width: int) -> str:
    before, after = _short(row.previous), _short(row.image)
    if row.action == "held":
        change = before
    elif before and after and before != after:
        change = f"{before} -> {after}"
    else:
        change = after or before
    size = f"adds {size_text(row.added)}, " if row.action in ("add", "update") else ""
    return f"  {_SIGNS[row.action]} {row.reference.familiar:<{width}}  {change}  ({size}{row.cause})"


def _short(image: LockedImage | None) -> str:
    return f"{image.digest.algorithm}:{image.digest.encoded[:_SHORT]}" if image is not None else ""


def _listing(entries: Iterable[tuple[Reference, LockedImage | None]]) -> str:
    shown = [(name, image, ", ".join(sorted(image.platforms))) for name, image in entries if image is not None]
    return "".join(f"{name} {image.digest} ({platforms})\n" for name, image, platforms in shown)
