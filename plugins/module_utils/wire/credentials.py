# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who we are at a registry: the task's own credentials, then auth files, then credential helpers."""

from __future__ import annotations

import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from .auth_files import AuthFile


class Credential(t.NamedTuple):
    """A login for one registry. ``identity_token`` is an OAuth2 refresh token and wins over the password.

    ``repr`` and ``str`` never show the password or the token.
    """

    username: str
    password: str
    identity_token: str = ""

    def __repr__(self) -> str:
        return f"Credential(username={self.username!r}, …)"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what must never be printed, for ``redact``: password, token, and the two as Basic text."""
        from base64 import b64encode

        basic = b64encode(f"{self.username}:{self.password}".encode()).decode() if self.password else ""
        return tuple(secret for secret in (self.password, self.identity_token, basic) if secret)


def daemon_login(credential: Credential | None) -> str:
    """Return what tells a daemon who to be at a registry (``X-Registry-Auth``): without a credential, nobody.

    That, and not no header, keeps podman from looking for one. Source: Docker Engine API v1.41, "Authentication".
    """
    import json
    from base64 import urlsafe_b64encode

    login: dict[str, str] = {}
    if credential is not None and credential.identity_token:
        login = {"identitytoken": credential.identity_token}
    elif credential is not None:
        login = {"username": credential.username, "password": credential.password}
    return urlsafe_b64encode(json.dumps(login).encode()).decode()


class CredentialSource:
    """Finds the credential for a registry; nothing is read until it is asked. Safe for use by several threads.

    Order: the task, ``auth_file``, the containers auth file, Docker's ``config.json``; in a file its credential helpers
    come before its ``auths``. Files are read once, helpers are asked once per server.
    """

    def __init__(
        self,
        task: Mapping[str, Credential] | None = None,
        *,
        default: Credential | None = None,
        default_registries: Collection[str] | None = None,
        auth_file: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Remember where to look.

        ``task`` maps a registry (``quay.io``) or a part of one (``quay.io/team``, the longest wins) to its credential.
        ``default`` serves the registries of ``default_registries`` (None: all) that ``task`` does not name.
        ``environ`` replaces the environment of this process, for lookups of files and helpers.
        """
        self._task = dict(task or {})
        self._default = default
        self._default_registries = default_registries
        self._auth_file = auth_file
        self._environ = environ
        self._files: list[AuthFile] | None = None
        self._searched: dict[str, None] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"CredentialSource(auth_file={self._auth_file!r})"

    @property
    def searched(self) -> list[str]:
        """Return the places looked at so far, in order, each with what was wrong with it; for ``AuthError.fix``."""
        with self._lock:
            return list(self._searched)

    def for_registry(self, registry: str, repository: str = "") -> Credential | None:
        """Return the credential for ``registry`` (``docker.io``), or None to go on anonymously.

        ``repository`` is the path there (``library/redis``): entries for a part of a registry need it.

        Raises:
            InputError: the ``auth_file`` of the task does not exist (``auth-file-missing``), cannot be read
                (``auth-file-unreadable``) or is malformed (``bad-auth-file``). Ambient files never raise.
        """
        with self._lock:
            return self._of_task(registry, repository) or self._of_files(registry, repository)

    def _of_task(self, registry: str, repository: str) -> Credential | None:
        if not self._task and self._default is None:
            return None
        from .auth_files import best_key, normal_registry

        self._note("the credentials of the task")
        key = best_key(self._task, registry=registry, repository=repository)
        if key is not None:
            return self._task[key]
        served = self._default_registries
        if served is None or normal_registry(registry) in {normal_registry(name) for name in served}:
            return self._default
        return None

    def _of_files(self, registry: str, repository: str) -> Credential | None:
        if self._files is None:
            from .auth_files import auth_files

            self._files = auth_files(self._auth_file, environ=self._environ)
        for file in self._files:
            self._note(str(file.path))
            login = file.login(registry, repository, note=self._note)
            if login is not None:
                return Credential(*login)
        return None

    def _note(self, place: str) -> None:
        self._searched[place] = None
