# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mirrors as people declare them: read from variables, checked as a whole, and told apart by what serves them."""

from __future__ import annotations

import typing as t

from ..module_utils.model.errors import InputError, Problem
from ..module_utils.model.mirror import Mirror

#: What may serve a mirror. Two of them want more than the address alone: see the engines' files.
KINDS: t.Final = ("registry", "zot", "harbor", "spegel", "dragonfly")
_KEYS = {"registry": str, "location": str, "insecure": bool, "ca": str, "kind": str}


class MirrorEntry(t.NamedTuple):
    """One declared mirror: what lies at ``registry`` below ``path``, lies at ``host`` below ``folder``, too.

    ``path`` and ``folder`` are empty or have no slash at either end. ``is_insecure`` means plain HTTP. ``ca`` is the
    text of a PEM file, or empty.
    """

    registry: str
    path: str
    host: str
    folder: str
    kind: str
    is_insecure: bool
    ca: str

    @property
    def prefix(self) -> str:
        """Return what is mirrored, as names of images begin."""
        return "/".join(filter(None, (self.registry, self.path)))

    @property
    def location(self) -> str:
        """Return where it is mirrored, without a scheme."""
        return "/".join(filter(None, (self.host, self.folder)))

    @property
    def url(self) -> str:
        """Return the address of the mirror's host."""
        return f"{'http' if self.is_insecure else 'https'}://{self.host}"


def read_mirrors(declared: object) -> list[MirrorEntry]:
    """Return the mirrors of the variable ``declared``, in their order.

    Raises:
        InputError: it is no list of mirrors; every problem is told with its place.
    """
    if not isinstance(declared, (list, tuple)):
        raise InputError.of([Problem("", "mirrors are a list", "write one item for each mirror")])
    problems: list[Problem] = []
    entries: list[MirrorEntry] = []
    for at, row in enumerate(declared):
        found = list(_problems_of(row, f"[{at}]"))
        problems += found
        if not found:
            entries.append(_entry(row))
            places = [(entry.prefix, entry.location) for entry in entries]
            if places[-1] in places[:-1]:
                problems.append(Problem(f"[{at}]", "the mirror is declared twice", "remove one of the two"))
    if problems:
        raise InputError.of(problems)
    return entries


def upstream_url(registry: str) -> str:
    """Return the address under which the registry of that name serves; Docker Hub's is another than its name."""
    return "https://index.docker.io" if registry == "docker.io" else f"https://{registry}"


def _problems_of(row: object, place: str) -> t.Iterator[Problem]:
    if not isinstance(row, dict):
        yield Problem(place, "a mirror is a dictionary", "write registry: and location:")
        return
    for key in row:
        if key not in _KEYS:
            yield Problem(f"{place}.{key}", "there is no such key", f"use {', '.join(_KEYS)}")
    for key, kind in _KEYS.items():
        value = row.get(key)
        if value is None and key in ("registry", "location"):
            yield Problem(f"{place}.{key}", "is missing", "write it like docker.io or cache.example.com:5000/hub")
        elif value is not None and not isinstance(value, kind):
            yield Problem(f"{place}.{key}", f"is no {'truth value' if kind is bool else 'text'}")
        elif value is not None and key in ("registry", "location"):
            yield from _problems_of_place(str(value), f"{place}.{key}")
    yield from _problems_of_service(row, place)


def _problems_of_place(text: str, place: str) -> t.Iterator[Problem]:
    try:
        Mirror.parse(text, text)
    except InputError as error:
        yield Problem(place, error.what, error.fix)


def _problems_of_service(row: dict[t.Any, t.Any], place: str) -> t.Iterator[Problem]:
    kind, ca = row.get("kind") or "registry", row.get("ca") or ""
    if isinstance(kind, str) and kind not in KINDS:
        yield Problem(f"{place}.kind", f"{kind!r} is unknown", f"use one of {', '.join(KINDS)}")
    if isinstance(ca, str) and ca and not ca.lstrip().startswith("-----BEGIN CERTIFICATE-----"):
        yield Problem(
            f"{place}.ca",
            "is not the text of a certificate in PEM",
            "read the file, as by lookup('ansible.builtin.file', 'ca.pem')",
        )
    if ca and row.get("insecure") is True:
        yield Problem(f"{place}.ca", "has no meaning for plain HTTP", "leave out either insecure or ca")


def _entry(row: dict[str, t.Any]) -> MirrorEntry:
    mirror = Mirror.parse(row["registry"], row["location"])
    registry, _slash, path = mirror.prefix.partition("/")
    host, _slash, folder = mirror.location.partition("/")
    ca = (row.get("ca") or "").strip()
    return MirrorEntry(
        registry=registry,
        path=path,
        host=host,
        folder=folder,
        kind=row.get("kind") or "registry",
        is_insecure=row.get("insecure") is True,
        ca=f"{ca}\n" if ca else "",
    )
