# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that may leave the host: addresses and evidence without user info, queries or secrets."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

if t.TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"
UNREADABLE = "(unreadable address)"

_ADDRESS = re.compile(
    r"(?P<scheme>(?:[A-Za-z][A-Za-z0-9+.-]*:)?//)(?:[^/?#]*@)?(?P<host>\[[^\]@]*\]|[^/?#:@\[\]]*)(?P<port>:[0-9]*)?(?P<path>/[^?#]*)?"
    r"(?:[?#].*)?",
    re.DOTALL,
)
# The scheme is bounded: without, a long run of letters is searched again from each of them.
_ADDRESS_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://[^\s\"'<>]+")
_QUERY_IN_TEXT = re.compile(r"(?<=[\w/.-])\?[^\s\"'<>()?]*=[^\s\"'<>()]*")
_AUTHORIZATION = re.compile(r"(authorization['\"]?\s*[:=]\s*)[^\r\n,}]+", re.IGNORECASE)
_WHOLE_WORD_BELOW = 4  # replacing a shorter secret inside words would garble the text and thereby tell the secret


def redact_url(url: str) -> str:
    """Return ``url`` without user info, query and fragment.

    A text without ``//`` is taken as a path. An address whose authority cannot be told from its user info becomes
    ``(unreadable address)``: hiding too much is the safe side.
    """
    if "//" not in re.split(r"[?#]", url, maxsplit=1)[0]:
        return re.split(r"[?#]", url, maxsplit=1)[0]
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return UNREADABLE
    return f"{found['scheme']}{found['host']}{found['port'] or ''}{found['path'] or ''}"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` fit for an error: each secret masked, addresses and Authorization headers redacted.

    Secrets are also found in their percent-encoded form; empty ones are ignored.
    """
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK) if len(form) >= _WHOLE_WORD_BELOW else _mask_word(text, form)
    text = _AUTHORIZATION.sub(rf"\1{MASK}", text)
    text = _ADDRESS_IN_TEXT.sub(lambda found: redact_url(found[0]), text)
    return _QUERY_IN_TEXT.sub("", text)


def _mask_word(text: str, word: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", MASK, text)
