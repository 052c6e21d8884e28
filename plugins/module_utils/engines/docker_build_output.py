# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Docker's builders say while they build: the image, or the step that failed and its last lines."""

from __future__ import annotations

import re
import typing as t

from ..model.errors import PeerError
from .docker_progress import failure_told

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..wire.engine_stream import EngineStream
    from ..wire.time_limit import TimeLimit

SILENCE_SECONDS = 6 * 3600.0  # a step may compile for hours and print nothing

_STEP_CHARACTERS = 300
_KEPT_CHARACTERS = 16_000
_SHOWN_LINES = 20
_SHOWN_CHARACTERS = 2000

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STEP = re.compile(r"Step [0-9]+/[0-9]+ : ")
_NOISE = (" --->", "Removing intermediate container ")
_PROGRESS = re.compile(r"#([0-9]+) (.+)")
_TIMED = re.compile(r"[0-9]+\.[0-9]+ (.*)")


class Outcome(t.NamedTuple):
    """How a build ended: the image's ID; or the words of the failure, the step it came in, and what that printed."""

    image: str = ""
    failure: str = ""
    step: str = ""
    printed: str = ""


def listen(answer: EngineStream, *, limit: TimeLimit) -> Outcome:
    """Read the messages of the classic builder to their end. Source: Docker Engine API v1.41, "Build an image".

    Raises:
        UnavailableError: deadline-passed: ``limit`` came; engine-connection-lost, engine-timeout.
        PeerError: engine-not-json.
    """
    image = failure = step = printed = ""
    for message in answer.messages():
        answer.wait_at_most(limit.left(SILENCE_SECONDS))
        told, text = message.get("aux"), message.get("stream")
        if isinstance(told, dict) and isinstance(told.get("ID"), str):
            image = told["ID"]  # each stage has one; the last is the target's
        if isinstance(text, str) and _STEP.match(text):
            step, printed = text.strip(), ""
        elif isinstance(text, str) and not text.startswith(_NOISE):
            printed = (printed + text)[-_KEPT_CHARACTERS:]
        failure = failure_told(message) or failure
    if answer.status != 200 and not failure:
        failure = f"status {answer.status}"
    return Outcome(image, failure, step, printed)


def read_progress(text: str) -> Outcome:
    """Return what failed, from what BuildKit's client printed with ``--progress=plain``; the start may be missing.

    A line of a step starts with its number: ``#5 [2/3] RUN make``, ``#5 0.12 output``, ``#5 ERROR: words``. The last
    error ends the build: caches that cannot be had come before, and end nothing.
    """
    steps: dict[str, str] = {}
    printed: dict[str, list[str]] = {}
    failed = failure = summary = ""
    rest: list[str] = []
    for line in text.splitlines():
        found = _PROGRESS.fullmatch(line)
        if found is None:
            rest.append(line)
            summary = line[3:].rstrip(":") if line.startswith(" > ") else summary
            continue
        number, said = found.groups()
        output = _TIMED.fullmatch(said)
        if said.startswith("ERROR: "):
            failed, failure = number, said[len("ERROR: ") :]
        elif output is not None:
            printed.setdefault(number, []).append(output[1])
        elif said.startswith("["):
            steps[number] = said
    if not failed:
        return Outcome(failure="\n".join(rest) or text)
    return Outcome("", failure, steps.get(failed, summary), "\n".join(printed.get(failed, ())))


def build_failed(outcome: Outcome, *, secrets: Sequence[bytes] = ()) -> PeerError:
    """Return the error for a build that did not end well; no line of a secret is in it."""
    from ..wire.redact import redact

    hidden = [secret.decode(errors="replace") for secret in secrets]
    hidden += [line for secret in hidden for line in secret.splitlines()]
    failure, step, printed = (redact(_COLOUR.sub("", text), hidden) for text in outcome[1:])
    return PeerError(
        f"The build failed in {step[:_STEP_CHARACTERS]}" if step else "Docker could not build the image",
        code="engine-build-failed",
        why="\n".join(part for part in (_end(printed), _end(failure)) if part),
        fix="Correct the step, or run it in a container of the step before to see what it needs",
    )


def _end(text: str) -> str:
    """Return the last lines."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-_SHOWN_LINES:])[-_SHOWN_CHARACTERS:].strip()
