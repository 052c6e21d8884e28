# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Dockerfile asks for that only builds in containers can do."""

from __future__ import annotations

import typing as t

from ..model.errors import UnsupportedError
from .lexer import shown

if t.TYPE_CHECKING:
    from .parser import Instruction

_REMOTE = ("http://", "https://", "git://", "git@", "ssh://", "ftp://")


def is_remote(instruction: Instruction, source: str) -> bool:
    """Tell whether ``source`` is an address that ADD fetches."""
    return instruction.name == "ADD" and source.startswith(_REMOTE)


def obstacle(instruction: Instruction) -> UnsupportedError | None:
    """Return the error for an instruction that native builds cannot do, None when they can: see ``add_url``, too."""
    if instruction.name == "RUN":
        return UnsupportedError(
            f"{instruction.where}: RUN needs a container, and native builds start none",
            code="build-needs-run",
            why=shown(instruction.text),
            fix="install buildah, start from an image in which this was run, or copy the result with COPY --from",
            subject=instruction.where,
        )
    if not instruction.is_known:
        what, fix = f"the instruction {instruction.name}", "build with an engine that reads this syntax"
    elif instruction.engine_flags:
        what, fix = f"{instruction.name} --{instruction.engine_flags[0]}", "leave the flag out, or install buildah"
    else:
        return None
    return UnsupportedError(
        f"{instruction.where}: {what} cannot be built without an engine",
        code="dockerfile-flag",
        why=shown(instruction.text.partition("?")[0]),
        fix=fix,
        subject=instruction.where,
    )


def add_url(instruction: Instruction) -> UnsupportedError:
    """Return the error for an ADD of an address, whose query may be a secret and is not shown."""
    return UnsupportedError(
        f"{instruction.where}: ADD of an address cannot be built without an engine",
        code="add-url",
        why=shown(instruction.text.partition("?")[0]),
        fix="download it first (ansible.builtin.get_url with a checksum) and ADD the file, or install buildah",
        subject=instruction.where,
    )
