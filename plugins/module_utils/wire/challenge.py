# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a WWW-Authenticate header asks for."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_PREFERENCE = ("bearer", "basic")

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))(?=[ \t]*(?:,|$))', re.DOTALL)
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,)|$)")
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)")
_GAP = re.compile(r"[ \t,]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Challenge(t.NamedTuple):
    """One way to log in: ``scheme`` and the names of ``parameters`` are lower-case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Return every challenge in the values of all WWW-Authenticate ``headers``, in their order.

    Never fails: what does not follow the grammar is skipped up to the next comma.

    Source: RFC 7235, sections 2.1 and 4.1.
    """
    return [Challenge(scheme, parameters) for header in headers for scheme, parameters in _parse(header)]


def preferred(challenges: Sequence[Challenge]) -> Challenge | None:
    """Return the challenge to answer: the first Bearer, else the first Basic, else None."""
    for scheme in _PREFERENCE:
        for challenge in challenges:
            if challenge.scheme == scheme:
                return challenge
    return None


def _parse(text: str) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    at = _skip_gap(text, 0)
    while at < len(text):
        parameter = _PARAMETER.match(text, at)
        scheme = _SCHEME.match(text, at)
        if parameter and found:
            name, quoted, plain = parameter.groups()
            found[-1][1].setdefault(name.lower(), plain if quoted is None else _ESCAPE.sub(r"\1", quoted))
            at = parameter.end()
        elif scheme and not parameter:
            found.append((scheme[1].lower(), {}))
            at = scheme.end()
            at = _end_of_token68(text, at)
        else:
            at = _next_comma(text, at)
        at = _skip_gap(text, at)
    return found


def _end_of_token68(text: str, at: int) -> int:
    """Return where the token68 at ``at`` ends; ``at`` itself if there is none but a scheme or a parameter."""
    token68 = _TOKEN68.match(text, at)
    return token68.end() if token68 and not _PARAMETER.match(text, at) else at


def _skip_gap(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    return gap.end() if gap else at


def _next_comma(text: str, at: int) -> int:
    comma = text.find(",", at)
    return len(text) if comma < 0 else comma
