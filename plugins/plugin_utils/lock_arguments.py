# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the module image_lock gets, of what the task says: whole paths, and of builds no more than it needs."""

from __future__ import annotations

import typing as t

from ..module_utils.build.remote_context import parse_remote
from ..module_utils.model.errors import InputError
from ..module_utils.task.control_options import LOCK
from ..module_utils.task.options import BUILD, REGISTRY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: What tells a build's bases. Secrets above all stay where they are.
_OF_BUILDS = ("path", "dockerfile", "dockerfile_inline", "args", "target")


def lock_arguments(
    args: Mapping[str, t.Any], *, find: Callable[[str], str], place: Callable[[str], str]
) -> dict[str, t.Any]:
    """Return the arguments of the module.

    ``find`` returns where a path of the task is on the control node, ``place`` where the lock is or will be.
    """
    arguments = dict(args)
    arguments.pop("from_file", None)
    arguments["path"] = place(str(args.get("path") or LOCK["path"]["default"]))
    for name in ("auth_file", "registry_ca_path", "policy_file"):
        for word in (name, *REGISTRY.get(name, {}).get("aliases", ())):
            if arguments.get(word):
                arguments[word] = find(str(arguments[word]))
    if args.get("images") is not None:
        arguments["images"] = [_entry(row, find=find) for row in args["images"]]
    if isinstance(args.get("verify"), list):
        arguments["verify"] = [_rule(row, find=find) for row in args["verify"]]
    return arguments


def _entry(row: Mapping[str, t.Any], *, find: Callable[[str], str]) -> dict[str, t.Any]:
    build = row.get("build")
    if not isinstance(build, dict):
        return dict(row)
    words = [word for name in _OF_BUILDS for word in (name, *BUILD[name].get("aliases", ()))]
    kept = {word: build[word] for word in words if word in build}
    if kept.get("path") and not _is_address(str(kept["path"])):
        kept["path"] = find(str(kept["path"]))
    return {**row, "build": kept}


def _is_address(path: str) -> bool:
    try:
        return parse_remote(path) is not None
    except InputError:  # the module tells what is wrong with it
        return True


def _rule(row: object, *, find: Callable[[str], str]) -> object:
    if not isinstance(row, dict) or not isinstance(row.get("keys"), list):
        return row  # the module says what is wrong with it
    return {**row, "keys": [key if "-----BEGIN" in str(key) else find(str(key)) for key in row["keys"]]}
