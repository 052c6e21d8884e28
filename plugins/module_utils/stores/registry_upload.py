# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs on their way into a registry: mounted, sent in one piece, or after a failure in chunks from where it broke."""

from __future__ import annotations

import contextlib
import re
import typing as t
from urllib.parse import urlencode

from ..model.errors import AuthError, ConflictError, ImagesError, IntegrityError, UnavailableError, UnsupportedError
from ..wire.addresses import next_address
from ..wire.transport import Body
from .registry_sending import Sender

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.descriptor import Descriptor
    from ..wire.answers import Answer
    from ..wire.refusals import Refusal
    from ..wire.registry_client import RegistryClient
    from ..wire.streams import OpenAt

CHUNK = 16 * 1024 * 1024
"""Bytes of a chunk, where the registry does not ask for more. Front ends that cap requests mostly allow as much."""

_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,19})")
_MOUNT_REFUSED = (401, 403, 404, 405)
_SESSION_GONE = (400, 404, 416)
_TOO_LARGE = 413
_UNAUTHORIZED = 401
_TOO_LARGE_CODE = "request-too-large"
# Once without a pause, and without counting as failed until there is progress: tokens expire in long uploads, and front
# ends that refuse one large request mostly take its chunks.
_EXCUSED = frozenset({_TOO_LARGE_CODE, "auth-refused", "auth-required", "access-denied"})
_OCTETS = "application/octet-stream"


def upload(
    descriptor: Descriptor,
    open_at: OpenAt,
    *,
    client: RegistryClient,
    repository: str,
    mount_from: Sequence[str] = (),
) -> bool:
    """Bring the blob ``descriptor`` into ``repository``; True if bytes moved, False if the registry mounted it.

    Nothing is published unless the bytes match: the last of them are held back until size and digest are right.

    Raises:
        IntegrityError: digest-mismatch or size-mismatch, from here or from the registry.
        UnsupportedError: request-too-large, when a front end does not even take one chunk.
        Whatever ``open_at`` and ``RegistryClient.request`` raise.
    Source: OCI distribution-spec v1.1, "Pushing blobs".
    """
    session = _Session(descriptor, Sender(descriptor, open_at), client=client, repository=repository)
    if session.mount(mount_from):
        return False
    try:
        session.send()
    except BaseException:
        session.cancel()
        raise
    return True


