# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry that takes uploads by the letter, changes its addresses all the time, and fails when it is told to."""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, Reply, bearer_challenge

if t.TYPE_CHECKING:
    from collections.abc import Callable


class Session:
    """One upload: what arrived, and how often the address changed."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.received = bytearray()
        self.turn = 0


class UploadRegistry:
    """A rule for OddServer. Every answer names a new address; an older one is refused, but a GET of it tells the new.

    ``before`` may answer instead; ``least_chunk`` is told as OCI-Chunk-Min-Length. With ``wants_token`` a token is good
    for that many requests.
    """

    def __init__(self, *, least_chunk: int = 0, wants_token: int = 0) -> None:
        self.blobs: dict[str, bytes] = {}
        self.sessions: dict[int, Session] = {}
        self.cancelled: list[int] = []
        self.before: Callable[[Asked], Reply | None] = lambda _asked: None
        self.least_chunk = least_chunk
        self.wants_token = wants_token
        self.begun = 0
        self.tokens = 0
        self.left = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/token":
            self.tokens, self.left = self.tokens + 1, self.wants_token
            return Reply(body=json.dumps({"token": f"t-{self.tokens}"}).encode())
        instead = self._login(asked) or self.before(asked)
        if instead is not None:
            return instead
        if asked.method == "HEAD":
            digest = asked.path.rpartition("/")[2]
            found = self.blobs.get(digest)
            return Reply(404) if found is None else Reply(200, (("Content-Length", str(len(found))),))
        if asked.method == "POST":
            self.begun += 1
            session = Session(self.begun - 1)
            self.sessions[session.number] = session
            return self._where(202, session)
        return self._on_session(asked)

    def _login(self, asked: Asked) -> Reply | None:
        if not self.wants_token:
            return None
        if asked.login == f"Bearer t-{self.tokens}" and self.left:
            self.left -= 1
            return None
        return Reply(401, bearer_challenge(f"http://{asked.headers['host']}/token", service="s"))

    def _on_session(self, asked: Asked) -> Reply:
        number, turn = (int(text) for text in asked.path.rpartition("/")[2].split("-"))
        session = self.sessions.get(number)
        if session is None or (turn != session.turn and asked.method not in ("GET", "DELETE")):
            return Reply(404, (), b'{"errors": [{"code": "BLOB_UPLOAD_INVALID"}]}')
        if asked.method == "GET":
            return self._where(204, session)
        if asked.method == "DELETE":
            self.cancelled.append(number)
            del self.sessions[number]
            return Reply(204)
        session.received += asked.body
        if asked.method == "PATCH":
            return self._where(202, session)
        return self._close(session, asked.query["digest"][0])

    def _close(self, session: Session, digest: str) -> Reply:
        algorithm, _colon, encoded = digest.partition(":")
        if hashlib.new(algorithm, session.received).hexdigest() != encoded:
            return Reply(400, (), b'{"errors": [{"code": "DIGEST_INVALID"}]}')
        self.blobs[digest] = bytes(session.received)
        del self.sessions[session.number]
        return Reply(201)

    def _where(self, status: int, session: Session) -> Reply:
        session.turn += 1
        location = f"/v2/a/blobs/uploads/{session.number}-{session.turn}?_state=x%2Fy%3D"
        headers = [("Location", location), ("Range", f"0-{max(0, len(session.received) - 1)}")]
        if self.least_chunk and status == 202:
            headers.append(("OCI-Chunk-Min-Length", str(self.least_chunk)))
        return Reply(status, tuple(headers))
