# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auth files of podman and Docker: where they lie, and which login they hold for a registry.

Source: containers-auth.json(5), containers-registries; Docker CLI, ``config.json``.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from ..model.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .credential_helpers import Login

_HUB = "docker.io"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_SERVERS = ("https://index.docker.io/v1/", _HUB)  # the keys of `docker login` and of `podman login`
_API_PATHS = frozenset({"", "v0", "v1", "v2"})
_LIMIT_BYTES = 4 << 20


def normal_registry(host: str) -> str:
    """Return the one spelling of a registry host: lower case, every name of Docker Hub as ``docker.io``."""
    host = host.lower()
    return _HUB if host in _HUB_NAMES else host


def normal_key(key: str) -> str:
    """Return ``registry`` or ``registry/namespace`` for a key of an auth file, whatever its age.

    An address (``https://host/v1/``) stands for its host alone, as Docker reads it.
    """
    scheme, separator, rest = key.rpartition("://")
    host, _slash, path = rest.partition("/")
    path = "" if separator and scheme else path.strip("/")
    host = normal_registry(host)
    return host if path in _API_PATHS else f"{host}/{path}"


def best_key(keys: Iterable[str], *, registry: str, repository: str) -> str | None:
    """Return the key that names the longest part of ``registry/repository``, or None.

    Among spellings of one name the plain one wins, then the first.
    """
    spelled: dict[str, str] = {}
    for key in keys:
        name = normal_key(key)
        if key == name or name not in spelled:
            spelled[name] = key
    name = "/".join(part for part in (normal_registry(registry), repository) if part)
    while name:
        if name in spelled:
            return spelled[name]
        name = name.rpartition("/")[0]
    return None


