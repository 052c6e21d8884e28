# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Exchanges with one registry below log-in: TLS or not, redirects by hand, another try after what passes."""

from __future__ import annotations

import random
import time
import typing as t
from urllib.parse import urlsplit

from ..model.errors import ImagesError, PeerError, UnavailableError, deadline_passed
from . import retry
from .addresses import next_address, origin
from .answers import Pace
from .redact import redact_url
from .registry_settings import allows_plain_http, hostname
from .transport import Body, Transport

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .answers import Answer
    from .registry_settings import RegistrySettings

_API_HOSTS = {"docker.io": "registry-1.docker.io"}  # Docker Hub's name is not where its registry answers
_MOST_REDIRECTS = 5
_REDIRECTS_ANY = frozenset({307, 308})
_REDIRECTS_READING = _REDIRECTS_ANY | {301, 302, 303}


class Message(t.NamedTuple):
    """What is sent. ``login`` is the Authorization header, kept apart because it goes to the registry only.

    Without ``is_repeatable`` it is sent once, whatever happens. So is a ``Body``: what follows from a failure (how much
    arrived?) its owner knows.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | Body | None = None
    login: str = ""
    is_repeatable: bool = True

    def headers_for(self, *, is_ours: bool) -> dict[str, str]:
        """Return the headers, with the log-in only where it belongs."""
        return {**self.headers, "Authorization": self.login} if self.login and is_ours else self.headers


class RegistryConnection:
    """The way to one registry. Thread-safe. The first exchange finds out whether TLS is spoken."""

    def __init__(
        self,
        registry: str,
        *,
        settings: RegistrySettings,
        http: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``registry`` is the name in references: ``docker.io``, ``localhost:5000``."""
        self._registry = registry
        self._authority = _API_HOSTS.get(registry, registry)
        self.host = hostname(self._authority)
        self._settings = settings
        self._policy = retry.RetryPolicy(settings.retry, settings.retry_delay, settings.deadline)
        self._transport = http or Transport(settings)
        self._sleep = sleep
        self._clock = clock
        self._scheme = ""

    @property
    def is_insecure(self) -> bool:
        """Whether what we send can be read on the way: plain HTTP, or certificates that nobody checks."""
        return self._scheme == "http" or self._settings.validate_certs is False

    def is_ours(self, url: str) -> bool:
        """Tell whether ``url`` is the registry's own address, and not one that it redirects to."""
        return bool(self._scheme) and origin(url) == origin(f"{self._scheme}://{self._authority}")

    def exchange(self, message: Message, *, final: Collection[int] = ()) -> Answer:
        """Send to the registry, follow redirects, try again; returns the last answer or raises the last failure.

        An answer whose status is in ``final`` is not tried again. The caller closes the answer.
        """
        return self._repeat(lambda pace: self._follow(message, pace), message, final=final)

    def exchange_elsewhere(self, message: Message) -> Answer:
        """Send to another server (``target`` is absolute, the log-in for it) and try again; redirects are answers."""
        headers = message.headers_for(is_ours=True)
        return self._repeat(
            lambda pace: self._send(message, message.target, headers=headers, pace=pace), message, final=()
        )

    def pause(self, failures: int, *, asked: float | None = None, elapsed: float = 0.0) -> bool:
        """Wait before the next attempt of what failed ``failures`` times; False, at once, when it is to be given up.

        ``asked``: the seconds that the peer wants us to wait. ``elapsed``: those since the first attempt began.
        """
        chance = random.random()  # noqa: S311 (spreads load, guards nothing)
        seconds = self._policy.pause(failures, elapsed=elapsed, asked=asked, chance=chance)
        if seconds is None:
            return False
        self._sleep(seconds)
        return True

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._transport.close()

    def _repeat(self, attempt: Callable[[Pace], Answer], message: Message, *, final: Collection[int]) -> Answer:
        may_repeat = message.is_repeatable and not isinstance(message.body, Body)
        failures, began = 0, self._clock()
        while True:
            outcome = _attempted(attempt, self._pace(began))
            if isinstance(outcome, UnavailableError):
                is_final, asked = not outcome.retryable, None
            else:
                is_final = outcome.status in final or not retry.is_retryable(outcome.status)
                asked = retry.parse_retry_after(outcome.headers.get("Retry-After"), now=time.time())
            failures += 1
            if is_final or not may_repeat or not self._wait(failures, asked, began=began):
                outcome.attempts = failures
                if isinstance(outcome, UnavailableError):
                    raise outcome
                return outcome
            if not isinstance(outcome, UnavailableError):
                outcome.close()

    def _wait(self, failures: int, asked: float | None, *, began: float) -> bool:
        return self.pause(failures, asked=asked, elapsed=self._clock() - began)

    def _follow(self, message: Message, pace: Pace) -> Answer:
        redirects = _REDIRECTS_READING if message.method in ("GET", "HEAD") else _REDIRECTS_ANY
        answer = self._send_first(message, pace)
        for _hop in range(_MOST_REDIRECTS):
            location = answer.headers.get("Location")
            if answer.status not in redirects or not location:
                return answer
            answer.close()
            url = next_address(answer.url, location)
            answer = self._send(message, url, headers=message.headers_for(is_ours=self.is_ours(url)), pace=pace)
        if answer.status not in redirects:
            return answer
        answer.close()
        subject = redact_url(answer.url)
        raise PeerError(
            f"{subject} sends us in circles",
            code="too-many-redirects",
            why=f"more than {_MOST_REDIRECTS} redirects, the last with status {answer.status}",
            fix="check the configuration of the registry and of proxies before it",
            subject=subject,
        )

    def _send_first(self, message: Message, pace: Pace) -> Answer:
        """Send to the registry; the first time over TLS, then without it where that is allowed and TLS not spoken."""
        if not self._scheme:
            outcome = self._try_tls(message, pace)
            if outcome is not None:
                self._scheme = "https"
                return outcome
            self._scheme = "http"
        url = next_address(f"{self._scheme}://{self._authority}/", message.target)
        return self._send(message, url, headers=message.headers_for(is_ours=self.is_ours(url)), pace=pace)

    def _try_tls(self, message: Message, pace: Pace) -> Answer | None:
        """Return the answer over TLS (asked without log-in), or None where plain HTTP may be tried instead."""
        url = next_address(f"https://{self._authority}/", message.target)
        try:
            return self._send(message, url, headers=message.headers, pace=pace)
        except (PeerError, UnavailableError) as error:
            if self._means_plain_http(error):
                return None
            raise

    def _means_plain_http(self, error: ImagesError) -> bool:
        has_port = urlsplit(f"//{self._authority}").port is not None
        is_sign = error.code == "tls-not-spoken" or (error.code == "connection-refused" and not has_port)
        return is_sign and allows_plain_http(self._settings, self.host)

    def _send(self, message: Message, url: str, *, headers: dict[str, str], pace: Pace) -> Answer:
        return self._transport.send(message.method, url, headers=headers, body=message.body, pace=pace)

    def _pace(self, began: float) -> Pace:
        """Return how long is waited for what follows, in an exchange that ``began`` at that moment.

        Raises:
            UnavailableError: deadline-passed.
        """
        timeout, deadline = self._settings.timeout, self._settings.deadline
        if deadline is None:
            return Pace(self._settings.minimum_rate, timeout, None, self._clock)
        until = began + deadline
        left = until - self._clock()
        if left <= 0:
            raise deadline_passed(self._registry)
        return Pace(self._settings.minimum_rate, min(timeout, left), until, self._clock)


def _attempted(attempt: Callable[[Pace], Answer], pace: Pace) -> Answer | UnavailableError:
    """Turn a failure into a value, so that what follows does not run inside its handler and nest its own causes."""
    try:
        return attempt(pace)
    except UnavailableError as error:
        return error
