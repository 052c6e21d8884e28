# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option ``verify``: from its rows to rules, and from what registries answered to what must be signed."""

from __future__ import annotations

import os
import re
import typing as t

from ..model.errors import ImagesError, InputError, Problem, raise_problems
from ..model.reference import is_registry
from ..signatures.keys import is_pem
from ..signatures.rules import Rule, SignedName
from ..signatures.verifier import Verifier
from .resolve import in_parallel

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.host import Observed
    from ..model.resolved import Resolved
    from ..plan.questions import Answers, Question
    from .session import Session

    Params = Mapping[str, t.Any]

_PATTERN = re.compile(r"[A-Za-z0-9._:@*\[\]-]+(?:/[A-Za-z0-9._:@*\[\]-]+)*")
_NAMED_KINDS = ("repository", "exact", "any")


def verifier_of(params: Params) -> Verifier | None:
    """Return what checks images as the option ``verify`` says; None where the task has no rules.

    Raises:
        InputError: the rules are wrong; it tells all that is. policy-unreadable, policy-invalid.
    """
    problems = rule_problems(params)
    if problems:
        raise InputError.of(problems)
    if params.get("policy_file"):
        from ..signatures.containers_policy import read_policy

        return Verifier(demands=read_policy(params["policy_file"]).rules_for)
    rules = rules_of(params)
    return Verifier(rules) if rules else None


def rules_of(params: Params) -> list[Rule]:
    """Return the rules of the option ``verify``, which must be free of problems."""
    return [_rule(row) for row in params.get("verify") or ()]


def rule_problems(params: Params) -> list[Problem]:
    """Return everything that is wrong with the options, in their order. Neither keys nor a policy file are read."""
    problems = _policy_problems(params)
    patterns: dict[str, int] = {}
    for at, row in enumerate(params.get("verify") or ()):
        path = f"verify[{at}]"
        problems += _row_problems(row, path=path)
        first = patterns.setdefault(row["pattern"], at)
        if first != at:
            problems.append(Problem(f"{path}.pattern", f"verify[{first}] has it too", "keep one of the two"))
    return problems


class SignatureChecks:
    """Holds what registries answer against the options ``verify`` and ``policy_file``."""

    def __init__(self, params: Params) -> None:
        """``problems`` tells what is wrong with the option; nothing may be checked then."""
        self.problems = rule_problems(params)
        self._verifier = verifier_of(params) if not self.problems else None
        self._lock = params.get("lock")

    def check(self, answers: Answers, *, observed: Observed, session: Session) -> None:
        """Do nothing if all that was answered may be used.

        Not asked again: what the host has already, and what was verified when the lock was written.

        Raises:
            ImagesError: an image may not. With several an ApplyError that tells all.
        """

        def check(question: Question) -> None:
            self.check_image(answers.images[question], session=session)

        new = [question for question in answers.images if _is_new(question, answers=answers, observed=observed)]
        asked = [question for question in new if not self._was_verified(question)]
        checked = in_parallel(asked, check, parallel=session.parallel)
        raise_problems({
            str(answers.images[question].reference): got
            for question, got in checked.items()
            if isinstance(got, ImagesError)
        })

    def check_image(self, image: Resolved, *, session: Session) -> None:
        """Do nothing if one image may be used.

        Raises:
            ImagesError: it may not.
        """
        if self._verifier is not None:
            self._verifier.check(
                image.reference,
                descriptor=image.descriptor,
                manifest_digest=image.manifest.descriptor.digest if image.manifest is not None else None,
                repository=session.registry(image.reference),
            )

    def _was_verified(self, question: Question) -> bool:
        """Tell whether the lock says which keys signed an image; a lock that was written without rules does not."""
        if question.locked is None or self._lock is None:
            return False
        names = {form for name in question.references for form in (str(name), str(name.without_digest()))}
        return any(entry.get("verified_by") for name, entry in self._lock["images"].items() if name in names)


def _is_new(question: Question, *, answers: Answers, observed: Observed) -> bool:
    """Tell whether the host lacks an image under this very name."""
    answer = answers.images[question]
    image = observed.find(answer.reference)
    is_held = answer.manifest is None and image is not None and answer.descriptor.digest in image.identity.digests
    return not is_held


def _rule(row: Params) -> Rule:
    identity = row["identity"]
    name = SignedName(identity) if identity in _NAMED_KINDS else SignedName("below", identity)
    return Rule(row["pattern"], row["policy"], tuple(row["keys"] or ()), name)


def _policy_problems(params: Params) -> list[Problem]:
    path = params.get("policy_file")
    if not path:
        return []
    if params.get("verify"):
        return [Problem("policy_file", "verify is given too, and only one can decide", "keep one of the two")]
    if not os.path.isabs(os.path.expanduser(path)):
        return [Problem("policy_file", f"{path!r} depends on where the module runs", "write it from / or ~ on")]
    return []


def _row_problems(row: Params, *, path: str) -> list[Problem]:
    problems: list[Problem] = []
    pattern, policy, keys, identity = row["pattern"], row["policy"], row["keys"] or (), row["identity"]
    if not _PATTERN.fullmatch(pattern):
        fix = "write it like '*', ghcr.io/team, redis, redis:7 or *.example.com"
        problems.append(Problem(f"{path}.pattern", f"{pattern!r} cannot match a name", fix))
    if policy == "signed" and not keys:
        problems.append(Problem(f"{path}.keys", "signatures are asked for, and no key is given", "give public keys"))
    if policy != "signed" and keys:
        problems.append(Problem(f"{path}.keys", f"policy {policy} needs none", "leave keys out, or set policy: signed"))
    problems += _key_problems(keys, path=f"{path}.keys")
    if identity not in _NAMED_KINDS and not _is_beginning(identity):
        fix = "write repository, exact, any, or the beginning of names, like ghcr.io/team"
        problems.append(Problem(f"{path}.identity", f"{identity!r} does not start with a registry", fix))
    return problems


def _is_beginning(text: str) -> bool:
    """Tell whether names may start with ``text``: a registry, and a path or none."""
    return is_registry(text.partition("/")[0]) and not text.endswith("/")


def _key_problems(keys: Sequence[str], *, path: str) -> list[Problem]:
    return [
        Problem(f"{path}[{at}]", f"{key!r} depends on where the module runs", "write it from / or ~ on")
        for at, key in enumerate(keys)
        if not is_pem(key) and not os.path.isabs(os.path.expanduser(key))
    ]
