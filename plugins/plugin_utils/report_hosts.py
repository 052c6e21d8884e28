# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host of a report: what each image there is compared with what it must be, and what nobody asked for."""

from __future__ import annotations

import typing as t

from ..module_utils.plan.patterns import is_match
from .report_held import read_held
from .report_wanted import Expected, Unjudged, expected_on

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..module_utils.model.platform import Platform
    from .report_held import Held, HeldImages
    from .report_wanted import Declared, Wanted

    Row = dict[str, t.Any]

#: What can be said of an image on a host, and of what nobody asked for.
CLASSES: t.Final = (
    *("verified", "missing", "tag-moved", "digest-differs"),
    *("wrong-platform", "in-use-older", "corrupt", "failed"),
)
EXTRA_CLASSES: t.Final = ("extra", "dangling")
STATES: t.Final = ("verified", "drift", "failed", "unreachable")


def host_row(host: str, result: Mapping[str, t.Any] | None, *, declared: Declared) -> Row:
    """Return the row of a report for ``host``, of which ``result`` came back: image_info's, a failure's, or nothing.

    Raises:
        InputError: the result is none of these.
    """
    row: Row = {"host": host, "state": "", "engine": "", "platform": "", "root": "", "elapsed": 0.0}
    row.update(error=None, cells={}, extra=[])
    if not result or result.get("unreachable"):
        told = dict(result or {"msg": "nothing came back from this host"})
        return {**row, "state": "unreachable", "error": _error(told, code="unreachable")}
    if result.get("failed"):
        return {**row, "state": "failed", "error": _error(result, code="task-failed")}
    held = read_held(result)
    judged = [
        (image, expected_on(image, declared, platform=held.platform, remotes=held.remotes)) for image in declared.images
    ]
    cells, taken = _cells(judged, held)
    row.update(engine=held.engine, platform=str(held.platform), elapsed=held.elapsed, cells=cells)
    row["extra"] = _extra(held, declared=declared, taken=taken)
    return {**row, "state": _state(row)}


def is_drift(extra: Mapping[str, t.Any]) -> bool:
    """Tell whether a row of ``extra`` is something that must go."""
    return bool(extra["drift"])


def _state(row: Row) -> str:
    found = {cell["class"] for cell in row["cells"].values()}
    if "failed" in found:
        return "failed"
    return "drift" if found - {"verified"} or any(map(is_drift, row["extra"])) else "verified"


def _error(result: Mapping[str, t.Any], *, code: str) -> Row:
    error = result.get("error")
    told: Mapping[str, t.Any] = error if isinstance(error, dict) else {}
    words = ": ".join(str(told[key]) for key in ("what", "why") if told.get(key))  # msg has the remedy, too
    return {
        "code": str(told.get("code") or code),
        "msg": words or str(result.get("msg") or ""),
        "fix": str(told.get("fix") or ""),
    }


def _cells(judged: Sequence[tuple[Wanted, Expected | Unjudged]], held: HeldImages) -> tuple[dict[str, Row], set[int]]:
    """Return a cell for each image, and the numbers of the held images that these speak of."""
    cells: dict[str, Row] = {}
    taken: set[int] = set()
    there = {}
    for wanted, expected in judged:
        found = _found(wanted, expected, held=held)
        there[wanted.column] = found
        is_right = found is not None and isinstance(expected, Expected) and found.is_what(expected)
        taken |= {held.images.index(found)} if found is not None and is_right else set()
    older = [at for at, image in enumerate(held.images) if image.used_by and image.is_dangling and at not in taken]
    for wanted, expected in judged:
        own = {name.repository for name in wanted.names}
        users = [at for at in older if any(name.repository in own for name in held.images[at].names)]
        used_by = sorted({user for at in users for user in held.images[at].used_by})
        found = there[wanted.column]
        kind, why = _judge(found, expected, platform=wanted.platform or held.platform, held=held, used_by=used_by)
        taken |= set(users) if kind == "in-use-older" else set()
        cells[wanted.column] = _cell(kind, why, found=found, expected=expected)
    return cells, taken


def _found(wanted: Wanted, expected: Expected | Unjudged, *, held: HeldImages) -> Held | None:
    """Return what the name of ``wanted`` points at: of several images of one index the right one, else the host's."""
    images = next(filter(None, map(held.named, wanted.names)), [])
    platform = wanted.platform or held.platform

    def fitness(image: Held) -> tuple[bool, bool]:
        is_right = isinstance(expected, Expected) and image.is_what(expected)
        return is_right, image.platform is not None and image.platform.satisfies(platform)

    return max(images, key=fitness, default=None)


