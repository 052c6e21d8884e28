# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ignore files: which paths of a context a build cannot see.

Source: moby/patternmatcher (patternmatcher.go, ignorefile.go), whose rules and order are kept.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from .base import BuildProblem

_NEVER = (".", "..", ".dockerignore", ".containerignore")


class IgnoreRule(t.NamedTuple):
    """One line: what it matches, whether it brings back (``!``), and its parts before the first wildcard."""

    regex: re.Pattern[str]
    brings_back: bool
    prefix: tuple[str, ...]


class IgnoreRules(t.NamedTuple):
    """All rules in order; the last that matches a path or one of its parents decides.

    ``name`` is the file's in the root of the context; "" when they come from elsewhere, or there are none.
    """

    rows: tuple[IgnoreRule, ...] = ()
    name: str = ""

    @property
    def ignored_name(self) -> str:
        """A name that is hidden in the root, whatever is there and below; "" when none is known."""
        if any(rule.brings_back for rule in self.rows):
            return ""
        plain = (rule.prefix[0] for rule in self.rows if len(rule.prefix) == 1 and rule.regex.fullmatch(rule.prefix[0]))
        return next((name for name in plain if name not in _NEVER), "")

    def start(self) -> tuple[bool, ...]:
        """Return which rules match the root: none."""
        return (False,) * len(self.rows)

    def matches(self, path: str, parent: tuple[bool, ...]) -> tuple[bool, ...]:
        """Return which rules match ``path`` (relative, with slashes), given which match its parent folder."""
        return tuple(above or rule.regex.fullmatch(path) is not None for above, rule in zip(parent, self.rows))

    def hides(self, matched: tuple[bool, ...]) -> bool:
        """Tell whether a path that these rules match is hidden."""
        for is_matched, rule in zip(reversed(matched), reversed(self.rows)):
            if is_matched:
                return not rule.brings_back
        return False

    def may_bring_back_under(self, path: str) -> bool:
        """Tell whether something under the hidden folder ``path`` could still be seen: if not, skip the folder."""
        parts = tuple(path.split("/"))
        return any(rule.brings_back and all(a == b for a, b in zip(rule.prefix, parts)) for rule in self.rows)


def parse_ignore(text: str, *, name: str) -> tuple[IgnoreRules, list[BuildProblem]]:
    """Return the rules of an ignore file and every problem in it; ``name`` is what problems call the file."""
    rows: list[IgnoreRule] = []
    problems: list[BuildProblem] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        brings_back = line.strip().startswith("!")
        pattern = line.strip()[1:].strip() if brings_back else line.strip()
        regex = glob_regex(_clean(pattern)) if pattern else None
        if regex is None:
            what = f"{line.strip()!r} is no pattern"
            fix = "close every [ with a ], and put a pattern after !"
            problems.append(BuildProblem("bad-ignore-file", f"{name}:{number}", what, fix))
            continue
        rows.append(IgnoreRule(regex, brings_back, _literal_prefix(_clean(pattern))))
    return IgnoreRules(tuple(rows)), problems


def glob_regex(pattern: str) -> re.Pattern[str] | None:
    r"""Return what ``pattern`` matches as a whole, or None when it is malformed (an open ``[``, an end in ``\``).

    ``*`` and ``?`` stop at slashes, ``**`` does not, ``[a-z]`` and ``[^a-z]`` are classes, ``\`` makes literal.
    """
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        piece, at = _glob_piece(pattern, at)
        if piece is None:
            return None
        parts.append(piece)
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        return None


def _glob_piece(pattern: str, at: int) -> tuple[str | None, int]:
    """Return the regular expression of what stands at ``at``, and where to go on."""
    char = pattern[at]
    if pattern.startswith("**", at):
        after = at + 3 if pattern.startswith("/", at + 2) else at + 2
        return ("(?:.*/)?" if after < len(pattern) else ".*"), after
    if char == "*":
        return "[^/]*", at + 1
    if char == "?":
        return "[^/]", at + 1
    if char == "\\":
        return (re.escape(pattern[at + 1]) if at + 1 < len(pattern) else None), at + 2
    return _glob_class(pattern, at) if char == "[" else (re.escape(char), at + 1)


def _glob_class(pattern: str, at: int) -> tuple[str | None, int]:
    r"""Go's classes: ``^`` negates, ``\`` makes literal, ``]`` cannot come first."""
    is_negated = pattern.startswith("^", at + 1)
    start = at + 2 if is_negated else at + 1
    chars: list[str] = []
    here = start
    while here < len(pattern) and pattern[here] != "]":
        is_escaped = pattern[here] == "\\"
        here += is_escaped
        if here >= len(pattern):
            break
        chars.append("-" if pattern[here] == "-" and not is_escaped else re.escape(pattern[here]))
        here += 1
    if not chars or here >= len(pattern):
        return None, here
    return f"[{'^' * is_negated}{''.join(chars)}]", here + 1


def _clean(pattern: str) -> str:
    cleaned = posixpath.normpath(pattern)
    return cleaned.lstrip("/") or "."


def _literal_prefix(pattern: str) -> tuple[str, ...]:
    prefix: list[str] = []
    for part in pattern.split("/"):
        if re.search(r"[*?\[\\]", part):
            break
        prefix.append(part)
    return tuple(prefix)
