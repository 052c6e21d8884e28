# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What filters of mirrors take and give: Ansible's plain values outside, the values of mirrors inside."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ..module_utils.model.errors import InputError, Problem
from .mirror_changes import Record, parents_of, plan_steps
from .mirror_engines import ENGINES, PLACES, Host, render_mirrors
from .mirror_entries import read_mirrors
from .mirror_servers import render_server

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CHOICES = {"docker_store": ("classic", "containerd"), "tags": ("mirror", "origin")}
_FILES = frozenset({"engines", "places", "existing", "others", *_CHOICES})


def files_of(declared: object, options: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the files with which engines use the mirrors ``declared``; see the filter ``mirror_files``.

    Raises:
        AnsibleFilterError: the mirrors or the options are wrong; every problem is told.
    """
    try:
        _check(options)
        host = Host(
            places=options["places"],
            existing=options.get("existing", {}),
            others=options.get("others", {}),
            has_containerd_store=options.get("docker_store", "classic") == "containerd",
            asks_mirrors_for_tags=options.get("tags", "mirror") == "mirror",
        )
        rendered = render_mirrors(read_mirrors(declared), options["engines"], host=host)
    except InputError as error:
        raise AnsibleFilterError(f"fleet.images.mirror_files: {error}") from error
    return {
        "files": rendered.files,
        "folders": parents_of(list(rendered.files)),
        "refused": [row._asdict() for row in rendered.refused],
    }


def server_of(declared: object, options: Mapping[str, t.Any]) -> str:
    """Return the configuration of a server of the mirrors ``declared``; see the filter ``mirror_server``.

    Raises:
        AnsibleFilterError: the mirrors or the options are wrong; every problem is told.
    """
    try:
        unknown = sorted(options.keys() - {"kind", "peers"})
        if unknown:
            raise InputError.of([Problem(name, "there is no such option") for name in unknown])
        return render_server(read_mirrors(declared), options.get("kind", ""), peers=options.get("peers", []))
    except InputError as error:
        raise AnsibleFilterError(f"fleet.images.mirror_server: {error}") from error


def steps_of(
    wanted: Mapping[str, str],
    record: Mapping[str, t.Any],
    *,
    stats: Sequence[Mapping[str, t.Any]],
    folders: Sequence[str],
) -> dict[str, t.Any]:
    """Return the steps to the files ``wanted``; see the filter ``mirror_steps``. A new file gets the mode 0644."""
    there = {row["item"]: row["stat"] for row in stats if row["stat"]["exists"]}
    missing = [folder for folder in parents_of(list(wanted)) if folder not in folders]
    checksums = {path: stat["checksum"] for path, stat in there.items()}
    steps = plan_steps(wanted, Record.from_json(record), checksums=checksums, missing=missing)
    return {
        **steps._asdict(),
        "folders_made": missing,
        "backups": [{"path": path, "name": name} for path, name in steps.backups.items()],
        "restores": [{"path": path, "name": name} for path, name in steps.restores.items()],
        "writes": [
            {"path": path, "content": text, "mode": there.get(path, {}).get("mode", "0644")}
            for path, text in steps.writes.items()
        ],
    }


def _check(options: Mapping[str, t.Any]) -> None:
    problems = [Problem(name, "there is no such option") for name in sorted(options.keys() - _FILES)]
    engines = options.get("engines")
    if not isinstance(engines, (list, tuple)) or not set(engines) <= set(ENGINES):
        problems.append(Problem("engines", "is no list of engines", f"use {', '.join(ENGINES)}"))
    absent = [name for name in PLACES if not options.get("places", {}).get(name)]
    problems += [Problem(f"places.{name}", "is missing", "write a path") for name in absent]
    for name, choices in _CHOICES.items():
        if options.get(name, choices[0]) not in choices:
            problems.append(Problem(name, "has no such choice", f"use {' or '.join(choices)}"))
    if problems:
        raise InputError.of(problems)
