# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the status of an answer means, where it is not one that was expected."""

from __future__ import annotations

import typing as t

from ..model.errors import ImagesError, NotFoundError, PeerError, UnavailableError, UnsupportedError
from .retry import is_retryable

if t.TYPE_CHECKING:
    from .refusals import Refusal


def status_error(refusal: Refusal, *, subject: str) -> ImagesError:
    """Return (not raise) the error for ``refusal``, whose status is neither 401 nor 403."""
    status = refusal.status
    if status == 404:
        return NotFoundError(
            f"The registry does not have {subject}",
            code="not-found",
            why=refusal.why,
            fix="check the name; some registries answer so to who may not read it, too",
            subject=subject,
        )
    if status == 405:
        return UnsupportedError(
            f"The registry of {subject} does not take this",
            code="registry-read-only",
            why=refusal.why,
            fix="name a registry that images can be pushed to: this one is read-only, or a cache of another",
            subject=subject,
        )
    if status == 429:
        return UnavailableError(
            f"The registry of {subject} limits how much we may ask",
            code="rate-limited",
            why=refusal.why,
            fix="wait, log in for a higher limit, or use a mirror or pull-through cache",
            subject=subject,
        )
    if status == 408:
        return UnavailableError(
            f"The registry of {subject} did not get our request in time",
            code="timed-out",
            why=refusal.why,
            fix="check the network, or raise retry and retry_delay",
            subject=subject,
        )
    if status >= 500:
        error = UnavailableError(
            f"The registry of {subject} failed",
            code="server-failed",
            why=refusal.why,
            fix="try again later, or look into the registry's log",
            subject=subject,
        )
        error.retryable = is_retryable(status)
        return error
    return PeerError(
        f"The registry did not do what was asked with {subject}",
        code="unexpected-answer",
        why=refusal.why,
        fix="check that the address is a container registry, and what its log says",
        subject=subject,
    )
