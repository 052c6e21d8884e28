# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dockerfile text to instructions: keywords, flags, JSON and shell forms, every mistake with its line.

Source: BuildKit frontend/dockerfile/parser and instructions; Dockerfile reference.
"""

from __future__ import annotations

import difflib
import json
import re
import typing as t

from .healthcheck import healthcheck_mistakes
from .lexer import Heredoc, Line, cut_lines, syntax_problem
from .words import WordError, split_words, strip_quotes

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .base import BuildProblem


class Grammar(t.NamedTuple):
    """How an instruction's arguments are read, and what must be there."""

    form: t.Literal["exec", "list", "words", "text", "pairs", "args", "health", "trigger"]
    least: int = 1
    flags: tuple[str, ...] = ()
    engine_flags: tuple[str, ...] = ()  # flags that Docker has and a native build does not


_GRAMMARS: Mapping[str, Grammar] = {
    "ADD": Grammar("list", 2, ("chown", "chmod", "link"), ("checksum", "keep-git-dir", "exclude", "unpack")),
    "ARG": Grammar("args"),
    "CMD": Grammar("exec", 0),
    "COPY": Grammar("list", 2, ("from", "chown", "chmod", "link"), ("parents", "exclude")),
    "ENTRYPOINT": Grammar("exec", 0),
    "ENV": Grammar("pairs"),
    "EXPOSE": Grammar("words"),
    "FROM": Grammar("words", 1, ("platform",)),
    "HEALTHCHECK": Grammar("health", 1, ("interval", "timeout", "start-period", "start-interval", "retries")),
    "LABEL": Grammar("pairs"),
    "MAINTAINER": Grammar("text"),
    "ONBUILD": Grammar("trigger"),
    "RUN": Grammar("exec", 1, ("mount", "network", "security", "device")),
    "SHELL": Grammar("exec"),
    "STOPSIGNAL": Grammar("text"),
    "USER": Grammar("text"),
    "VOLUME": Grammar("list"),
    "WORKDIR": Grammar("text"),
}
_NOT_TRIGGERS = ("ONBUILD", "FROM", "MAINTAINER")


class Instruction(t.NamedTuple):
    """One instruction. ``words`` and ``pairs`` are as written, before variables are replaced; ``text`` is all of it.

    A shell form has its command line as the only word. ``pairs`` is filled for ENV, LABEL and ARG (value None: an
    ARG without default). ``trigger`` is what an ONBUILD holds. ``mounts`` are the values of all ``--mount`` of a RUN;
    ``engine_flags`` the names of flags that only engines know; ``is_known`` is False when only they know the name.
    """

    name: str
    where: str
    line: Line
    flags: Mapping[str, str]
    words: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str | None], ...] = ()
    is_json: bool = False
    trigger: str = ""
    mounts: tuple[str, ...] = ()
    engine_flags: tuple[str, ...] = ()
    is_known: bool = True

    @property
    def text(self) -> str:
        """The instruction's own text, continuations joined, without heredoc bodies."""
        return self.line.text

    @property
    def heredocs(self) -> tuple[Heredoc, ...]:
        """Bodies given in place, in order of their marks."""
        return self.line.heredocs


class Dockerfile(t.NamedTuple):
    """What a Dockerfile says: instructions in order, its escape character, and everything wrong with it."""

    name: str
    escape: str
    instructions: tuple[Instruction, ...]
    problems: tuple[BuildProblem, ...]


def parse_dockerfile(text: str, *, name: str = "Dockerfile", is_native: bool = True) -> Dockerfile:
    """Return the instructions of ``text`` and all its syntax problems; ``name`` is what messages call it.

    Unless ``is_native``, unknown flags are left to the engine, and so are unknown instructions where a directive names
    the syntax. Never raises.
    """
    lines = cut_lines(text, name=name)
    reader = _Reader(name, lines.escape, is_native=is_native, is_strict=is_native or not lines.has_syntax)
    rows = [instruction for line in lines.rows if (instruction := reader.read(line)) is not None]
    if not lines.rows:
        reader.problems.append(syntax_problem(name, 1, what="there is no instruction", fix="start with FROM"))
    problems = sorted((*lines.problems, *reader.problems), key=lambda problem: int(problem.where.rpartition(":")[2]))
    return Dockerfile(name, lines.escape, tuple(rows), tuple(problems))


