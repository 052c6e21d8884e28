# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that other files of a project name already: compose files, Kubernetes manifests, quadlet files, lists.

They are read on the control node, once for all hosts. Nothing of the environment has a say in what they mean.
"""

from __future__ import annotations

import os
import typing as t

from ..module_utils.model.errors import InputError
from ..module_utils.model.reference import Defaults
from .image_sources_base import Gathered, SourceFile, read_text
from .image_sources_compose import is_compose, read_compose
from .image_sources_kubernetes import is_kubernetes, read_kubernetes
from .image_sources_list import is_list, lines_of, names_in, read_lines, read_list
from .image_sources_merge import Merged, merge
from .image_sources_quadlet import is_quadlet, read_quadlet
from .image_sources_yaml import documents_of, read_documents

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Row = Mapping[str, t.Any]

FORMATS: t.Final = ("compose", "kubernetes", "quadlet", "list")
_KEYS: t.Final = ("path", "format", "variables")
_ENDINGS: t.Final = (".yaml", ".yml", ".json")


class Found(t.NamedTuple):
    """What the files name beside what the task lists itself.

    ``images`` are further entries for ``images[]``. ``sources`` has a row for each image, ``{"image": name, "found":
    ["compose.yaml: services.web.image", …]}``, also for those that the task lists itself. ``warnings`` go to the user.
    """

    images: list[dict[str, t.Any]]
    sources: list[dict[str, t.Any]]
    warnings: list[str]


def images_from_files(
    rows: object,
    *,
    find: Callable[[str], str],
    declared: Sequence[Row] = (),
    defaults: Defaults = Defaults(),  # noqa: B008 (immutable)
) -> Found:
    """Return the images that the files in ``rows``, the value of ``from_file``, name, in the order of the files.

    ``find`` returns where a path of the task is on the control node. What ``declared``, the task's own ``images``,
    names is left to it. ``defaults`` complete names, to see which mean the same.

    Raises:
        InputError: a file cannot be read or understood, or two want different things of one name; all problems are
            told, each with file and place.
        UnsupportedError: jsonschema-missing, when a list has entries with options.
    """
    gathered = Gathered()
    for file, kind in _files(rows, find=find, gathered=gathered):
        if os.path.isdir(file.path):
            _read_folder(file, kind, gathered=gathered)
        else:
            _read_file(file, kind, gathered=gathered)
    merged: Merged = merge(gathered, declared=declared, defaults=defaults)
    if gathered.problems:
        raise InputError.of(gathered.problems)
    return Found(merged.images, merged.sources, gathered.warnings)


def _files(rows: object, *, find: Callable[[str], str], gathered: Gathered) -> list[tuple[SourceFile, str]]:
    """Return each file that the task names, with its format; that is empty where the file has to tell it."""
    entries = rows if isinstance(rows, (list, tuple)) else [rows] if rows else []
    files: list[tuple[SourceFile, str]] = []
    for at, entry in enumerate(entries):
        row = entry if isinstance(entry, dict) else {"path": entry}
        place = f"from_file[{at}]"
        before = len(gathered.problems)
        for key in sorted(set(row) - set(_KEYS)):
            gathered.problem(f"{place}.{key}", "unknown option", fix=f"known options are {', '.join(_KEYS)}")
        path, kind, variables = row.get("path"), row.get("format") or "", row.get("variables") or {}
        if not isinstance(path, str) or not path:
            gathered.problem(f"{place}.path", "must be the path of a file or folder")
        if kind and kind not in FORMATS:
            gathered.problem(f"{place}.format", f"{kind!r} is not one of {', '.join(FORMATS)}")
        if not isinstance(variables, dict) or any(isinstance(value, (dict, list)) for value in variables.values()):
            gathered.problem(f"{place}.variables", "must be a mapping of names to texts")
        if len(gathered.problems) == before:
            values = {str(name): _as_text(value) for name, value in variables.items() if value is not None}
            files.append((SourceFile(find(str(path)), str(path), values), str(kind)))
    return files


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_folder(folder: SourceFile, kind: str, *, gathered: Gathered) -> None:
    """Read the files of a folder, not of those below it; files that name no images are left out."""
    count = len(gathered.findings)
    try:
        names = sorted(os.listdir(folder.path))
    except OSError as error:
        gathered.problem(folder.label, f"cannot be read: {error.strerror}")
        return
    for name in names:
        file = folder._replace(
            path=os.path.join(folder.path, name), label=os.path.normpath(os.path.join(folder.label, name))
        )
        if name.startswith(".") or not os.path.isfile(file.path):
            continue
        if is_quadlet(name) if kind == "quadlet" else (is_quadlet(name) and not kind) or name.endswith(_ENDINGS):
            _read(file, kind, gathered=gathered, must_be_known=False)
    if len(gathered.findings) == count:
        gathered.warn(f"{folder.label}: no file there names an image")


def _read_file(file: SourceFile, kind: str, *, gathered: Gathered) -> None:
    """Read a file that the task names; that there is nothing in it is no mistake, but seldom meant."""
    before = len(gathered.findings), len(gathered.problems), gathered.warnings
    _read(file, kind, gathered=gathered)
    if before == (len(gathered.findings), len(gathered.problems), gathered.warnings):
        gathered.warn(f"{file.label}: it names no image")


def _read(file: SourceFile, kind: str, *, gathered: Gathered, must_be_known: bool = True) -> None:
    if kind == "quadlet" or (not kind and is_quadlet(file.path)):
        read_quadlet(file, gathered=gathered)
        return
    if kind in ("", "list") and not file.path.endswith(_ENDINGS):
        rows = _lines(file, kind, gathered=gathered)
        if rows is not None:
            read_lines(file, rows, gathered=gathered)
            return
    documents = read_documents(file, gathered)
    if documents is None:
        return
    is_known = bool(kind)
    kind = kind or _format_of(documents)
    if kind == "compose" and any(is_compose(document) for document in documents):
        read_compose(file, documents, gathered=gathered)
    elif kind == "kubernetes":
        read_kubernetes(file, documents, gathered=gathered)
    elif kind == "list" and is_list(documents):
        read_list(file, documents, gathered=gathered)
    elif must_be_known:
        named = {"compose": "is no compose file", "list": "is no list of images"}
        what = named.get(kind, "is no compose file, no Kubernetes manifest and no list of images")
        fix = "" if is_known else f"check it, or set format to one of {', '.join(FORMATS)}"
        gathered.problem(file.label, what, fix=fix)


def _lines(file: SourceFile, kind: str, *, gathered: Gathered) -> list[tuple[int, str]] | None:
    """Return the lines of a file that has a name in each; None where it is YAML, or cannot be read."""
    text = read_text(file, gathered)
    if text is None:
        return []
    names = names_in(text)
    if names is not None or not kind:
        return names
    try:
        is_yaml = is_list(documents_of(text))
    except ValueError:
        is_yaml = False
    return None if is_yaml else lines_of(text)


def _format_of(documents: list[object]) -> str:
    """Return what the content shows; empty where it shows nothing."""
    if documents and all(is_kubernetes(document) for document in documents):
        return "kubernetes"
    if any(is_compose(document) for document in documents):
        return "compose"
    return "list" if is_list(documents) else ""
