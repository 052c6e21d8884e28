# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unread answer of an engine's daemon: its bytes, or the JSON messages of its progress."""

from __future__ import annotations

import contextlib
import json
import typing as t

from ..model.errors import PeerError

if t.TYPE_CHECKING:
    import http.client
    from collections.abc import Callable, Iterator

MESSAGE_LIMIT_CHARACTERS = 8 << 20

_CHUNK_BYTES = 64 << 10
_DRAIN_BYTES = 64 << 10  # reading a short rest is cheaper than a new connection


class EngineStream:
    """One answer. Read it as bytes or as messages, then close it; read to its end it frees the connection for reuse.

    ``status`` is the HTTP status, ``headers`` have lower-case names. One thread at a time.
    """

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        *,
        endpoint: str,
        give_back: Callable[[http.client.HTTPConnection], None],
    ) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._connection: http.client.HTTPConnection | None = connection
        self._response = response
        self._endpoint = endpoint
        self._give_back = give_back

    def __enter__(self) -> EngineStream:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def read(self, n: int) -> bytes:
        """Return up to ``n`` bytes as soon as some are there, ``b""`` at the end of the body.

        Raises:
            UnavailableError: ``engine-timeout``; ``engine-connection-lost``: the body ended before its announced end.
        """
        from http.client import HTTPException

        try:
            chunk = self._response.read1(n)
            if not chunk and self._response.length:
                raise ConnectionError(f"{self._response.length} bytes of the body are missing")
        except (OSError, HTTPException) as error:
            from .engine_failure import lost

            self._drop()
            raise lost(error, endpoint=self._endpoint, request="reading the answer") from error
        return chunk

    def read_whole(self, limit: int) -> bytes:
        """Return the rest of the body.

        Raises:
            PeerError: ``engine-answer-too-large``: it is longer than ``limit`` bytes.
            UnavailableError: as ``read``.
        """
        whole = bytearray()
        while chunk := self.read(_CHUNK_BYTES):
            whole += chunk
            if len(whole) > limit:
                raise self._too_large(f"more than {limit} bytes")
        return bytes(whole)

    def messages(self) -> Iterator[dict[str, t.Any]]:
        """Yield the JSON objects of the body, one by one as they arrive, whether lines part them or nothing.

        Raises:
            PeerError: ``engine-not-json``: something else than objects; ``engine-answer-too-large``: one object of more
                than 8 Mi characters.
            UnavailableError: as ``read``.
        """
        from codecs import getincrementaldecoder

        decoder, rest = getincrementaldecoder("utf-8")(errors="replace"), ""
        has_ended = False
        while not has_ended:
            chunk = self.read(_CHUNK_BYTES)
            has_ended = not chunk
            text = decoder.decode(chunk, final=has_ended)
            rest += text
            if "}" in text:
                messages, rest = self._split(rest)
                yield from messages
            self._check(rest.strip(), has_ended=has_ended)

    def wait_at_most(self, seconds: float) -> None:
        """Bound each further wait for bytes."""
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.settimeout(seconds)

    def close(self) -> None:
        """Give the connection back when the body is at its end or nearly so, else close it. Idempotent."""
        from http.client import HTTPException

        if self._connection is None:
            return
        length = self._response.length
        if not self._response.isclosed() and length is not None and length <= _DRAIN_BYTES:
            with contextlib.suppress(OSError, HTTPException):
                self._response.read()
        if self._response.isclosed():
            self._give_back(self._connection)
            self._connection = None
        else:
            self._drop()

    def _split(self, text: str) -> tuple[list[dict[str, t.Any]], str]:
        """Return the complete messages at the start of ``text``, and the rest of it."""
        decoder, messages, at = json.JSONDecoder(), list[t.Any](), 0
        while True:
            while text[at : at + 1].isspace():
                at += 1
            if not text.startswith("{", at):
                return messages, text[at:]
            try:
                message, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                return messages, text[at:]
            except RecursionError as error:
                raise self._not_json("it is nested too deeply") from error
            messages.append(message)

    def _check(self, rest: str, *, has_ended: bool) -> None:
        if rest and (has_ended or not rest.startswith("{")):
            raise self._not_json(f"{len(rest)} characters that are no JSON object")
        if len(rest) > MESSAGE_LIMIT_CHARACTERS:
            raise self._too_large(f"one message of more than {MESSAGE_LIMIT_CHARACTERS} characters")

    def _drop(self) -> None:
        if self._connection is not None:
            self._response.close()
            self._connection.close()
            self._connection = None

    def _not_json(self, why: str) -> PeerError:
        return PeerError(
            f"The answer of the engine at {self._endpoint} is not a stream of JSON objects",
            code="engine-not-json",
            why=why,
            fix="Check that docker_host names a container engine",
            subject=self._endpoint,
        )

    def _too_large(self, why: str) -> PeerError:
        return PeerError(
            f"The answer of the engine at {self._endpoint} is too large",
            code="engine-answer-too-large",
            why=why,
            fix="Check that docker_host names a container engine",
            subject=self._endpoint,
        )
