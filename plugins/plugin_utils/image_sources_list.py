# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of images: a name a line, or the document that ``images[]`` is, alone or below a key ``images``."""

from __future__ import annotations

import typing as t

from ..module_utils.model.errors import InputError
from ..module_utils.model.reference import parse_reference
from .image_problems import problems_of
from .image_sources_base import Finding

if t.TYPE_CHECKING:
    from .image_sources_base import Gathered, SourceFile


def names_in(text: str) -> list[tuple[int, str]] | None:
    """Return number and content of each line, if all of them are names of images; blanks and comments do not count."""
    rows = lines_of(text)
    try:
        for _number, line in rows:
            parse_reference(line)
    except InputError:
        return None
    return rows


def lines_of(text: str) -> list[tuple[int, str]]:
    """Return number and content of each line that is neither blank nor a comment."""
    lines = ((number, line.partition(" #")[0].strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def is_list(documents: list[object]) -> bool:
    """Tell whether this is a list of images in YAML or JSON."""
    if len(documents) != 1:
        return False
    (document,) = documents
    return isinstance(document, list) or (isinstance(document, dict) and isinstance(document.get("images"), list))


def read_lines(file: SourceFile, rows: list[tuple[int, str]], *, gathered: Gathered) -> None:
    """Put the names in ``rows`` into ``gathered``."""
    for number, line in rows:
        gathered.found(file.place(f"line {number}"), line)


def read_list(file: SourceFile, documents: list[object], *, gathered: Gathered) -> None:
    """Put the entries of a list of images, which ``is_list`` knew, into ``gathered``."""
    (document,) = documents
    path = "images" if isinstance(document, dict) else ""
    rows: t.Any = document["images"] if isinstance(document, dict) else document
    for at, row in enumerate(rows):
        place = file.place(f"{path}[{at}]")
        if not isinstance(row, dict):
            gathered.found(place, row)
            continue
        problems = problems_of([row])
        for problem in problems:
            gathered.problem(place + problem.path[len("images[0]") :], problem.what, fix=problem.fix)
        if not problems:
            gathered.findings.append(
                Finding(place, {_OWN_NAMES.get(str(key), str(key)): value for key, value in row.items()})
            )


# One word for one thing, so that entries of two files can be compared.
_OWN_NAMES: t.Final = {"name": "image", "arch": "platform", "policy": "pull", "pull_policy": "pull"}
