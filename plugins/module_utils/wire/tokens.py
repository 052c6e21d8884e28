# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bearer tokens: asked for once, shared by all threads, renewed before they expire."""

from __future__ import annotations

import json
import threading
import time
import typing as t
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..model.errors import PeerError
from .redact import redact_url
from .registry_connection import Message
from .registry_settings import is_loopback

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .answers import Answer
    from .credentials import Credential

LIMIT = 1024 * 1024
"""Most bytes of a token server's answer; its address comes from the registry and is not trusted."""

SHORTEST_LIFE = 60.0
"""Seconds: the least that ``expires_in`` means, and what it means when it is missing."""

_CLIENT_ID = "fleet.images"
_EARLY = 30.0
_LONGEST_LIFE = 7 * 24 * 3600.0  # seconds; a number of any size may come
_WITHOUT_POST = (404, 405)


class Wanted(t.NamedTuple):
    """What a token is for. ``scopes`` are like ``repository:library/redis:pull``."""

    realm: str
    service: str
    scopes: tuple[str, ...]


class _Token(t.NamedTuple):
    text: str
    renew_at: float


class Tokens:
    """Bearer tokens by realm, service, scopes and credential. Thread-safe: one request serves all who wait.

    Times come from a clock that nobody sets, so a wrong time of day on either side does no harm.
    """

    def __init__(
        self,
        exchange: Callable[[Message], Answer],
        *,
        refused: Callable[[Answer], Exception],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask through ``exchange``, which tries again by itself; ``refused`` makes the error for any other answer."""
        self._exchange = exchange
        self._refused = refused
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[tuple[Wanted, Credential | None], _Token] = {}
        self._turns: dict[tuple[Wanted, Credential | None], threading.Lock] = {}

    def get(self, wanted: Wanted, credential: Credential | None) -> str:
        """Return a token that is good for at least some seconds. It may grant less than ``wanted``.

        Raises:
            AuthError, UnavailableError, PeerError: as ``refused`` and ``exchange`` say; PeerError no-token, not-json.
        Source: distribution docs, spec/auth/token.md and oauth.md.
        """
        key = (wanted, credential)
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            token = self._tokens.get(key)
            if token is None or self._clock() >= token.renew_at:
                token = self._fetch(wanted, credential)
                with self._lock:
                    self._tokens[key] = token
            return token.text

    def drop(self, text: str) -> None:
        """Forget the token ``text``: a registry refused it. Idempotent."""
        with self._lock:
            for key in [key for key, token in self._tokens.items() if token.text == text]:
                del self._tokens[key]

    def secrets(self) -> list[str]:
        """Return every token at hand, for ``redact``."""
        with self._lock:
            return [token.text for token in self._tokens.values()]

    def _fetch(self, wanted: Wanted, credential: Credential | None) -> _Token:
        began = self._clock()
        with self._ask(wanted, credential) as answer:
            if answer.status != 200:
                raise self._refused(answer)
            return _parse(answer.body(LIMIT), realm=redact_url(wanted.realm), began=began)

    def _ask(self, wanted: Wanted, credential: Credential | None) -> Answer:
        if credential is not None and credential.identity_token:
            form = {
                "grant_type": "refresh_token",
                "service": wanted.service,
                "client_id": _CLIENT_ID,
                "scope": " ".join(wanted.scopes),
                "refresh_token": credential.identity_token,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._exchange(Message("POST", wanted.realm, headers, urlencode(form).encode()))
            if answer.status not in _WITHOUT_POST:
                return answer
            answer.close()
        login = basic(credential) if credential is not None else ""
        return self._exchange(Message("GET", _address(wanted, credential), {}, login=login))


def basic(credential: Credential) -> str:
    """Return the Authorization header of ``credential`` for the Basic scheme."""
    from base64 import b64encode

    secret = credential.password or credential.identity_token
    return "Basic " + b64encode(f"{credential.username}:{secret}".encode()).decode()


def refuse_realm(realm: str, *, host: str, is_insecure: bool) -> None:
    """Confirm that a registry on ``host`` (a name, no port) may send us and our password to ``realm``.

    The realm is whatever the registry says: it must be https (unless ``is_insecure``: the registry itself is not), and
    no address of this machine or of a private network, which only we can reach, unless the registry is there too.

    Raises:
        PeerError: realm-refused.
    """
    try:
        parts = urlsplit(realm)
    except ValueError:
        raise _realm_refused(realm, "it is no web address") from None
    name = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not name:
        raise _realm_refused(realm, "it is no web address")
    if parts.scheme == "http" and not is_insecure:
        raise _realm_refused(realm, "it is not encrypted, and the registry is")
    if name != host and _is_private(name) and not (is_loopback(name) and is_loopback(host)):
        raise _realm_refused(realm, "it is an address of this machine or of a private network, and the registry is not")


def _is_private(name: str) -> bool:
    import ipaddress

    if is_loopback(name):
        return True
    try:
        return not ipaddress.ip_address(name).is_global
    except ValueError:
        return False


def _address(wanted: Wanted, credential: Credential | None) -> str:
    """Return the realm with our parameters after those it has."""
    parameters = [("service", wanted.service)] if wanted.service else []
    parameters += [("scope", scope) for scope in wanted.scopes]
    if credential is not None and credential.username:
        parameters.append(("account", credential.username))
    parts = urlsplit(wanted.realm)
    query = "&".join(text for text in (parts.query, urlencode(parameters)) if text)
    return urlunsplit(parts._replace(query=query, fragment=""))


def _parse(raw: bytes, *, realm: str, began: float) -> _Token:
    # the body is not quoted in errors: it may hold a token
    try:
        parsed = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise PeerError(
            f"The token server {realm} does not answer in JSON",
            code="not-json",
            why=f"{len(raw)} bytes of something else",
            fix="check that the address is a container registry and not a web page or a proxy's log-in page",
            subject=realm,
        ) from None
    fields = parsed if isinstance(parsed, dict) else {}
    text = fields.get("token") or fields.get("access_token")
    if not isinstance(text, str) or not text.isascii() or not text.isprintable():
        raise PeerError(
            f"The token server {realm} gave no token",
            code="no-token",
            why="its answer has neither token nor access_token",
            fix="report this to who runs the registry",
            subject=realm,
        )
    life = fields.get("expires_in")
    seconds = max(SHORTEST_LIFE, min(life, _LONGEST_LIFE)) if isinstance(life, (int, float)) else SHORTEST_LIFE
    return _Token(text, began + seconds - min(_EARLY, seconds / 4))


def _realm_refused(realm: str, why: str) -> PeerError:
    subject = redact_url(realm)
    return PeerError(
        "The registry sends log-ins to an address that is not trusted",
        code="realm-refused",
        why=f"{subject}: {why}",
        fix="check the registry's name; if it is yours, correct the realm in its configuration",
        subject=subject,
    )