def parse_trigger(text: str, *, where: str, escape: str = "\\") -> Instruction:
    """Return the instruction that an ONBUILD of a base holds; ``where`` names it in errors.

    Raises:
        WordError: it is none, or malformed.
    """
    reader = _Reader(where, escape)
    instruction = reader.read(Line(1, text))
    if instruction is None or reader.problems:
        raise WordError("; ".join(problem.what for problem in reader.problems) or f"{text!r} is no instruction")
    return instruction._replace(where=where)


class _Reader:
    def __init__(self, name: str, escape: str, *, is_native: bool = False, is_strict: bool = True) -> None:
        self._name = name
        self._escape = escape
        self._is_native = is_native
        self._is_strict = is_strict
        self.problems: list[BuildProblem] = []

    def read(self, line: Line) -> Instruction | None:
        """Return the instruction of one line, or None after noting what is wrong with it."""
        keyword, *rest = line.text.split(None, 1)
        name = keyword.upper()
        grammar = _GRAMMARS.get(name)
        if grammar is None and not self._is_strict:
            return Instruction(name, f"{self._name}:{line.number}", line, {}, tuple(rest), is_known=False)
        if grammar is None:
            near = difflib.get_close_matches(name, _GRAMMARS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(_GRAMMARS)}"
            self._wrong(line, f"unknown instruction {keyword}", fix=hint)
            return None
        before = len(self.problems)
        instruction = Instruction(name, f"{self._name}:{line.number}", line, {})
        try:
            flagged, body = self._flags(instruction, rest[0] if rest else "", grammar=grammar)
            instruction = _FORMS[grammar.form](self, flagged, body)
        except WordError as error:
            self._wrong(line, str(error))
        if len(self.problems) == before and _count(instruction) < grammar.least:
            self._wrong(line, f"{name} needs at least {grammar.least} argument{'s' * (grammar.least > 1)}")
        if len(self.problems) == before:
            self._check(instruction)
        return instruction if len(self.problems) == before else None

    def _wrong(self, line: Line, what: str, *, fix: str = "") -> None:
        self.problems.append(syntax_problem(self._name, line, what=what, fix=fix))

    def _flags(self, instruction: Instruction, text: str, *, grammar: Grammar) -> tuple[Instruction, str]:
        """Cut ``--name=value`` words off the front; return the instruction with them, and the rest."""
        flags: dict[str, str] = {}
        mounts: list[str] = []
        foreign: list[str] = []
        while text.startswith("--"):
            word, *rest = re.split(r"\s+", text, maxsplit=1)
            text = rest[0] if rest else ""
            if word == "--":
                break
            key, has_value, value = word[2:].partition("=")
            if key in grammar.engine_flags or (key not in grammar.flags and not self._is_native):
                foreign.append(key)
            else:
                self._check_flag(instruction, key, has_value=bool(has_value), is_twice=key in flags)
            flags[key] = strip_or_keep(value, escape=self._escape)
            mounts += [flags[key]] if key == "mount" else []
        return instruction._replace(flags=flags, mounts=tuple(mounts), engine_flags=tuple(foreign)), text

    def _check_flag(self, instruction: Instruction, key: str, *, has_value: bool, is_twice: bool) -> None:
        name, line = instruction.name, instruction.line
        if key not in _GRAMMARS[name].flags:
            known = ", ".join(f"--{flag}" for flag in _GRAMMARS[name].flags)
            self._wrong(line, f"unknown flag --{key} of {name}", fix=f"{name} takes {known or 'no flags'}")
        elif is_twice and key != "mount":
            self._wrong(line, f"the flag --{key} is given twice")
        elif not has_value and key != "link":
            self._wrong(line, f"the flag --{key} needs a value", fix=f"write --{key}=...")

    def _check(self, instruction: Instruction) -> None:
        """Note what is wrong with an instruction of the right form."""
        words, line, name = instruction.words, instruction.line, instruction.name
        if name == "SHELL" and not instruction.is_json:
            self._wrong(line, "SHELL takes a JSON list", fix='write it like SHELL ["/bin/sh", "-c"]')
        elif name == "FROM" and not (len(words) == 1 or (len(words) == 3 and words[1].upper() == "AS")):
            self._wrong(line, "FROM takes an image, or an image AS a name", fix="write it like FROM image AS name")
        elif name == "FROM" and len(words) == 3 and not re.fullmatch(r"[a-z][a-z0-9_.-]*", words[2].lower()):
            self._wrong(line, f"{words[2]!r} is no name for a stage", fix="start with a letter; then a-z 0-9 _ . -")
        elif name in ("ADD", "COPY") and len(words) > 2 and _is_surely_no_folder(words[-1]):
            self._wrong(
                line,
                f"{name} of more than one source needs a folder as destination",
                fix=f"end the destination with a slash: {words[-1]}/",
            )
        elif name == "HEALTHCHECK":
            for what in healthcheck_mistakes(instruction.flags, words):
                self._wrong(line, what)

    def _exec(self, instruction: Instruction, body: str) -> Instruction:
        texts = _json_texts(body)
        if texts is not None:
            return instruction._replace(words=texts, is_json=True)
        if not body and instruction.name != "RUN":
            raise WordError(f"{instruction.name} needs a command")
        return instruction._replace(words=(body,) if body else ())

    def _list(self, instruction: Instruction, body: str) -> Instruction:
        texts = _json_texts(body)
        if texts is not None:
            return instruction._replace(words=texts, is_json=True)
        return self._split(instruction, body)

    def _split(self, instruction: Instruction, body: str) -> Instruction:
        return instruction._replace(words=tuple(body.split()))

    def _whole(self, instruction: Instruction, body: str) -> Instruction:
        return instruction._replace(words=(body,) if body else ())

    def _pairs(self, instruction: Instruction, body: str) -> Instruction:
        """``ENV a=b c=d``, or the old ``ENV a b c`` whose value is all the rest."""
        words = split_words(body, escape=self._escape)
        if words and "=" not in words[0]:
            name, *rest = body.split(None, 1)
            if not rest:
                raise WordError(f"{instruction.name} needs a name and a value")
            return instruction._replace(pairs=((name, rest[0]),))
        pairs = [word.partition("=") for word in words]
        for name, sign, _value in pairs:
            if not sign:
                raise WordError(f"{name!r} must be of the form name=value")
            if not strip_quotes(name, escape=self._escape).strip():
                raise WordError(f"{instruction.name} names cannot be blank")
        return instruction._replace(pairs=tuple((name, value) for name, _sign, value in pairs))

    def _args(self, instruction: Instruction, body: str) -> Instruction:
        pairs = [word.partition("=") for word in split_words(body, escape=self._escape)]
        if any(not name for name, _sign, _value in pairs):
            raise WordError("ARG names cannot be blank")
        return instruction._replace(pairs=tuple((name, value if sign else None) for name, sign, value in pairs))

    def _health(self, instruction: Instruction, body: str) -> Instruction:
        """Words are the kind (NONE or CMD), then the command as in CMD."""
        kind, *rest = body.split(None, 1) or [""]
        command = self._exec(instruction, rest[0]) if rest else instruction
        return command._replace(words=(kind.upper(), *command.words) if kind else ())

    def _trigger(self, instruction: Instruction, body: str) -> Instruction:
        keyword = body.split(None, 1)[0].upper() if body else ""
        if keyword in _NOT_TRIGGERS:
            raise WordError(f"{keyword} cannot be a trigger of ONBUILD")
        if body and self.read(instruction.line._replace(text=body)) is None:
            return instruction
        return instruction._replace(trigger=body)