def _judge(
    found: Held | None, expected: Expected | Unjudged, *, platform: Platform, held: HeldImages, used_by: Sequence[str]
) -> tuple[str, str]:
    """Return class and cause for one image."""
    if isinstance(expected, Unjudged):
        return "failed", expected.why
    is_told = expected.basis != ""
    if found is None:
        is_nameless = is_told and any(image.is_what(expected) for image in held.images)
        why = "its bytes are there, and not its name" if is_nameless else "the host has no image of this name"
        return "missing", why
    is_foreign = found.platform is not None and not found.platform.satisfies(platform)
    if found.is_what(expected):
        if found.damages or not found.is_complete:
            return "corrupt", "; ".join(found.damages) or "parts of it are missing in the store"
        if is_foreign and expected.basis != "lock":
            return "wrong-platform", f"it is for {found.platform}, and {platform} is wanted"
        if used_by:
            return "in-use-older", f"an older image of this name is in use by {', '.join(used_by)}"
        return "verified", "" if is_told else "it is there; nothing says which bytes it must have"
    if is_foreign or not found.digests.isdisjoint(expected.siblings):
        return "wrong-platform", f"it is for {found.platform or 'another platform'}, and {platform} is wanted"
    if expected.basis == "registry":
        return "tag-moved", "the tag means other bytes at its registry now"
    if any(image.is_what(expected) for image in held.images):
        return "tag-moved", "the name points at other bytes; the right ones are there"
    return "digest-differs", f"the name points at other bytes than the {expected.basis} says"


def _cell(kind: str, why: str, *, found: Held | None, expected: Expected | Unjudged) -> Row:
    digests = dict.fromkeys(("manifest", "config", "index"), "")
    if found is not None and kind != "corrupt":  # its bytes are not those of its digests, and roots must tell that
        known = found.identity
        digests = {
            "manifest": str(known.manifest_digest or ""),
            "config": str(known.config_digest or ""),
            "index": str(known.index_digest or ""),
        }
    locked = expected.identity if isinstance(expected, Expected) else None
    if locked is not None and kind in ("verified", "in-use-older"):  # what an engine does not tell, the lock does
        told = {"manifest": locked.manifest_digest, "config": locked.config_digest, "index": locked.index_digest}
        digests = {key: str(told[key] or digests[key]) for key in digests}
    return {
        "class": kind,
        "wanted": str((expected.digest if isinstance(expected, Expected) else None) or ""),
        "found": str((found.identity.digest if found is not None else None) or ""),
        "why": why,
        "bytes": found.size if found is not None else 0,
        **digests,
    }


def _extra(held: HeldImages, *, declared: Declared, taken: set[int]) -> list[Row]:
    """Return a row for each name that nobody asked for, and for each image that has none."""
    rows: list[Row] = []
    asked = declared.names
    for at, image in enumerate(held.images):
        users, digest = list(image.used_by), str(image.identity.digest or "")
        if image.is_dangling:
            is_kept = any(is_match(name, pattern) for name in image.names for pattern in declared.protect)
            if at not in taken and not any(name in asked for name in image.names):
                first = str(image.names[0]) if image.names else ""
                rows.append(_unasked(first, digest, kind="dangling", users=users, size=image.size))
                rows[-1]["drift"] = declared.removes_unlisted and not is_kept
            continue
        unasked = [name for name in image.names if name.tag is not None and name not in asked]
        size = image.size if not any(name in asked for name in image.names) else 0
        for name in unasked:
            rows.append(_unasked(str(name), digest, kind="extra", users=users, size=size))
            is_kept = any(is_match(name, pattern) for pattern in declared.protect)
            rows[-1]["drift"] = name in declared.absent or (declared.removes_unlisted and not is_kept)
            size = 0
    return _merged(rows)


def _merged(rows: Sequence[Row]) -> list[Row]:
    """Return ``rows`` sorted, each name and digest once: an index with several images on a host is one of these."""
    found: dict[tuple[str, str], Row] = {}
    for row in sorted(rows, key=lambda row: (row["name"], row["digest"])):
        known = found.setdefault((row["name"], row["digest"]), row)
        if known is not row:
            known["bytes"] += row["bytes"]
            known["used_by"] = sorted({*known["used_by"], *row["used_by"]})
    return list(found.values())


def _unasked(name: str, digest: str, *, kind: str, users: list[str], size: int) -> Row:
    return {"name": name, "digest": digest, "class": kind, "used_by": users, "bytes": size, "drift": False}
