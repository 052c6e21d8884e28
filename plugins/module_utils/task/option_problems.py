# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the options that all modules have; those about names are read in ``reader.py``."""

from __future__ import annotations

import os
import re
import typing as t

from ..model.errors import InputError, Problem

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    Params = Mapping[str, t.Any]

#: Options that belong to some engines only. Those about TLS are no errors elsewhere: see ``ignored_tls``.
_OWNERS = {
    "docker_host": ("docker", "podman"),
    "api_version": ("docker",),
    "executable": ("podman", "containerd"),
    "containerd_address": ("containerd",),
    "namespace": ("containerd",),
    "store": ("containerd", "layout"),
}
TLS = ("tls", "validate_certs", "tls_hostname", "ca_path", "client_cert", "client_key")
_API_VERSION = re.compile(r"auto|[0-9]+\.[0-9]+")
_LEAST = {"timeout": 1, "parallel": 1, "retry": 0, "retry_delay": 0, "deadline": 0}


def option_problems(params: Params) -> list[Problem]:
    """Return everything that is wrong with the task's common options, in the order of the options."""
    problems = _engine_problems(params)
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


def is_given(params: Params, name: str) -> bool:
    """Tell whether the task itself gives the option; an empty text takes a module default back."""
    return params.get(name) not in (None, "")


def ignored_tls(params: Params, *, address: str = "") -> str:
    """Return a warning about options of TLS that the task gives, and that play no part at ``address``; else ""."""
    given = [name for name in TLS if is_given(params, name)]
    if not given or is_network(address):
        return ""
    verb = "is" if len(given) == 1 else "are"
    return (
        f"{', '.join(given)} {verb} about the connection to Docker over a network, and play no part here; "
        "for registries there are registry_validate_certs and registry_ca_path"
    )


def is_network(address: str) -> bool:
    """Tell whether an engine's address is not a socket of this host."""
    return "://" in address and not address.startswith("unix:")


def _engine_problems(params: Params) -> list[Problem]:
    """Return what is wrong with the task's options of the engine, whatever the environment says.

    With ``engine: auto`` options of engines that a host does not have play no part: one play serves them all.
    """
    engine, problems = params["engine"], []
    for name, owners in _OWNERS.items():
        if engine != "auto" and engine not in owners and is_given(params, name):
            told = f"engine {engine} has no such option"
            problems.append(Problem(name, told, f"leave it out; it is for {' and '.join(owners)}"))
    for one, other in (("client_cert", "client_key"), ("client_key", "client_cert")):
        if is_given(params, one) and not is_given(params, other):
            problems.append(Problem(one, f"it is given without {other}", f"set {other} too: they belong together"))
    if is_given(params, "api_version") and not _API_VERSION.fullmatch(params["api_version"]):
        problems.append(Problem("api_version", f"{params['api_version']!r} is no version", "write auto, or like 1.41"))
    if is_given(params, "store") and not os.path.isabs(params["store"]):
        told = f"{params['store']!r} depends on where the module runs"
        problems.append(Problem("store", told, "write it from / or ~ on"))
    return problems