_FORMS = {
    "exec": _Reader._exec,
    "list": _Reader._list,
    "words": _Reader._split,
    "text": _Reader._whole,
    "pairs": _Reader._pairs,
    "args": _Reader._args,
    "health": _Reader._health,
    "trigger": _Reader._trigger,
}


def strip_or_keep(value: str, *, escape: str) -> str:
    """Return a flag's value as it is expanded later; only quotes around all of it are dropped here."""
    return strip_quotes(value, escape=escape) if value[:1] in ("'", '"') and value[-1:] == value[:1] else value


def _count(instruction: Instruction) -> int:
    return len(instruction.pairs) or len(instruction.words) or (1 if instruction.trigger else 0)


def _is_surely_no_folder(destination: str) -> bool:
    return "$" not in destination and destination.rpartition("/")[2] not in ("", ".", "..")


def _json_texts(body: str) -> tuple[str, ...] | None:
    """Return the texts of a JSON list, or None when ``body`` is no JSON list (then it is the shell form)."""
    if not body.startswith("["):
        return None
    try:
        parsed: Sequence[object] = json.loads(body)
    except ValueError:
        return None
    texts = tuple(text for text in parsed if isinstance(text, str))
    if len(texts) != len(parsed):
        raise WordError("a JSON list here holds texts only")
    return texts
