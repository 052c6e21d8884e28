# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of web servers, verified against a digest while they come."""

from __future__ import annotations

import typing as t

from ..model.errors import IntegrityError, NotFoundError, PeerError, UnavailableError
from .addresses import next_address
from .answers import Pace
from .redact import redact_url
from .streams import pieces
from .transport import Transport

if t.TYPE_CHECKING:
    from ..model.digest import Digest
    from .answers import Answer
    from .registry_settings import RegistrySettings

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (404, 410)


def download(url: str, *, into: t.IO[bytes], digest: Digest, settings: RegistrySettings) -> None:
    """Write the file at ``url`` into ``into``. Redirects are followed; no credentials are sent.

    Raises:
        IntegrityError: digest-mismatch. What was written is not to be used then, as after any failure.
        NotFoundError: context-not-found.
        PeerError: too-many-redirects; context-not-fetched, for any other answer than the file.
        UnavailableError: context-not-fetched, when the server failed; as Transport.send.
    """
    transport = Transport(settings)
    try:
        with _answer(transport, url, settings=settings) as answer:
            hasher = digest.hasher()
            for piece in pieces(answer):
                hasher.update(piece)
                into.write(piece)
    finally:
        transport.close()
    if hasher.hexdigest() != digest.encoded:
        raise IntegrityError(
            f"The file {redact_url(url)} is not the one that is wanted",
            code="digest-mismatch",
            why=f"its digest is {digest.algorithm}:{hasher.hexdigest()}, wanted is {digest}",
            fix="if the change is meant, write the new digest behind #",
            subject=redact_url(url),
        )


def _answer(transport: Transport, url: str, *, settings: RegistrySettings) -> Answer:
    pace = Pace(settings.minimum_rate, settings.timeout)
    subject = redact_url(url)
    for _hop in range(_MOST_REDIRECTS + 1):
        answer = transport.send("GET", url, headers={}, body=None, pace=pace)
        location = answer.headers.get("Location")
        if answer.status not in _REDIRECTS or not location:
            break
        answer.close()
        url = next_address(answer.url, location)
    if answer.status == 200:
        return answer
    answer.close()
    if answer.status in _GONE:
        raise NotFoundError(
            f"There is no build context at {subject}",
            code="context-not-found",
            why=f"status {answer.status}",
            fix="check the address",
            subject=subject,
        )
    failure = UnavailableError if answer.status >= 500 or answer.status == 429 else PeerError
    raise failure(
        f"The build context at {subject} cannot be fetched",
        code="context-not-fetched",
        why=f"status {answer.status} from {redact_url(answer.url)}",
        fix="check the address, and that it can be read without a log-in",
        subject=subject,
    )
