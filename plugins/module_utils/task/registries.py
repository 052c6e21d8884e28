# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of a task to its registries, its log-ins there, and its mirrors."""

from __future__ import annotations

import sys
import typing as t

from ..model.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..apply.sources import Mirrors
    from ..model.reference import Reference
    from ..stores.registries import Registries
    from ..stores.registry import RegistryStore
    from ..wire.credentials import CredentialSource

    Params = Mapping[str, t.Any]


def open_registries(params: Params, *, credentials: CredentialSource) -> Registries:
    """Return all registries, reached as the options say. Nothing is asked yet."""
    from ..stores.registries import Registries
    from ..wire.registry_settings import RegistrySettings

    if sys.version_info < (3, 10):
        from . import thread_imports  # noqa: F401  (importing it is its use)
    settings = RegistrySettings(
        validate_certs=params["registry_validate_certs"],
        ca_path=params["registry_ca_path"],
        retry=params["retry"],
        retry_delay=params["retry_delay"],
        deadline=params["deadline"],
        parallel=params["parallel"],
    )
    return Registries(settings, credentials)


def check_served(wanted: Collection[str]) -> None:
    """Do nothing if the registries of a task with ``username`` are one.

    Raises:
        InputError: credentials-for-several-registries.
    """
    if len(set(wanted)) > 1:
        raise InputError(
            "username and password are for one registry, and this task names several",
            code="credentials-for-several-registries",
            why=", ".join(sorted(set(wanted))),
            fix="give each registry its own entry in registry_auth",
            subject="username",
        )


def credentials_of(params: Params, *, served: Collection[str]) -> CredentialSource:
    """Return the log-ins of the task and of the host's files; ``username`` is for the registries ``served`` alone."""
    from ..wire.credentials import Credential, CredentialSource

    rows = params["registry_auth"] or ()
    default = None
    if params["username"]:
        default = Credential(params["username"], params["password"] or "")
    return CredentialSource(
        {
            row["registry"]: Credential(row["username"] or "", row["password"] or "", row["identity_token"] or "")
            for row in rows
        },
        default=default,
        default_registries=served,
        auth_file=params["auth_file"] or "",
    )


def mirrors_of(params: Params, *, opened: Callable[[Reference], RegistryStore]) -> Mirrors:
    """Return the mirrors of the task; ``opened`` returns the repository of a mirror's reference."""
    from ..apply.sources import NO_MIRRORS, Mirrors

    if not params["mirrors"]:
        return NO_MIRRORS
    from ..model.mirror import Mirror

    rows = [Mirror.parse(row["registry"], row["location"]) for row in params["mirrors"]]
    return Mirrors(rows, open=opened)
