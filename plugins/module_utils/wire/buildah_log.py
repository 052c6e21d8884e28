# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What buildah, alone or inside podman, prints while it builds: its steps, what they print, and the images of steps."""

from __future__ import annotations

import re
import typing as t

from ..model.errors import PeerError
from .redact import redact

if t.TYPE_CHECKING:
    from collections.abc import Sequence

_STEP = re.compile(r"(?:\[[0-9]+/[0-9]+\] )?STEP [0-9]+(?:/[0-9]+)?: (.*)")
_REUSED = re.compile(r"--> .+ ([0-9a-f]{64})")
_MADE = re.compile(r"--> ([0-9a-f]{11,64})")
_RELEASE = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})")
_WHOLE_ID = re.compile(r"[0-9a-f]{64}")

_KEPT_LINES = 20
_LINE_CHARACTERS = 400
_REST_CHARACTERS = 64 << 10


class BuildahLog:
    """The progress of one build, fed in pieces as it comes. Of what a step prints, the last lines are kept."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.step = ""
        self.image_id = ""
        self._reused: set[str] = set()
        self._made: list[str] = []
        self._lines: list[str] = []
        self._rest = ""

    @property
    def step_images(self) -> list[str]:
        """The images that steps made here, oldest first; those that were there before are not among them."""
        return [made for made in self._made if not any(reused.startswith(made) for reused in self._reused)]

    def feed(self, text: str) -> None:
        """Take the next piece, which may end within a line."""
        *lines, rest = (self._rest + text).split("\n")
        self._rest = rest[-_REST_CHARACTERS:]
        for line in lines:
            self._take(line)

    def finish(self) -> None:
        """Take what was said without an end of line."""
        rest, self._rest = self._rest, ""
        self._take(rest)

    def failure(self, builder: str, *, said: str, secrets: Sequence[bytes], subject: str) -> PeerError:
        """Return the error of a failed build; ``said`` is the builder's own last word, ``secrets`` are masked."""
        masked = [value for secret in secrets for value in _forms(secret.decode(errors="replace"))]
        lines = [*self._lines, *(line for line in said.splitlines() if line.strip())]
        where = f" at {self.step}" if self.step else ""
        return PeerError(
            redact(f"{builder} could not build{where}", masked),
            code="engine-build-failed",
            why=redact("\n".join(lines[-_KEPT_LINES:]) or "it did not say why", masked),
            fix="Mend the step that is named, or what it needs from the context",
            subject=subject,
        )

    def _take(self, line: str) -> None:
        step, made, reused = _STEP.fullmatch(line), _MADE.fullmatch(line), _REUSED.fullmatch(line)
        if step is not None:
            self.step, self._lines = step[1][:_LINE_CHARACTERS], []
        elif made is not None:
            self._made.append(made[1])
        elif reused is not None:
            self._reused.add(reused[1])
        elif _WHOLE_ID.fullmatch(line):
            self.image_id = line
        elif line.strip():
            self._lines = [*self._lines, line[:_LINE_CHARACTERS]][-_KEPT_LINES:]


def _forms(secret: str) -> list[str]:
    return [secret, secret.strip(), *(line.strip() for line in secret.splitlines())]


def release(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version as it is told, (0, 0) of what is none."""
    found = _RELEASE.match(version)
    return (int(found[1]), int(found[2])) if found is not None else (0, 0)