class _Session:
    """One upload: the address to go on at, which every answer may change, and what the registry has."""

    def __init__(self, descriptor: Descriptor, sender: Sender, *, client: RegistryClient, repository: str) -> None:
        self._client = client
        self._uploads = f"/v2/{repository}/blobs/uploads/"
        self._blob = f"/v2/{repository}/blobs/{descriptor.digest}"
        self._scope = f"repository:{repository}:pull,push"
        self._descriptor = descriptor
        self._sender = sender
        self._subject = f"{client.registry}/{repository}@{descriptor.digest}"
        self._location = ""
        self._offset = 0
        self._is_resumed = False
        self._chunk = CHUNK

    def mount(self, mount_from: Sequence[str]) -> bool:
        """Try to take the blob over from another repository; tell whether that worked.

        A registry that cannot do it starts an ordinary session (202), which is kept; any refusal leads to an upload.
        """
        for source in mount_from:
            query = urlencode({"mount": str(self._descriptor.digest), "from": source})
            scope = f"{self._scope} repository:{source}:pull"
            expect = (201, 202, *_MOUNT_REFUSED)
            try:
                answer = self._client.request("POST", f"{self._uploads}?{query}", scope=scope, body=b"", expect=expect)
            except AuthError:  # the token server does not even give a token for the other repository
                continue
            with answer:
                if answer.status == 201:
                    return True
                if answer.status == 202:
                    self._take_session(answer)
                    return False
        return False

    def send(self) -> None:
        """Send the blob and publish it."""
        failures, is_whole, excused = 0, True, set[str]()
        while True:
            if not self._location:
                self._start()
            before = self._offset
            failure = self._attempt(is_whole=is_whole)
            if failure is None:
                return
            is_whole = False
            if failure.code in _EXCUSED and failure.code not in excused:
                excused.add(failure.code)
            else:
                failures += 1
                if not self._client.pause(failures):
                    raise failure
            if self._has_arrived():
                return
            if self._offset > before:
                failures, excused = 0, set()

    def cancel(self) -> None:
        """Free what the registry keeps of an upload that failed; what goes wrong here is not worth telling."""
        if not self._location:
            return
        with contextlib.suppress(ImagesError):
            self._client.request(
                "DELETE", self._location, scope=self._scope, expect=range(200, 600), is_repeatable=False
            ).close()
        self._location = ""

    def _attempt(self, *, is_whole: bool) -> ImagesError | None:
        """Send what is left; returns a failure after which going on may help, raises one after which it cannot."""
        try:
            failure = self._send_whole() if is_whole else self._send_chunks()
        except UnavailableError as error:
            failure = error
            if not failure.retryable:
                raise
        if failure is not None and failure.code == _TOO_LARGE_CODE and not is_whole:
            raise failure
        return failure

    def _start(self) -> None:
        algorithm = self._descriptor.digest.algorithm
        query = "" if algorithm == "sha256" else f"?digest-algorithm={algorithm}"
        with self._client.request(
            "POST", self._uploads + query, scope=self._scope, body=b"", expect=(202,), subject=self._subject
        ) as answer:
            self._take_session(answer)

    def _take_session(self, answer: Answer) -> None:
        self._offset, self._is_resumed = 0, False
        self._follow(answer)
        self._chunk = max(CHUNK, answer.header_number("OCI-Chunk-Min-Length") or 0)

    def _send_whole(self) -> ImagesError | None:
        size = self._descriptor.size
        if not size:
            self._sender.check_nothing()
        body = Body(lambda: self._sender.part(0, size), size)
        with self._request("PUT", self._closing_address(), body=body, expect=(201, 204)) as answer:
            return self._judge(answer, done=(201, 204))

    def _send_chunks(self) -> ImagesError | None:
        size = self._descriptor.size
        while self._offset < size:
            start, length = self._offset, min(self._chunk, size - self._offset)
            body = Body(lambda: self._sender.part(start, length), length)  # noqa: B023 (used before they change)
            headers = {"Content-Range": f"{start}-{start + length - 1}"}
            with self._request("PATCH", self._location, body=body, headers=headers, expect=(202,)) as answer:
                failure = self._judge(answer, done=(202,))
                if failure is not None:
                    return failure
                self._follow(answer)
                end = _end_of(answer)
                self._offset = start + length if end is None else end
                if not start < self._offset <= start + length:
                    return self._lost(f"it reports {self._offset} bytes after {start + length} were sent")
        with self._request("PUT", self._closing_address(), body=b"", expect=(201, 204)) as answer:
            return self._judge(answer, done=(201, 204))

    def _request(
        self,
        method: str,
        address: str,
        *,
        body: Body | bytes,
        expect: Sequence[int],
        headers: dict[str, str] | None = None,
    ) -> Answer:
        return self._client.request(
            method,
            address,
            scope=self._scope,
            headers={"Content-Type": _OCTETS, **(headers or {})},
            body=body,
            expect=(*expect, _UNAUTHORIZED, _TOO_LARGE, *_SESSION_GONE),
            subject=self._subject,
        )

    def _judge(self, answer: Answer, *, done: Sequence[int]) -> ImagesError | None:
        """Return None for success, a failure after which going on may help; raise any other."""
        if answer.status in done:
            return None
        if answer.status == _UNAUTHORIZED:
            return self._client.failure(answer, self._scope, subject=self._subject)
        refusal = self._client.refusal(answer)
        if "DIGEST_INVALID" in refusal.codes:
            if not self._is_resumed:
                raise self._not_the_bytes(refusal)
            self.cancel()  # what was still on its way when the connection broke got between our chunks
        if answer.status == _TOO_LARGE:
            return self._too_large(refusal)
        return self._lost(refusal.why)

    def _has_arrived(self) -> bool:
        """Tell whether the blob is published in spite of a failure; else find out where the next attempt goes on.

        After ``0-0`` that is a new session: it stands for nothing and for one byte alike.
        """
        end = self._reported_end() if self._location else None
        if end is not None and 1 < end <= self._descriptor.size:
            self._offset, self._is_resumed = end, True
            return False
        self.cancel()
        self._offset = 0
        with self._client.request(
            "HEAD", self._blob, scope=self._scope, expect=(200, 404), subject=self._subject
        ) as answer:
            return answer.status == 200

    def _reported_end(self) -> int | None:
        """Return how many bytes the session has; None when it does not say, or is gone (and forgotten then)."""
        with self._client.request(
            "GET", self._location, scope=self._scope, expect=(200, 204, *_SESSION_GONE), subject=self._subject
        ) as answer:
            if answer.status in _SESSION_GONE:
                self._location = ""
                return None
            self._follow(answer)
            return _end_of(answer)

    def _follow(self, answer: Answer) -> None:
        location = answer.headers.get("Location")
        if location:
            self._location = next_address(answer.url, location)

    def _closing_address(self) -> str:
        """Return the newest address with our digest after whatever query it has."""
        joint = "&" if "?" in self._location else "?"
        return f"{self._location}{joint}{urlencode({'digest': str(self._descriptor.digest)})}"

    def _lost(self, why: str) -> ConflictError:
        return ConflictError(
            f"The registry lost the upload of {self._subject}",
            code="upload-lost",
            why=why,
            fix="run the task again; if it happens again, several servers behind one name may not share their state",
            subject=self._subject,
        )

    def _too_large(self, refusal: Refusal) -> UnsupportedError:
        return UnsupportedError(
            f"Something before the registry does not take requests as large as {self._subject} needs",
            code="request-too-large",
            why=refusal.why,
            fix=f"allow at least {self._chunk} bytes for one request (nginx: client_max_body_size)",
            subject=self._subject,
        )

    def _not_the_bytes(self, refusal: Refusal) -> IntegrityError:
        return IntegrityError(
            f"The registry received other bytes than those of {self._subject}",
            code="digest-mismatch",
            why=refusal.why,
            fix="run the task again; if it happens again, a proxy on the way damages data",
            subject=self._subject,
        )


def _end_of(answer: Answer) -> int | None:
    """Return how many bytes the registry has, by the Range of its answer; None if it does not say."""
    found = _RANGE.fullmatch(answer.headers.get("Range", "").strip())
    return int(found[1]) + 1 if found else None
