# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``lock`` on the control node: a file there, or its content, becomes what one host needs of it."""

from __future__ import annotations

import json
import typing as t

from ..module_utils.model.errors import InputError
from ..module_utils.model.lock import parse_lock
from ..module_utils.model.reference import Defaults, candidates

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..module_utils.model.lock import Lock

    Row = Mapping[str, t.Any]


def lock_for(
    images: Iterable[Row], *, lock: object, find: Callable[[str], str], defaults: Defaults
) -> dict[str, t.Any]:
    """Return the document of the ``lock``, a path or content, less what ``images`` cannot need of it.

    ``find`` returns where a path of the task is on the control node; ``defaults`` complete names. What a build starts
    from is known on its host only: with a build every entry stays.

    Raises:
        InputError: lock-unreadable, there is no such file, or it cannot be read; or as ``parse_lock``.
    """
    whole = _read(lock, find)
    rows = [row for row in images if row.get("state", "present") != "absent"]
    if any(row.get("build") for row in rows):
        return whole.only(whole.images).to_json()
    names = {name for row in rows for name in _names(row, defaults)}
    return whole.only(names).to_json()


def naming_defaults(args: Row) -> Defaults:
    """Return what the options of a task complete short names with; the task's own errors are told elsewhere."""
    spaces = args.get("default_namespaces", ["library"])
    every = spaces.split(",") if isinstance(spaces, str) else spaces or ()
    registry, tag = args.get("default_registry") or "docker.io", args.get("default_tag") or "latest"
    return Defaults(str(registry), tuple(str(space).strip() for space in every), str(tag))


def _read(lock: object, find: Callable[[str], str]) -> Lock:
    if isinstance(lock, dict):  # its numbers and texts may be of classes that Ansible marks with where they come from
        return parse_lock(json.dumps(lock), subject="lock")
    text = str(lock)
    if "\n" in text or text.lstrip().startswith("{"):
        return parse_lock(text, subject="lock")
    path = find(text)
    try:
        with open(path, encoding="utf-8") as file:
            return parse_lock(file.read(), subject=text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The lock {text} cannot be read",
            code="lock-unreadable",
            why=error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8",
            fix="write it with fleet.images.image_lock; a relative path starts at the playbook",
            subject="lock",
        ) from error


def _names(row: Row, defaults: Defaults) -> list[str]:
    text = row.get("image") or row.get("name") or ""
    try:
        return [str(name) for name in candidates(str(text), defaults)]
    except InputError:  # told on the host, together with all that is wrong there
        return []
