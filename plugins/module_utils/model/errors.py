# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every failure the collection can explain, split by who must act.

    ImagesError
    ├── InputError          the task is wrong: change the playbook
    ├── NotFoundError       the thing is not there
    ├── AuthError           no credentials, or refused ones
    ├── IntegrityError      bytes are not what their digest, size or type promised
    ├── ConflictError       in use, or changed meanwhile
    ├── UnsupportedError    this engine, registry or build cannot do it
    ├── UnavailableError    network, 408, 429, 5xx, time-out: worth another try
    ├── PeerError           the other side broke its protocol
    └── ApplyError          some actions of a plan failed; re-running is safe

Lower floors raise; only ``task/failure.py`` catches. Anything else that escapes is a bug and keeps its traceback.
Codes are kebab-case, stable, and each has an entry in docs/errors.md.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ImagesError(Exception):
    """A failure with identity, evidence and remedy.

    ``what`` is one sentence; ``why`` the evidence (status, bytes, redacted address); ``fix`` what the user can do;
    ``subject`` the reference, path or option concerned. None of them may hold a secret. ``attempts`` is how often
    it was tried before it was given up.
    """

    retryable = False

    def __init__(self, what: str, *, code: str, why: str = "", fix: str = "", subject: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.code = code
        self.why = why
        self.fix = fix
        self.subject = subject
        self.attempts = 1

    def __str__(self) -> str:
        """Join what, why and fix into the message a user reads."""
        told = f"{self.what}: {self.why}" if self.why else self.what
        return " ".join(_as_sentence(part) for part in (told, _capitalised(self.fix)) if part)

    def to_json(self) -> dict[str, t.Any]:
        """Return the machine-readable form that modules give back as ``error``."""
        return {
            "class": type(self).__name__,
            "code": self.code,
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
            "subject": self.subject,
            "retryable": self.retryable,
            "attempts": self.attempts,
        }


class Problem(t.NamedTuple):
    """One thing wrong with the input: where, what, and an accepted form."""

    path: str
    what: str
    fix: str = ""


class InputError(ImagesError):
    """The task is wrong. Holds every problem found, never the first only."""

    def __init__(self, what: str, *, code: str = "bad-input", why: str = "", fix: str = "", subject: str = "") -> None:
        super().__init__(what, code=code, why=why, fix=fix, subject=subject)
        self.problems: tuple[Problem, ...] = (Problem(subject, what, fix),)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> InputError:
        """Return one error that tells all ``problems`` (at least one), in their order."""
        if len(problems) == 1:
            (only,) = problems
            what = f"{only.path}: {only.what}" if only.path else only.what
            error = cls(what, fix=only.fix, subject=only.path)
        else:
            lines = [f"  {p.path}: {_as_sentence(p.what)} {_as_sentence(p.fix)}".rstrip() for p in problems]
            error = cls("\n".join([f"{len(problems)} problems in the input:", *lines]), subject=problems[0].path)
        error.problems = tuple(problems)
        return error

    def to_json(self) -> dict[str, t.Any]:
        """Add every problem with its path."""
        return {**super().to_json(), "problems": [problem._asdict() for problem in self.problems]}


class NotFoundError(ImagesError):
    """The thing is not there."""


class AuthError(ImagesError):
    """No credentials, or refused ones."""


class IntegrityError(ImagesError):
    """Bytes are not what their digest, size or type promised."""


class ConflictError(ImagesError):
    """In use, or changed meanwhile."""


class UnsupportedError(ImagesError):
    """This engine, registry or build cannot do it."""


class UnavailableError(ImagesError):
    """Network, 408, 429, 5xx or a time-out: worth another try."""

    retryable = True


def deadline_passed(subject: str) -> UnavailableError:
    """Return the error for what is given up because the time that the task gives it is over; not retryable."""
    error = UnavailableError(
        f"The task's deadline passed at {subject}",
        code="deadline-passed",
        fix="raise deadline, or run the task again: what was transferred is kept where that is possible",
        subject=subject,
    )
    error.retryable = False
    return error


class PeerError(ImagesError):
    """The other side broke its protocol."""


class ApplyError(ImagesError):
    """Some actions of a plan failed; what succeeded is kept, and running again is safe."""

    def __init__(
        self, *, done: Sequence[str], failed: Mapping[str, ImagesError], not_started: Sequence[str]
    ) -> None:
        causes = [f"{action}: {error}".rstrip(".") for action, error in failed.items()]
        first = next(iter(failed.values()))
        super().__init__(
            f"{len(failed)} of {len(done) + len(failed) + len(not_started)} actions failed",
            code=first.code if len(failed) == 1 else "apply-failed",
            why="; ".join(causes),
            fix=f"done and kept: {len(done)}, not started: {len(not_started)}; running again is safe",
            subject=first.subject,
        )
        self.done = tuple(done)
        self.failed = dict(failed)
        self.not_started = tuple(not_started)
        self.retryable = all(error.retryable for error in failed.values())

    def to_json(self) -> dict[str, t.Any]:
        """Add what was done, what failed and what was not started."""
        return {
            **super().to_json(),
            "done": list(self.done),
            "failed": {action: error.to_json() for action, error in self.failed.items()},
            "not_started": list(self.not_started),
        }


def raise_problems(problems: Mapping[str, ImagesError]) -> None:
    """Raise what stands in the way before anything was changed: the one problem, or all of them in one error.

    Raises:
        ImagesError: the one problem.
        ApplyError: several; it names all.
    """
    if len(problems) == 1:
        raise next(iter(problems.values()))
    if problems:
        error = ApplyError(done=(), failed=problems, not_started=())
        error.what, error.fix = f"{len(problems)} problems, and nothing was changed", ""
        raise error


def _capitalised(text: str) -> str:
    """Start with a capital, unless the first word is an option or a value and must stay as it is written."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.rstrip(",;:").isalpha() else text


def _as_sentence(text: str) -> str:
    return text if not text or text[-1] in ".:!?\n" else f"{text}."
