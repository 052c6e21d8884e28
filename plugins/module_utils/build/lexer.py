# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dockerfile text to logical lines: directives, comments, continuations and heredocs.

Source: BuildKit frontend/dockerfile/parser (parser.go, directives.go), whose order of steps is kept: a comment inside a
continuation vanishes, an empty line inside one too, and heredoc bodies are taken from the raw text.
"""

from __future__ import annotations

import re
import typing as t

from .base import BuildProblem
from .words import split_words, strip_quotes

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*")
_COMMENT = re.compile(r"\s*#")
_HEREDOC = re.compile(r"(\d*)<<(-?)([^<]+)")
_TAKES_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})


class Heredoc(t.NamedTuple):
    """A body given in place. ``is_expanded`` is False when the delimiter was quoted."""

    name: str
    body: str
    is_expanded: bool


class Place(t.NamedTuple):
    """Where a piece of a logical line stands: its row and column, counted from 0, and its length."""

    row: int
    column: int
    length: int


class Line(t.NamedTuple):
    """One instruction's text, continuations joined and comments gone; ``number`` is its first line, counted from 1.

    ``places`` are where the characters of ``text`` (and blanks behind it) stand in the Dockerfile, in order.
    """

    number: int
    text: str
    heredocs: tuple[Heredoc, ...] = ()
    places: tuple[Place, ...] = ()


class Lines(t.NamedTuple):
    """A Dockerfile cut into logical lines, its escape character, and what was wrong.

    ``has_syntax``: a directive names what reads it, so there may be instructions that nobody here knows.
    """

    rows: tuple[Line, ...]
    escape: str
    problems: tuple[BuildProblem, ...]
    has_syntax: bool = False


def cut_lines(text: str, *, name: str) -> Lines:
    """Return the logical lines of a Dockerfile; ``name`` is what problems call it. Never raises."""
    raw = _rows(text)
    problems: list[BuildProblem] = []
    directives = _read_directives(raw, name=name, problems=problems)
    escape = directives.get("escape", "\\")
    cutter = _Cutter(raw, escape=escape, name=name)
    rows = cutter.cut()
    return Lines(tuple(rows), escape, (*problems, *cutter.problems), "syntax" in directives)


def syntax_of(text: str) -> str:
    """Return what the directive ``syntax`` of a Dockerfile says, "" without one: an image, and words for it."""
    return _read_directives(_rows(text), name="", problems=[]).get("syntax", "")


def syntax_problem(name: str, line: Line | int, *, what: str, fix: str = "") -> BuildProblem:
    """Return the problem of one line, with the line shown."""
    if isinstance(line, int):
        return BuildProblem("dockerfile-syntax", f"{name}:{line}", what, fix)
    return BuildProblem("dockerfile-syntax", f"{name}:{line.number}", f"{what}: {shown(line.text)}", fix)


def shown(text: str) -> str:
    """Return ``text`` as an error shows a line: on one line, at most 200 characters."""
    flat = text.replace("\n", " ")
    return flat if len(flat) <= 200 else f"{flat[:197]}..."


def _rows(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


def _read_directives(raw: list[str], *, name: str, problems: list[BuildProblem]) -> dict[str, str]:
    """Return the directives: comments of the form name=value before anything else."""
    found: dict[str, str] = {}
    for number, line in enumerate(raw, 1):
        match = _DIRECTIVE.fullmatch(line.strip())
        if match is None or match[1].lower() not in ("syntax", "escape", "check"):
            break
        key = match[1].lower()
        if key in found:
            problems.append(syntax_problem(name, number, what=f"the directive {key} is given twice"))
        if key == "escape" and match[2] not in ("\\", "`"):
            what = f"the escape character cannot be {match[2]}"
            problems.append(syntax_problem(name, number, what=what, fix="use \\ or `"))
            found[key] = "\\"
            continue
        found[key] = match[2]
    return found


class _Cutter:
    """Walks raw lines once; ``at`` is the next one to read."""

    def __init__(self, raw: list[str], *, escape: str, name: str) -> None:
        self._raw = raw
        self._escape = escape
        self._name = name
        # Two escapes at the end are one literal escape and no continuation.
        mark = re.escape(escape)
        self._continued = re.compile(rf"(?<!{mark}){mark}[ \t]*$")
        self._at = 0
        self.problems: list[BuildProblem] = []

    def cut(self) -> list[Line]:
        """Return every logical line."""
        rows: list[Line] = []
        while self._at < len(self._raw):
            line = self._join(self._at + 1)
            if line.text:
                rows.append(line._replace(heredocs=self._take_heredocs(line)))
        return rows

    def _join(self, number: int) -> Line:
        """Return the next instruction without its heredocs; its text is empty for blank lines and comments."""
        raw = self._next()
        if not raw.strip() or _COMMENT.match(raw):
            return Line(number, "")
        text, is_continued = self._without_mark(raw)
        places = [Place(self._at - 1, 0, len(text))]
        while is_continued and self._at < len(self._raw):
            more = self._next()
            if not more.strip() or _COMMENT.match(more):
                continue
            more, is_continued = self._without_mark(more)
            places.append(Place(self._at - 1, 0, len(more)))
            text += more
        return Line(number, text.strip(), places=_behind(places, len(text) - len(text.lstrip())))

    def _next(self) -> str:
        self._at += 1
        return self._raw[self._at - 1]

    def _without_mark(self, text: str) -> tuple[str, bool]:
        cut = self._continued.sub("", text)
        return cut, cut != text

    def _take_heredocs(self, line: Line) -> tuple[Heredoc, ...]:
        keyword, *rests = line.text.split(None, 1)
        rest = rests[0] if rests else ""
        if keyword.upper() not in _TAKES_HEREDOCS or "<<" not in rest or rest.lstrip().startswith("["):
            return ()
        found = (heredoc_mark(word, escape=self._escape) for word in split_words(rest, escape=self._escape))
        return tuple(self._read_body(line, mark) for mark in found if mark is not None)

    def _read_body(self, line: Line, mark: HeredocMark) -> Heredoc:
        body: list[str] = []
        while self._at < len(self._raw):
            raw = self._next()
            text = raw.lstrip("\t") if mark.strips_tabs else raw
            if text == mark.name:
                return Heredoc(mark.name, "".join(f"{part}\n" for part in body), mark.is_expanded)
            body.append(text)
        what = f"the heredoc {mark.name} has no end"
        self.problems.append(syntax_problem(self._name, line, what=what, fix=f"end it with a line {mark.name}"))
        return Heredoc(mark.name, "", mark.is_expanded)


def _behind(places: list[Place], length: int) -> tuple[Place, ...]:
    """Return ``places`` without their first ``length`` characters."""
    kept: list[Place] = []
    for place in places:
        cut = min(length, place.length)
        length -= cut
        kept.append(Place(place.row, place.column + cut, place.length - cut))
    return tuple(kept)


class HeredocMark(t.NamedTuple):
    """The word that announces a heredoc: ``<<EOF``, ``<<-EOF``, ``<<"EOF"``."""

    name: str
    strips_tabs: bool
    is_expanded: bool


def heredoc_mark(word: str, *, escape: str) -> HeredocMark | None:
    """Return what ``word`` announces, or None when it is an ordinary word."""
    match = _HEREDOC.fullmatch(word)
    if match is None:
        return None
    name = strip_quotes(match[3], escape=escape)
    return HeredocMark(name, bool(match[2]), is_expanded=name == match[3]) if name else None
