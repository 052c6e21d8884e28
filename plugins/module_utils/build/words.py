# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Words of a Dockerfile: cutting, quotes, escapes, and variables with their modifiers.

Source: BuildKit frontend/dockerfile/shell/lex.go and parser/line_parsers.go (parseWords); Dockerfile reference,
"Environment replacement".
"""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Lookup = Callable[[str], t.Optional[str]]
    """The value of a variable, None when it is not set."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?\-$!]")
_MENTION = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


class WordError(ValueError):
    """A word that cannot be read or expanded; whoever knows the line turns it into a problem."""


def split_words(text: str, *, escape: str) -> list[str]:
    """Return the words of ``text``, cut at blanks outside quotes; quotes and escapes are kept."""
    mark = re.escape(escape)
    # A quote that is never closed runs to the end: expanding the word tells.
    word = re.compile(rf"""(?:{mark}.|'[^']*(?:'|$)|"(?:{mark}.|[^"{mark}])*(?:"|{mark}?$)|[^\s'"])+""", re.DOTALL)
    return word.findall(text)


def strip_quotes(word: str, *, escape: str) -> str:
    """Return ``word`` without its quotes and escapes; variables stay as they are written.

    Raises:
        WordError: a quote is not closed.
    """
    return _Expansion(word, escape=escape, lookup=None).run()


def expand(word: str, lookup: Lookup, *, escape: str) -> str:
    """Return ``word`` with variables replaced and quotes and escapes removed.

    Raises:
        WordError: a quote or brace is not closed, an unknown modifier, or a required variable is not set.
    """
    return _Expansion(word, escape=escape, lookup=lookup).run()


def expand_body(body: str, lookup: Lookup, *, escape: str) -> str:
    """Return a heredoc's body with variables replaced; quotes are ordinary characters in it.

    Raises:
        WordError: as ``expand``.
    """
    return _Expansion(body, escape=escape, lookup=lookup, keeps_quotes=True).run()


def mentioned(text: str) -> set[str]:
    """Return the names of all variables that ``text`` could read."""
    return set(_MENTION.findall(text))


class _Expansion:
    """One left-to-right pass over one word."""

    def __init__(self, text: str, *, escape: str, lookup: Lookup | None, keeps_quotes: bool = False) -> None:
        self._text = text
        self._escape = escape
        self._lookup = lookup
        self._keeps_quotes = keeps_quotes
        self._at = 0

    def run(self) -> str:
        """Return the whole text expanded."""
        return self._until("")

    def _until(self, stop: str) -> str:
        """Return everything up to ``stop`` (consumed; empty: the end), expanded."""
        parts: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if char == stop:
                return "".join(parts)
            parts.append(self._piece(char))
        if stop:
            raise WordError(f"missing '{stop}' in {self._text!r}")
        return "".join(parts)

    def _piece(self, char: str) -> str:
        if char == "$" and self._lookup is not None:
            return self._dollar(self._lookup)
        if char == self._escape:
            return self._escaped()
        if self._keeps_quotes:
            return char
        if char == "'":
            return self._single_quoted()
        return self._double_quoted() if char == '"' else char

    def _escaped(self) -> str:
        following = self._text[self._at : self._at + 1]
        self._at += 1
        if self._keeps_quotes and following not in ("$", self._escape):
            return self._escape + following
        return following

    def _single_quoted(self) -> str:
        end = self._text.find("'", self._at)
        if end < 0:
            raise WordError(f"a single quote in {self._text!r} is not closed")
        inner = self._text[self._at : end]
        self._at = end + 1
        return inner

    def _double_quoted(self) -> str:
        parts: list[str] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if char == '"':
                return "".join(parts)
            if char == "$" and self._lookup is not None:
                parts.append(self._dollar(self._lookup))
            elif char == self._escape and self._text[self._at : self._at + 1] in ('"', "$", self._escape):
                parts.append(self._text[self._at])
                self._at += 1
            else:
                parts.append(char)
        raise WordError(f"a double quote in {self._text!r} is not closed")

    def _dollar(self, lookup: Lookup) -> str:
        if self._text[self._at : self._at + 1] != "{":
            name = self._name()
            return (lookup(name) or "") if name else "$"
        self._at += 1
        name = self._name()
        if not name:
            raise WordError(f"bad substitution in {self._text!r}")
        return self._modified(name, lookup(name))

    def _name(self) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _take(self, char: str) -> bool:
        """Step over ``char`` if it comes next, and tell whether it did."""
        is_next = self._text.startswith(char, self._at)
        self._at += len(char) if is_next else 0
        return is_next

    def _modified(self, name: str, value: str | None) -> str:
        if self._take("}"):
            return value or ""
        if self._take("/"):
            return self._replaced(value or "")
        counts_empty = self._take(":")
        modifier = self._text[self._at : self._at + 1]
        self._at += 1
        if modifier in ("#", "%") and not counts_empty:
            is_greedy = self._take(modifier)
            return _trimmed(value or "", self._until("}"), side=modifier, is_greedy=is_greedy)
        if modifier not in ("-", "+", "?"):
            sign = f"{':' if counts_empty else ''}{modifier}"
            raise WordError(f"{sign!r} is no modifier, or a '}}' is missing, in {self._text!r}")
        word = self._until("}")
        is_there = value is not None and not (counts_empty and value == "")
        if modifier == "?" and not is_there:
            raise WordError(f"the variable {name} is required: {word or 'it is not set'}")
        if modifier == "+":
            return word if is_there else ""
        return (value or "") if is_there else word

    def _replaced(self, value: str) -> str:
        count = 0 if self._take("/") else 1
        pattern = self._until("/")
        replacement = self._until("}")
        return re.sub(_regex(pattern), lambda _: replacement, value, count=count) if pattern else value


def _trimmed(value: str, pattern: str, *, side: str, is_greedy: bool) -> str:
    """Return ``value`` without the shortest (greedy: longest) start or end that ``pattern`` matches."""
    regex = re.compile(_regex(pattern))
    lengths = range(len(value) + 1)
    for length in reversed(lengths) if is_greedy else lengths:
        kept = len(value) - length
        part, rest = (value[:length], value[length:]) if side == "#" else (value[kept:], value[:kept])
        if regex.fullmatch(part):
            return rest
    return value


def _regex(pattern: str) -> str:
    """Shell patterns here know ``*`` and ``?`` only."""
    return "(?s:" + "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern) + ")"
