# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the options that all modules have; those about names are read in ``reader.py``."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError, Problem
from .engine_options import engine_problems

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    Params = Mapping[str, t.Any]

_LEAST = {"timeout": 1, "parallel": 1, "retry": 0, "retry_delay": 0, "deadline": 0}


def option_problems(params: Params) -> list[Problem]:
    """Return everything that is wrong with the task's common options, in the order of the options."""
    problems = engine_problems(params)
    problems += (
        Problem(name, f"{params[name]} is too little", f"give {lowest} or more")
        for name, lowest in _LEAST.items()
        if params[name] is not None and not params[name] >= lowest  # this way round for what is no number (.nan)
    )
    if params["password"] and not params["username"]:
        problems.append(Problem("password", "it is given without a username", "set username too, or use registry_auth"))
    for at, row in enumerate(params["mirrors"] or ()):
        problems += _mirror_problems(row, path=f"mirrors[{at}]")
    if params.get("disk_margin"):
        from .sizes import parse_size

        try:
            parse_size(params["disk_margin"])
        except InputError as error:
            problems.append(Problem("disk_margin", error.what, error.fix))
    return problems


def _mirror_problems(row: Params, *, path: str) -> list[Problem]:
    from ..model.mirror import Mirror

    try:
        mirror = Mirror.parse(row["registry"], row["location"])
    except InputError as error:
        return [Problem(path, error.what, error.fix)]
    if mirror.prefix == mirror.location:
        return [Problem(path, f"{mirror.prefix} would be its own mirror", "name another registry as location")]
    return []
