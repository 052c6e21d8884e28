# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of ``image_lock`` to what is to be locked. One InputError tells all problems."""

from __future__ import annotations

import re
import typing as t
from datetime import timedelta

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..model.platform import Platform
from ..plan.locking import Declared, unmatched
from .options import ITEM
from .reader import Reader

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.reference import Reference

    Params = Mapping[str, t.Any]

_AGE = re.compile(r"([0-9]{1,6})\s*([smhdw])")
_OLDEST = timedelta(days=36500)  # a sum with the time when an image was made stays a date
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class LockOrder(t.NamedTuple):
    """What is to be locked: each image once, builds' bases among them, and those that are looked up again.

    ``update`` is None when all are.
    """

    declared: tuple[Declared, ...]
    platforms: tuple[Platform, ...]
    least_age: timedelta | None
    update: tuple[str, ...] | None


def read_lock(params: Params) -> LockOrder:
    """Return what ``image_lock`` is to lock. Dockerfiles are read.

    Raises:
        InputError: the options are wrong; dockerfile-missing, dockerfile-syntax, unknown-target: a build's bases cannot
            be told. All problems of one kind are told at once.
        ImagesError: a build's context cannot be fetched.
    """
    reader = Reader(params)
    if params["verify"] or params["policy_file"]:
        from .signatures import rule_problems

        for problem in rule_problems(params):
            reader.problem(*problem[:2], fix=problem.fix)
    platforms = _platforms(reader, params["platforms"] or (), path="platforms")
    rows = _rows(reader, params["images"] or ())
    declared: list[Declared] = []
    builds: list[tuple[str, Params]] = []
    made: set[Reference] = set()
    for at, row in enumerate(rows):
        path = f"images[{at}]"
        if row["state"] != "present":
            continue
        names = reader.names(row["image"], f"{path}.image")
        if row["build"] is not None:
            builds.append((path, row))
            made |= {*names[:1], *reader.new_names(row["tags"], f"{path}.tags")}
        elif names:
            needed = _platforms(reader, [row["platform"]] if row["platform"] else [], path=f"{path}.platform")
            declared.append(Declared(path, str(row["image"]), names, needed))
    least_age = _age(reader, params["min_age"])
    reader.finish()
    if builds:
        from .lock_bases import bases_of

        declared += bases_of(builds, made=made, platforms=platforms, defaults=reader.defaults, params=params)
    update = tuple(params["update"]) if params["update"] is not None else None
    for at in unmatched(update or (), declared):
        told = f"{params['update'][at]!r} matches no image of the lock to be"
        reader.problem(f"update[{at}]", told, fix="write it like redis:7 or ghcr.io/team/*")
    reader.finish()
    return LockOrder(_once(declared), platforms, least_age, update)


def _rows(reader: Reader, rows: Sequence[Params]) -> list[Params]:
    """Return the entries with their defaults; the control node's action has checked them, and says what is wrong."""
    spec = {"images": {"type": "list", "elements": "dict", "options": ITEM}}
    checked = ArgumentSpecValidator(spec).validate({"images": list(rows)})
    for message in checked.error_messages:
        reader.problem("images", message)
    return [] if checked.error_messages else t.cast("list[Params]", checked.validated_parameters["images"])


def _platforms(reader: Reader, texts: Sequence[str], *, path: str) -> tuple[Platform, ...]:
    read = [reader.platform(str(text), f"{path}[{at}]" if len(texts) > 1 else path) for at, text in enumerate(texts)]
    return tuple(dict.fromkeys(platform for platform in read if platform is not None))


def _age(reader: Reader, text: str | None) -> timedelta | None:
    if not text:
        return None
    match = _AGE.fullmatch(text.strip())
    if match is None:
        reader.problem("min_age", f"{text!r} is no age", fix="write it like 7d, 36h or 90m")
        return None
    age = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if age > _OLDEST:
        reader.problem("min_age", f"{text!r} is longer than there have been images", fix="write it like 7d, 36h or 90m")
    return age


def _once(declared: Sequence[Declared]) -> tuple[Declared, ...]:
    """Return each image once, in their order, for all platforms that any of its entries needs."""
    found: dict[tuple[Reference, ...], Declared] = {}
    for each in declared:
        other = found.get(each.candidates, each)
        needed = tuple(dict.fromkeys((*other.platforms, *each.platforms)))
        found[each.candidates] = other._replace(platforms=needed)
    return tuple(found.values())
