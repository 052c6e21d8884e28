# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several files say of one image becomes one entry; where they contradict each other, both places are told."""

from __future__ import annotations

import typing as t

from ..module_utils.model.errors import InputError
from ..module_utils.model.platform import Platform
from ..module_utils.model.reference import Reference, parse_image

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..module_utils.model.reference import Defaults
    from .image_sources_base import Finding, Gathered, Item


class Merged(t.NamedTuple):
    """Entries for ``images[]``, and a row with all its places for each image."""

    images: list[Item]
    sources: list[Item]


def merge(gathered: Gathered, *, declared: Iterable[Mapping[str, t.Any]], defaults: Defaults) -> Merged:
    """Return an entry for each name that was found, less those in ``declared``; problems go to ``gathered``.

    A name with a digest and the same without one are one image, the one with the digest.
    """
    own = _declared_names(declared, defaults)
    entries: dict[str, tuple[Finding, dict[str, list[str]]]] = {}
    for finding in gathered.findings:
        name = _name(finding, gathered=gathered, defaults=defaults)
        if name is None:
            continue
        first, places = entries.setdefault(name, (finding, {}))
        places.setdefault(finding.place, [])
        if finding is not first and name not in own:
            entries[name] = first._replace(item=_united(first, finding, gathered=gathered)), places
    return Merged(
        [finding.item for name, (finding, _places) in entries.items() if name not in own],
        [{"image": finding.item["image"], "found": list(places)} for finding, places in entries.values()],
    )


def _declared_names(declared: Iterable[Mapping[str, t.Any]], defaults: Defaults) -> set[str]:
    """Return the names of the task's own entries; what is wrong with them, the module tells."""
    names = set()
    for row in declared:
        text = row.get("image") or row.get("name")
        if isinstance(text, str):
            try:
                names.add(_key(text, defaults))
            except InputError:
                continue
    return names


def _key(text: str, defaults: Defaults) -> str:
    image = parse_image(text, defaults)
    return str(image.without_digest()) if isinstance(image, Reference) else str(image)


def _name(finding: Finding, *, gathered: Gathered, defaults: Defaults) -> str | None:
    """Return the full name of what was found; None, and a problem, where it has none, or a platform that is none."""
    try:
        if finding.item.get("platform") and not finding.item.get("build"):
            Platform.parse(str(finding.item["platform"]))
        return _key(str(finding.item["image"]), defaults)
    except InputError as error:
        gathered.problem(finding.place, f"{error.what}: {error.why}", fix=error.fix)
        return None


def _united(first: Finding, other: Finding, *, gathered: Gathered) -> Item:
    """Return what both say; where they differ, that is a problem."""
    one, two = {"state": "present", **first.item}, {"state": "present", **other.item}
    united = {**two, **one}
    if "@" in two["image"] and "@" not in one["image"]:
        united["image"] = two["image"]
    for key in sorted(set(one) & set(two)):
        is_pin = key == "image" and not ("@" in one[key] and "@" in two[key])
        if not (is_pin or _same(one[key], two[key], key=key)):
            what = f"{key} is {_shown(two[key])}, and {_shown(one[key])} at {first.place}"
            gathered.problem(other.place, what, fix="let both say the same, or list the image in images[]")
    if "state" not in first.item and "state" not in other.item:
        del united["state"]
    return united


def _same(one: object, two: object, *, key: str) -> bool:
    if key == "image":
        return str(one).partition("@")[2] == str(two).partition("@")[2]
    if key == "platform" and "," not in f"{one}{two}":
        return Platform.parse(str(one)) == Platform.parse(str(two))
    return one == two


def _shown(value: object) -> str:
    """Return a value as a message has it; what options hold below them may be a secret."""
    return value if isinstance(value, str) else "something else" if isinstance(value, (dict, list)) else repr(value)
