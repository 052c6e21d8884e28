# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credential helpers: the programs ``docker-credential-<name>`` that hold logins for Docker and podman.

Source: docker/docker-credential-helpers, README (Development): ``get`` reads the server from standard input and answers
``{"ServerURL", "Username", "Secret"}``.
"""

from __future__ import annotations

import re
import typing as t

from ..model.errors import ImagesError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Login = tuple[str, str, str]  # user name, password, identity token

TIMEOUT_SECONDS = 30.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TOKEN_USER = "<token>"  # as user name it says that the secret is an identity token


def ask_helper(
    name: str,
    server: str,
    *,
    note: Callable[[str], None],
    environ: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Login | None:
    """Return the login that helper ``name`` holds for ``server``, or None.

    Never raises: without the helper an anonymous pull must still work. What went wrong goes to ``note``; the secret and
    the helper's well-formed answers never do.
    """
    program = f"docker-credential-{name}"
    if _NAME.fullmatch(name) is None:
        note(f"a credential helper with the impossible name {name!r}")
        return None
    from .process import run

    try:
        done = run([program, "get"], stdin=server.encode(), timeout=timeout, env=environ)
    except ImagesError as error:
        note(f"{program} for {server} ({error.what})")
        return None
    if done.status != 0:
        note(f"{program} for {server} (exit status {done.status}{_said(done.stdout or done.stderr)})")
        return None
    login = _login(done.stdout)
    note(f"{program} for {server}" if login else f"{program} for {server} (its answer is malformed)")
    return login


def _login(answer: bytes) -> Login | None:
    import json

    try:
        fields = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    username, secret = fields.get("Username"), fields.get("Secret")
    if not isinstance(username, str) or not isinstance(secret, str) or not secret:
        return None
    return ("", "", secret) if username == _TOKEN_USER else (username, secret, "")


def _said(output: bytes) -> str:
    """Return the first line of an error text, bounded; nothing for JSON, which might hold a secret."""
    lines = output.decode(errors="replace").strip().splitlines()
    return f": {lines[0][:200]}" if lines and "{" not in lines[0] else ""
