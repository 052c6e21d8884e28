# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Variables of a build: which names an instruction sees, and what they are worth.

Source: Dockerfile reference, "ARG" and "ENV": ENV wins over ARG; an ARG before FROM is seen by FROM, and inside a stage
only after an ARG of the same name; platform names need an ARG inside a stage too.
"""

from __future__ import annotations

import typing as t

from .words import expand, expand_body

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.platform import Platform
    from .parser import Instruction

#: Names that may be given without an ARG that declares them.
PROXY_ARGS = frozenset(
    name for scheme in ("HTTP", "HTTPS", "FTP", "NO", "ALL") for name in (f"{scheme}_PROXY", f"{scheme}_PROXY".lower())
)


def platform_args(prefix: str, platform: Platform) -> dict[str, str]:
    """Return ``TARGETPLATFORM``, ``TARGETOS`` … for the prefix ``TARGET``, likewise for ``BUILD``."""
    return {
        f"{prefix}PLATFORM": str(platform),
        f"{prefix}OS": platform.os,
        f"{prefix}ARCH": platform.architecture,
        f"{prefix}VARIANT": platform.variant,
    }


class Given(t.NamedTuple):
    """What is known before the first FROM: args of the user, platform names, and ARGs above FROM with their values."""

    user: Mapping[str, str]
    platform: Mapping[str, str]
    top: Mapping[str, str]

    def value(self, name: str) -> str | None:
        """Return what ``ARG name`` without a default is worth inside a stage."""
        for source in (self.user, self.top, self.platform):
            if name in source:
                return source[name]
        return None


class Scope:
    """The variables at one point of one stage. ``env`` keeps the order in which names came."""

    def __init__(self, *, escape: str, env: Mapping[str, str], args: Mapping[str, str] | None = None) -> None:
        self.escape = escape
        self.env = dict(env)
        self.args = dict(args or {})

    def lookup(self, name: str) -> str | None:
        """Return the value of a variable, None when it is not set."""
        return self.env.get(name, self.args.get(name))

    def expand(self, word: str) -> str:
        """Return ``word`` with variables replaced and quotes removed.

        Raises:
            WordError: it is malformed or needs a variable that is not set.
        """
        return expand(word, self.lookup, escape=self.escape)

    def expand_body(self, body: str) -> str:
        """Return a heredoc's body with variables replaced.

        Raises:
            WordError: as ``expand``.
        """
        return expand_body(body, self.lookup, escape=self.escape)

    def declare(self, instruction: Instruction, given: Given) -> None:
        """Take in an ARG: what the user gave, else its default, else what stands above FROM.

        Raises:
            WordError: a default is malformed.
        """
        for raw_name, raw_default in instruction.pairs:
            name = self.expand(raw_name)
            is_given = name in given.user or raw_default is None
            value = given.value(name) if is_given else self.expand(raw_default or "")
            if value is not None:
                self.args[name] = value

    def expanded_pairs(self, instruction: Instruction) -> dict[str, str]:
        """Return the names and values of an ENV or LABEL; all see the variables as they were before it.

        Raises:
            WordError: a name or value is malformed.
        """
        return {self.expand(name): self.expand(value or "") for name, value in instruction.pairs}
