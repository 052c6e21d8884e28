# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of reports, as large as a test needs, with digests that are told from what they are of."""

from __future__ import annotations

import collections
import hashlib
import typing as t

Document = dict[str, t.Any]


def digest_of(text: str) -> str:
    """Return a digest that only ``text`` has."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def cell(image: str, *, kind: str = "verified", why: str = "") -> Document:
    """Return what a host says of ``image``: the wanted one, or of another class and then with bytes of its own."""
    held = "" if kind == "missing" else image if kind == "verified" else f"{image} {kind}"
    digests = {name: digest_of(f"{name} {held}") if held else "" for name in ("index", "manifest", "config")}
    return {
        "class": kind,
        "wanted": digest_of(f"index {image}"),
        "found": digests["index"],
        "why": why,
        "bytes": 7_000_000 if held else 0,
        **digests,
    }


def host(name: str, cells: t.Mapping[str, Document], *, extra: t.Sequence[Document] = ()) -> Document:
    """Return a host that answered."""
    drifts = extra or any(row["class"] != "verified" for row in cells.values())
    return {
        "host": name,
        "state": "drift" if drifts else "verified",
        "engine": "docker",
        "platform": "linux/amd64",
        "root": "",
        "elapsed": 1.25,
        "error": None,
        "cells": dict(cells),
        "extra": list(extra),
    }


def silent_host(name: str, *, state: str = "unreachable", msg: str = "No route to host") -> Document:
    """Return a host of which nothing is known."""
    error = {"code": "unreachable", "msg": msg, "fix": "start it"}
    return {**host(name, {}), "state": state, "engine": "", "platform": "", "elapsed": 0, "error": error}


def document(hosts: t.Sequence[Document], *, images: t.Sequence[str] = (), history: int = 0) -> Document:
    """Return the report of ``hosts``, with so many earlier runs; it is not sealed."""
    columns = images or sorted({image for row in hosts for image in row["cells"]})
    cells = [row for one in hosts for row in one["cells"].values()]
    states = collections.Counter(row["state"] for row in hosts)
    totals: Document = {
        "hosts": len(hosts),
        **{state: states[state] for state in ("verified", "drift", "failed", "unreachable")},
        "cells": dict(collections.Counter(row["class"] for row in cells)),
        "bytes": sum(row["bytes"] for row in cells),
    }
    runs = [{"made_at": f"2026-11-{day + 1:02}T16:30:00Z", "root": "", "totals": totals} for day in range(history)]
    return {
        "version": 1,
        "made_at": "2026-11-21T16:30:00Z",
        "root": "",
        "images": list(columns),
        "hosts": list(hosts),
        "totals": totals,
        "history": runs,
    }
