# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ``RUN --mount`` brings into a step.

Source: Dockerfile reference, "RUN --mount".
"""

from __future__ import annotations

import re
import typing as t

ORIGIN = re.compile(r'(?:^|,)"?from=([^,"]*)')
"""Where the stage or image stands in a mount's text."""


class Mount(t.NamedTuple):
    """One mount: its type, the stage or image it comes from ("": the context, where it has one), the path there."""

    kind: str
    origin: str
    source: str

    @property
    def reads_context(self) -> bool:
        """Whether the step sees files of the context through it."""
        return self.kind == "bind" and not self.origin


def read_mount(text: str) -> Mount:
    """Return what ``--mount=text`` says, variables not replaced; without a source it is all there is."""
    fields = {}
    for part in text.split(","):
        key, _sign, value = part.strip('"').partition("=")
        fields[key.strip().lower()] = value
    origin = ORIGIN.search(text)
    source = fields.get("source") or fields.get("src") or "/"
    return Mount(fields.get("type") or "bind", origin[1] if origin else "", source)
