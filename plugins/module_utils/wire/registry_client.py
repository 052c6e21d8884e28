# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to one registry, logged in as its challenges ask."""

from __future__ import annotations

import time
import typing as t

from .authorisation import Authorisation, is_insufficient
from .redact import redact_url
from .refusals import read_refusal
from .registry_connection import Message, RegistryConnection
from .status import status_error
from .transport import Body

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ..model.errors import ImagesError
    from .answers import Answer
    from .credentials import CredentialSource
    from .refusals import Refusal
    from .registry_settings import RegistrySettings
    from .transport import Transport

_SENDINGS = 3  # without a log-in, with one, and with the wider scope or the renewed token that the refusal asked for


class RegistryClient:
    """One registry. Thread-safe. ``warnings`` holds what the registry wants people to read, each text once."""

    def __init__(
        self,
        host: str,
        *,
        settings: RegistrySettings,
        credentials: CredentialSource,
        http: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a client for ``host``, the registry of a reference: ``docker.io``, ``localhost:5000``."""
        self.registry = host
        self.warnings: list[str] = []
        self._connection = RegistryConnection(host, settings=settings, http=http, sleep=sleep, clock=clock)
        self._authorisation = Authorisation(
            host,
            connection=self._connection,
            credentials=credentials,
            refuse=self.refusal,
            clock=clock,
        )

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body | None = None,
        expect: Collection[int] = (200,),
        subject: str = "",
        is_repeatable: bool = True,
    ) -> Answer:
        """Return the answer, whose status is one of ``expect``. The caller closes it.

        ``scope`` says what a token must grant, words with blanks between. Failures that may pass are tried again as
        the settings say, unless ``is_repeatable`` is false. A ``Body`` is sent once: what follows from a
        failure (how much arrived?) the caller knows, and a refused token is renewed for the next request.
        ``subject`` names the thing concerned in errors.

        Raises:
            AuthError: auth-required, auth-refused, access-denied. NotFoundError: not-found (404).
            UnavailableError: rate-limited, server-failed, timed-out, connection-broken, connection-refused,
                host-not-found, host-unreachable, proxy-failed, too-slow, deadline-passed.
            PeerError: unexpected-answer (any other status), tls-untrusted, tls-wrong-host, tls-not-spoken, tls-failed,
                redirect-downgrade, too-many-redirects, bad-address, content-encoded, realm-refused, no-token, not-json.
        """
        message = Message(method, path_or_url, dict(headers or {}), body, is_repeatable=is_repeatable)
        answer = self._logged_in(message, scope, final=expect)
        self._note_warnings(answer)
        if answer.status in expect:
            return answer
        raise self.failure(answer, scope, subject=subject)

    def failure(self, answer: Answer, scope: str, *, subject: str = "") -> ImagesError:
        """Return (not raise) what an unwanted ``answer`` means, and close it."""
        subject = subject or redact_url(answer.url)
        has_too_little = is_insufficient(answer)
        refusal = self.refusal(answer)
        if answer.status in (401, 403):
            return self._authorisation.error(refusal, scope, subject=subject, is_insufficient=has_too_little)
        error = status_error(refusal, subject=subject)
        error.attempts = answer.attempts
        return error

    def refusal(self, answer: Answer) -> Refusal:
        """Read what an unwanted ``answer`` says, fit for people, and close it."""
        is_ours = self._connection.is_ours(answer.url)
        return read_refusal(answer, secrets=self._authorisation.secrets(), is_ours=is_ours)

    def pause(self, failures: int) -> bool:
        """Wait before the next attempt of what failed ``failures`` times; False, at once, when it is to be given up."""
        return self._connection.pause(failures)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._connection.close()

    def _logged_in(self, message: Message, scope: str, *, final: Collection[int]) -> Answer:
        """Send, and again as long as a refusal tells us how to do better."""
        sending = 1
        while True:
            login = self._authorisation.header(scope)
            answer = self._connection.exchange(message._replace(login=login), final=final)
            if answer.status not in (401, 403) or not self._connection.is_ours(answer.url):
                return answer
            has_chances = self._authorisation.learn(answer, scope, sent=login)
            if not has_chances or isinstance(message.body, Body) or sending == _SENDINGS:
                return answer
            answer.close()
            sending += 1

    def _note_warnings(self, answer: Answer) -> None:
        """Source: OCI distribution-spec v1.1, "Warnings"."""
        for value in answer.header_values("Warning"):
            code, _blank, rest = value.strip().partition(" ")
            text = rest.partition('"')[2].rpartition('"')[0] if code == "299" else ""
            if text and text not in self.warnings:
                self.warnings.append(text)
