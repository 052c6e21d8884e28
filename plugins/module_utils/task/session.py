# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task works with: the engine, the content store, registries and builds, put together from its options."""

from __future__ import annotations

import os
import sys
import threading
import typing as t

from ..engines.layout import LayoutEngine
from ..engines.select import select_engine
from ..model.errors import InputError, Problem
from ..model.reference import Defaults, Reference

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..apply.transfer import Patience
    from ..engines.base import Engine
    from ..stores.layout import LayoutStore
    from ..stores.registries import Registries
    from ..stores.registry import RegistryStore
    from ..wire.credentials import CredentialSource


class Session:
    """Opens what the options name, each part when it is first needed."""

    def __init__(self, params: Mapping[str, t.Any]) -> None:
        """Take the validated options of a module.

        Raises:
            InputError: an option's value cannot be used; all such options are told.
            UnsupportedError: the engine of this host is not driven.
        """
        _refuse_bad_options(params)
        self._params = params
        self._registries: Registries | None = None
        self._opening = threading.Lock()
        self._served: frozenset[str] = frozenset()
        self._warnings: list[str] = []
        self.defaults = naming_defaults(params)
        self.engine: Engine = self._layout_engine(select_engine(params["engine"]))

    @property
    def parallel(self) -> int:
        """How many exchanges with registries run at a time."""
        return int(self._params["parallel"])

    def patience(self) -> Patience:
        """Return how transfers meet failures."""
        from ..apply.transfer import Patience
        from ..wire.retry import RetryPolicy

        policy = RetryPolicy(self._params["retry"], self._params["retry_delay"], self._params["deadline"])
        return Patience(self.parallel, lambda failures, elapsed: policy.pause(failures, elapsed=elapsed))

    def content(self, create: bool = True) -> LayoutStore:
        """Return the store that the engine's content is in.

        Raises:
            ImagesError: it cannot be opened, or is not there and ``create`` is False.
        """
        from pathlib import Path

        from ..stores.layout import LayoutStore

        return LayoutStore(Path(self.engine.place), create=create)

    def use_registries(self, wanted: Collection[str]) -> None:
        """Say which registries the task names: ``username`` and ``password`` are for these alone.

        Raises:
            InputError: there are several, and ``username`` does not say for which of them it is.
        """
        if self._params.get("username") and len(set(wanted)) > 1:
            raise InputError(
                "username and password are for one registry, and this task names several",
                code="credentials-for-several-registries",
                why=", ".join(sorted(set(wanted))),
                fix="give each registry its own entry in registry_auth",
                subject="username",
            )
        self._served = frozenset(wanted)

    def registry(self, reference: Reference, *, mount_from: Sequence[str] = ()) -> RegistryStore:
        """Return the repository that ``reference`` lies in. Nothing is asked of its registry yet.

        ``mount_from`` are paths of repositories of the same registry that may hold blobs to be written.
        """
        return self.registries.store(reference, mount_from=mount_from)

    @property
    def registries(self) -> Registries:
        """All registries, reached with the task's settings and credentials. Threads may ask for them first."""
        with self._opening:
            if self._registries is None:
                self._registries = self._open_registries()
            return self._registries

    def warn(self, text: str) -> None:
        """Keep what the user should know."""
        self._warnings.append(text)

    def warnings(self) -> list[str]:
        """Return what the user should know, and what registries want people to read."""
        return self._warnings + (self._registries.warnings if self._registries is not None else [])

    def close(self) -> None:
        """Close every connection. Idempotent."""
        self.engine.close()
        if self._registries is not None:
            self._registries.close()

    def _open_registries(self) -> Registries:
        from ..stores.registries import Registries
        from ..wire.registry_settings import RegistrySettings

        if sys.version_info < (3, 10):
            from . import thread_imports  # noqa: F401  (importing it is its use)
        settings = RegistrySettings(
            validate_certs=self._params["registry_validate_certs"],
            ca_path=self._params["registry_ca_path"],
            retry=self._params["retry"],
            retry_delay=self._params["retry_delay"],
            deadline=self._params["deadline"],
            parallel=self.parallel,
        )
        return Registries(settings, self._credentials())

    def _layout_engine(self, name: str) -> LayoutEngine:
        if name != "layout":
            raise TypeError(f"no engine {name}")
        return LayoutEngine(self.content, place=self._params["store"] or default_store())

    def _credentials(self) -> CredentialSource:
        from ..wire.credentials import Credential, CredentialSource

        params = self._params
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
            default_registries=self._served,
            auth_file=params["auth_file"] or "",
        )


def _refuse_bad_options(params: Mapping[str, t.Any]) -> None:
    least = {"parallel": 1, "retry": 0, "retry_delay": 0, "deadline": 0}
    problems = [
        Problem(name, f"{params[name]} is too little", f"give {lowest} or more")
        for name, lowest in least.items()
        if params[name] is not None and not params[name] >= lowest  # this way round for what is no number (.nan)
    ]
    if params["store"] and not os.path.isabs(params["store"]):
        problems.append(
            Problem("store", f"{params['store']!r} depends on where the module runs", "write it from / or ~ on")
        )
    if params["password"] and not params["username"]:
        problems.append(Problem("password", "it is given without a username", "set username too, or use registry_auth"))
    if problems:
        raise InputError.of(problems)


def naming_defaults(params: Mapping[str, t.Any]) -> Defaults:
    """Return what short names are completed with; a module's own ``tag`` goes before ``default_tag``."""
    tag = params.get("tag") or params["default_tag"]
    return Defaults(params["default_registry"], tuple(params["default_namespaces"]), tag)


def default_store() -> str:
    """Return where the embedded store lies unless ``store`` says otherwise: per system for root, else per user.

    Raises:
        InputError: no-home.
    """
    if os.geteuid() == 0:
        return "/var/lib/fleet-images"
    for data in (os.environ.get("XDG_DATA_HOME", ""), os.path.expanduser("~/.local/share")):
        if os.path.isabs(data):
            return os.path.join(data, "fleet-images")
    raise InputError(
        "The user that the task runs as has no home for the embedded store",
        code="no-home",
        why=f"neither HOME nor an entry in passwd names a folder for user {os.geteuid()}",
        fix="set store to a directory of this user",
        subject="store",
    )
