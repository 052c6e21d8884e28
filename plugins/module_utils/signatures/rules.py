# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules: which images must be signed, by whom, and under which name. Values, whatever they were read from."""

from __future__ import annotations

import re
import typing as t

from ..model.errors import InputError
from ..model.reference import Defaults, parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.reference import Reference

_NO_TAG = Defaults(tag="")  # a signature without a tag is for any tag, and not for latest


class SignedName(t.NamedTuple):
    """Which name a signature must carry: the image's repository, its repository and tag, one below ``prefix``, or any.

    Signatures of the bundle format carry none. They serve where the name need not be known: repository and any.
    """

    kind: t.Literal["repository", "exact", "below", "any"] = "repository"
    prefix: str = ""

    def refusal(self, name: str, *, image: Reference) -> str:
        """Return why a signature that carries ``name`` is not for ``image``; empty if it is."""
        if self.kind == "any":
            return ""
        if not name:
            return "" if self.kind == "repository" else "it carries no name, and the rule asks for one"
        try:
            signed = parse_reference(name, _NO_TAG)
        except InputError:
            return f"the name it carries, {name[:200]!r}, is none"
        if self.kind == "below":
            is_right = f"{signed.repository}/".startswith(f"{self.prefix}/")
            return "" if is_right else f"it is for {name}, which is not below {self.prefix}"
        is_right = signed.repository == image.repository
        if self.kind == "exact":
            is_right = is_right and (signed.tag == image.tag if image.tag else signed.digest == image.digest)
        return "" if is_right else f"it is for another name, {name}"


class NameRule(t.Protocol):
    """Which name a signature must carry. Its implementations are values."""

    def refusal(self, name: str, *, image: Reference) -> str:
        """Return why a signature that carries ``name`` is not for ``image``; empty if it is."""


class Rule(t.NamedTuple):
    """What is asked of images that ``pattern`` matches.

    ``keys`` are public keys, PEM texts or paths; one of them must have signed. The other policies need none.
    """

    pattern: str
    policy: t.Literal["signed", "accept", "reject", "content_trust"]
    keys: tuple[str, ...] = ()
    name: NameRule = SignedName()


def rule_for(image: Reference, rules: Sequence[Rule]) -> Rule | None:
    """Return the most exact of ``rules`` that match: most characters that are no wildcard; of equals, the first."""
    forms = _forms(image)
    fitting = [rule for rule in rules if any(_matches(rule.pattern, form) for form in forms)]
    return max(fitting, key=lambda rule: len(rule.pattern.replace("*", "")), default=None)


def _forms(image: Reference) -> list[str]:
    """Return what a pattern may be written for: names full and short, the repository, and all that it lies below."""
    name = image.without_digest()
    bare = name._replace(tag=None, digest=None)
    forms = [str(image), str(name), image.familiar, name.familiar, bare.familiar]
    parts = image.repository.split("/")
    return forms + ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _matches(pattern: str, form: str) -> bool:
    """A star stands for anything but a slash: what is below a match matches by its own prefix."""
    return re.fullmatch("[^/]*".join(map(re.escape, pattern.split("*"))), form) is not None
