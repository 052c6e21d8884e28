# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the options of a build, as far as they tell it themselves."""

from __future__ import annotations

import re
import typing as t

from ..model.errors import InputError, Problem
from ..model.reference import parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model.reference import Defaults

    Options = Mapping[str, t.Any]

_SECRET_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SOURCES = ("src", "env", "value")


def build_problems(options: Options, *, path: str, defaults: Defaults) -> list[Problem]:
    """Return all of it, in the order of the options; ``path`` stands before their names (``images[3].build.``).

    ``defaults`` complete short names.
    """
    return [problem._replace(path=path + problem.path) for problem in _problems(options, defaults)]


def _problems(options: Options, defaults: Defaults) -> Iterator[Problem]:
    if options["path"] is None and options["dockerfile_inline"] is None:
        yield Problem("path", "the build has no context", "set path to the folder with the Dockerfile")
    if options["dockerfile"] is not None and options["dockerfile_inline"] is not None:
        yield Problem("dockerfile", "dockerfile_inline is given too", "set one of the two")
    for name, address in (options["etc_hosts"] or {}).items():
        if not re.fullmatch(r"[^\s=:]+", str(name)) or not re.fullmatch(r"\S+", str(address or "")):
            told = f"{name!r}: {address!r} is no name with its address"
            yield Problem("etc_hosts", told, "write it like db: 10.0.0.5")
    yield from _size_problems(options["shm_size"])
    yield from _secret_problems(options["secrets"] or ())
    for at, text in enumerate(options["cache_from"] or ()):
        try:
            parse_reference(str(text), defaults)
        except InputError as error:
            yield Problem(f"cache_from[{at}]", error.what, error.fix)


def _size_problems(text: str | None) -> Iterator[Problem]:
    from .sizes import parse_size

    try:
        if text and parse_size(text) <= 0:
            yield Problem("shm_size", f"{text} is too little", "write it like 64MiB")
    except InputError as error:
        yield Problem("shm_size", error.what, error.fix)


def _secret_problems(rows: t.Iterable[Options]) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, row in enumerate(rows):
        path, identifier = f"secrets[{at}]", row["id"]
        if not _SECRET_ID.fullmatch(identifier):
            yield Problem(f"{path}.id", f"{identifier!r} is no ID", "use letters, digits, '_', '.' and '-'")
        if identifier in seen:
            yield Problem(f"{path}.id", f"{identifier!r} is there twice", "give each secret an ID of its own")
        seen.add(identifier)
        given = [name for name in _SOURCES if row[name] is not None]
        if len(given) != 1:
            told = f"{' and '.join(given)} are given" if given else "it is not said where it comes from"
            yield Problem(path, told, "set one of src, env and value")
