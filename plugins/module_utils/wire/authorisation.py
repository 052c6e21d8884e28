# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who we are to one registry: what it asks for, and the header that answers."""

from __future__ import annotations

import time
import typing as t

from ..model.errors import AuthError
from .challenge import parse_challenges, preferred
from .status import status_error
from .tokens import Tokens, Wanted, basic, refuse_realm

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .answers import Answer
    from .challenge import Challenge
    from .credentials import Credential, CredentialSource
    from .refusals import Refusal
    from .registry_connection import RegistryConnection

_INSUFFICIENT = "insufficient_scope"


class Authorisation:
    """The log-in at one registry. Learns from refusals; thread-safe."""

    def __init__(
        self,
        registry: str,
        *,
        connection: RegistryConnection,
        credentials: CredentialSource,
        refuse: Callable[[Answer], Refusal],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``registry`` is the name that credentials are kept under; ``refuse`` reads an answer that is an error."""
        self._registry = registry
        self._connection = connection
        self._credentials = credentials
        self._refuse = refuse
        self._tokens = Tokens(connection.exchange_elsewhere, refused=self._token_refused, clock=clock)
        self._challenge: Challenge | None = None
        self._named: dict[str, str] = {}  # our scope -> the scope that the registry named for it
        self._secrets: dict[str, None] = {}

    def header(self, scope: str) -> str:
        """Return the Authorization header for ``scope`` (words with blanks between); empty while nothing is asked for.

        Raises:
            AuthError, UnavailableError, PeerError: the token server refused, failed, or is not one to trust.
        """
        challenge = self._challenge
        if challenge is None:
            return ""
        credential = self._credential(scope)
        if challenge.scheme == "basic":
            return basic(credential) if credential is not None else ""
        realm = challenge.parameters["realm"]
        refuse_realm(realm, host=self._connection.host, is_insecure=self._connection.is_insecure)
        scopes = merge_scopes([*scope.split(), *self._named.get(scope, "").split()])
        wanted = Wanted(realm, challenge.parameters.get("service", ""), scopes)
        return f"Bearer {self._tokens.get(wanted, credential)}"

    def learn(self, answer: Answer, scope: str, *, sent: str) -> bool:
        """Take in a 401 or 403 to a request with the header ``sent``; tell whether another try has new chances."""
        challenge = preferred(parse_challenges(answer.header_values("WWW-Authenticate")))
        if challenge is None or (challenge.scheme == "bearer" and not challenge.parameters.get("realm")):
            return False
        is_insufficient = challenge.parameters.get("error") == _INSUFFICIENT
        if answer.status == 403 and not is_insufficient:
            return False
        self._challenge = challenge
        if challenge.scheme == "basic":
            return self.header(scope) not in ("", sent)
        before = merge_scopes([*scope.split(), *self._named.get(scope, "").split()])
        after = merge_scopes([*before, *challenge.parameters.get("scope", "").split()])
        if before != after:
            self._named[scope] = " ".join(after)
        scheme, _blank, token = sent.partition(" ")
        if scheme != "Bearer":
            return True
        if is_insufficient:
            return before != after
        self._tokens.drop(token)
        return True

    def secrets(self) -> list[str]:
        """Return what must not appear in any message."""
        return [*self._secrets, *self._tokens.secrets()]

    def error(self, refusal: Refusal, scope: str, *, subject: str, is_insufficient: bool = False) -> AuthError:
        """Return what a 401 or 403 means: nobody logged in, the log-in is wrong, or it may not do this."""
        credential = self._credential(scope)
        if refusal.status == 401 and credential is None:
            places = ", ".join(self._credentials.searched) or "no place"
            return AuthError(
                f"The registry {self._registry} wants a log-in for {subject}, or this does not exist there",
                code="auth-required",
                why=refusal.why,
                fix=f"check the name, or give username and password; credentials were looked for in: {places}",
                subject=subject,
            )
        if refusal.status == 401 and not is_insufficient:
            return AuthError(
                f"The registry {self._registry} refused the credentials of {_name(credential)}",
                code="auth-refused",
                why=refusal.why,
                fix="check user name and password, or log in again: a token may have expired",
                subject=subject,
            )
        return AuthError(
            f"The registry {self._registry} does not let {_name(credential)} do this with {subject}",
            code="access-denied",
            why=refusal.why,
            fix="check the name, and the rights of this user there",
            subject=subject,
        )

    def _token_refused(self, answer: Answer) -> Exception:
        refusal = self._refuse(answer)
        if refusal.status in (400, 401, 403):
            return self.error(refusal._replace(status=401), "", subject=self._registry)
        return status_error(refusal, subject=self._registry)

    def _credential(self, scope: str) -> Credential | None:
        credential = self._credentials.for_registry(self._registry, _repository(scope))
        if credential is not None:
            self._secrets.update(dict.fromkeys(credential.secrets))
        return credential


def is_insufficient(answer: Answer) -> bool:
    """Tell whether ``answer`` says that the token grants too little, rather than being wrong."""
    challenge = preferred(parse_challenges(answer.header_values("WWW-Authenticate")))
    return challenge is not None and challenge.parameters.get("error") == _INSUFFICIENT


def merge_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return ``scopes`` with the actions on one resource joined, in the order of first appearance."""
    merged: dict[str, dict[str, None]] = {}
    for scope in scopes:
        resource, _colon, actions = scope.rpartition(":")
        merged.setdefault(resource, {}).update(dict.fromkeys(actions.split(",")))
    return tuple(f"{resource}:{','.join(actions)}" for resource, actions in merged.items())


def _repository(scope: str) -> str:
    kind, _colon, rest = scope.partition(" ")[0].partition(":")
    return rest.rpartition(":")[0] if kind == "repository" else ""


def _name(credential: Credential | None) -> str:
    return f"user {credential.username}" if credential is not None and credential.username else "anonymous users"
