# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry says when it refuses, made fit for people."""

from __future__ import annotations

import json
import re
import typing as t

from .redact import redact, redact_url

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from .answers import Answer

LIMIT = 64 * 1024
_SHOWN = 400
_LOOKED_AT = 4096  # characters; looking for addresses in text takes time that grows with its square
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")


class Refusal(t.NamedTuple):
    """An answer that is an error: its status, the registry's codes (``MANIFEST_UNKNOWN``), the evidence in words."""

    status: int
    codes: tuple[str, ...]
    why: str


def read_refusal(answer: Answer, *, secrets: Collection[str], is_ours: bool) -> Refusal:
    """Read what ``answer`` says against us, at most LIMIT bytes of it, and close it.

    ``is_ours``: the answer is the registry's own. Error pages of other hosts (content networks) are not quoted, they
    repeat signed addresses.
    """
    raw = answer.beginning(LIMIT)
    codes, words = _registry_errors(raw)
    if not words and is_ours:
        words = _plain_words(raw, answer.media_type)
    shown = _BLANKS.sub(" ", redact(words[:_LOOKED_AT], secrets)).strip()[:_SHOWN] if is_ours else ""
    evidence = f"{answer.method} {redact_url(answer.url)} was answered with {answer.status}"
    return Refusal(answer.status, codes, f"{evidence}: {shown}" if shown else evidence)


def _registry_errors(raw: bytes) -> tuple[tuple[str, ...], str]:
    """Return codes and words of the JSON that the specification asks for; nothing where the body is something else.

    Source: OCI distribution-spec v1.1, "Error Codes"; Docker's token servers answer ``{"details": …}``.
    """
    try:
        parsed = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        return (), ""
    if not isinstance(parsed, dict):
        return (), ""
    rows = parsed.get("errors")
    if not isinstance(rows, list):
        words = [parsed[key] for key in ("error", "error_description", "details", "message") if key in parsed]
        return (), ": ".join(word for word in words if isinstance(word, str))
    rows = [row for row in rows if isinstance(row, dict)]
    codes = tuple(row["code"] for row in rows if isinstance(row.get("code"), str))
    return codes, "; ".join(_row_words(row) for row in rows)


def _row_words(row: dict[str, t.Any]) -> str:
    parts = [str(row[key]) for key in ("code", "message") if row.get(key)]
    if row.get("detail"):
        parts.append(json.dumps(row["detail"], ensure_ascii=False)[:_SHOWN])
    return ": ".join(parts)


def _plain_words(raw: bytes, media_type: str) -> str:
    if media_type == "text/html" or raw.lstrip()[:1] == b"<":
        return "a web page, which is not what a registry answers"
    text = raw.decode("utf-8", "replace")
    return text if text.isprintable() or media_type.startswith("text/") else ""
