# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why an image may not be used, told so that the remedy is clear."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError, IntegrityError, UnsupportedError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.errors import ImagesError
    from ..model.reference import Reference
    from .rules import Rule

_MOST_TOLD = 10


def rule_missing(image: Reference) -> InputError:
    """Return the error for an image that no rule is about."""
    return InputError(
        f"No rule of verify is for {image.familiar}",
        code="signature-rule-missing",
        why="with rules given, an image that none of them matches is refused",
        fix="add a rule for it, or one with pattern '*' for all others",
        subject=str(image),
    )


def rejected(image: Reference, rule: Rule) -> InputError:
    """Return the error for an image that a rule forbids."""
    return InputError(
        f"{image.familiar} is not to be used",
        code="image-rejected",
        why=f"the rule for {rule.pattern!r} rejects it",
        fix="take the image out of the list, or add a more exact rule for it",
        subject=str(image),
    )


def unsigned(image: Reference, *, foreign: Sequence[str], wrong: Sequence[str]) -> ImagesError:
    """Return the error for an image without a signature that is right: there is none, or it is ``wrong``.

    One of a ``foreign`` form might be right: it is never told as missing.
    """
    subject = str(image)
    if foreign:
        return UnsupportedError(
            f"The signature of {image.familiar} is of a form that cannot be checked here",
            code="signature-not-checkable",
            why=_told([*foreign, *wrong]),
            fix="sign the image with a key (cosign sign --key), or check it with a tool that knows this form",
            subject=subject,
        )
    if wrong:
        return IntegrityError(
            f"No signature of {image.familiar} is right",
            code="signature-invalid",
            why=_told(wrong),
            fix="check keys and identity of the rule; if they are right, do not use this image",
            subject=subject,
        )
    return IntegrityError(
        f"{image.familiar} is not signed",
        code="signature-missing",
        why="the registry has no signature for its digest",
        fix="sign the image, or give it a rule with policy: accept",
        subject=subject,
    )


def _told(reasons: Sequence[str]) -> str:
    more = len(reasons) - _MOST_TOLD
    return "; ".join(reasons[:_MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")