class AuthFile:
    """One auth file, read when first asked. ``is_explicit``: the task named it, so its faults are errors."""

    def __init__(self, path: Path, *, is_explicit: bool = False, environ: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._is_explicit = is_explicit
        self._environ = environ
        self._text = ""
        self._content: Mapping[str, t.Any] | None = None
        self._helper_answers: dict[tuple[str, str], Login | None] = {}

    def login(self, registry: str, repository: str, *, note: Callable[[str], None]) -> Login | None:
        """Return the login for ``registry/repository``: of its helper, else of ``auths``, else None.

        ``note`` is told what is wrong with a helper or with a file that no task named.

        Raises:
            InputError: a file that the task named is missing, unreadable or malformed.
        """
        try:
            content = self._read()
            asked = self._of_helper(content, registry=registry, repository=repository, note=note)
            return asked or self._of_auths(content, registry=registry, repository=repository)
        except InputError as error:
            if self._is_explicit:
                raise
            if error.code != "auth-file-missing":
                note(f"{self.path} ({error.why})")
            return None

    def _read(self) -> Mapping[str, t.Any]:
        if self._content is None:
            self._text = _file_text(self.path)
            self._content = self._parse()
        return self._content

    def _parse(self) -> Mapping[str, t.Any]:
        import json

        if not self._text.strip():
            return {}  # podman accepts an empty file
        try:
            content = json.loads(self._text)
        except json.JSONDecodeError as error:
            # the cause is cut off: it holds the whole text, secrets included
            raise self._malformed(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
        except RecursionError:
            raise self._malformed("it is nested too deeply") from None
        if not isinstance(content, dict):
            raise self._malformed("line 1: the top is not an object")
        return content

    def _of_auths(self, content: Mapping[str, t.Any], *, registry: str, repository: str) -> Login | None:
        auths = self._table(content, "auths")
        key = best_key(auths, registry=registry, repository=repository)
        if key is None:
            return None
        entry = auths[key]
        fields = ("auth", "username", "password", "identitytoken")
        if not isinstance(entry, dict) or any(not isinstance(entry.get(name) or "", str) for name in fields):
            raise self._malformed(f"{self._place(key)} is not an object of texts")
        auth, username, password, token = (entry.get(name) or "" for name in fields)
        if auth:
            username, password = self._split(auth, key)
        return (username, password, token) if (username and password) or token else None

    def _split(self, auth: str, key: str) -> tuple[str, str]:
        from base64 import b64decode

        try:
            username, colon, password = b64decode(auth.strip(), validate=True).decode().partition(":")
        except ValueError:
            raise self._malformed(f"{self._place(key, 'auth of ')} is not base64") from None
        if not colon:
            raise self._malformed(f"{self._place(key, 'auth of ')} is not the base64 of user:password")
        return username, password.rstrip("\0")

    def _of_helper(
        self, content: Mapping[str, t.Any], *, registry: str, repository: str, note: Callable[[str], None]
    ) -> Login | None:
        helpers = self._table(content, "credHelpers")
        key = best_key(helpers, registry=registry, repository=repository)
        helper = content.get("credsStore") if key is None else helpers[key]
        if not helper:
            return None
        if not isinstance(helper, str):
            raise self._malformed("the name of a credential helper is not a text")
        usual = _HUB_SERVERS if normal_registry(registry) == _HUB else (registry,)
        servers = usual if key is None else (key, *(server for server in usual if server != key))
        for server in servers:
            login = self._ask(helper, server, note=note)
            if login is not None:
                return login
        return None

    def _ask(self, helper: str, server: str, *, note: Callable[[str], None]) -> Login | None:
        if (helper, server) not in self._helper_answers:
            from .credential_helpers import ask_helper

            self._helper_answers[helper, server] = ask_helper(helper, server, note=note, environ=self._environ)
        return self._helper_answers[helper, server]

    def _table(self, content: Mapping[str, t.Any], name: str) -> Mapping[str, t.Any]:
        table = content.get(name) or {}
        if not isinstance(table, dict):
            raise self._malformed(f"{name} is not an object")
        return table

    def _place(self, key: str, part: str = "") -> str:
        line = next((number for number, line in enumerate(self._text.splitlines(), 1) if f'"{key}"' in line), 1)
        return f"line {line}: {part}entry {key}"

    def _malformed(self, why: str) -> InputError:
        return InputError(
            f"The auth file {self.path} is malformed",
            code="bad-auth-file",
            why=why,
            fix="Log in again with podman login or docker login, or name another file in auth_file",
            subject=str(self.path),
        )


def auth_files(auth_file: str = "", *, environ: Mapping[str, str] | None = None) -> list[AuthFile]:
    """Return the files to search, in order, unread: the task's own, podman's, Docker's.

    The environment and the home directory are those of the user the task runs as.
    """
    env = os.environ if environ is None else environ
    home = Path(env.get("HOME") or os.path.expanduser("~"))  # Path.home() fails for a user without an entry in passwd
    explicit = [AuthFile(Path(auth_file), is_explicit=True, environ=environ)] if auth_file else []
    if env.get("REGISTRY_AUTH_FILE"):
        podman = [Path(env["REGISTRY_AUTH_FILE"])]
    else:
        runtime = env.get("XDG_RUNTIME_DIR")
        podman = [
            Path(runtime, "containers") if runtime else Path(f"/run/containers/{os.getuid()}"),
            Path(env.get("XDG_CONFIG_HOME") or home / ".config", "containers"),
        ]
        podman = [folder / "auth.json" for folder in podman]
    docker = Path(env.get("DOCKER_CONFIG") or home / ".docker", "config.json")
    return explicit + [AuthFile(path, environ=environ) for path in (*podman, docker)]


def _file_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(
            f"The auth file {path} does not exist on the host",
            code="auth-file-missing",
            fix="auth_file names a file on the managed host: copy it there first, or leave the option out",
            subject=str(path),
        ) from None
    except OSError as error:
        raise InputError(
            f"The auth file {path} cannot be read",
            code="auth-file-unreadable",
            why=error.strerror or type(error).__name__,
            fix="Make it readable for the user the task runs as, or use become",
            subject=str(path),
        ) from error
    except UnicodeDecodeError:
        raise InputError(
            f"The auth file {path} is malformed",
            code="bad-auth-file",
            why="line 1: it is not UTF-8 text",
            fix="Log in again with podman login or docker login, or name another file in auth_file",
            subject=str(path),
        ) from None
