# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that are also written to files or folders of the host. Imported when an item has outputs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..model.host import Identity
from .actions import Action
from .world import Held, Pending

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.output import Output, Written
    from ..model.reference import Reference
    from .draft import Draft


@dataclass(frozen=True)
class Write(Action):
    """Write ``source``, which the host holds by then, to ``output`` in place of what is there."""

    kind: t.ClassVar[str] = "write"

    source: Identity | Pending
    output: Output

    @property
    def where(self) -> str:
        """See Action."""
        return f" to {self.output.dest} ({self.output.form})"

    def to_json(self) -> dict[str, t.Any]:
        """Return the row that a task reports, with where it goes."""
        return {**super().to_json(), "type": self.output.form, "dest": self.output.dest}


def plan_writes(
    draft: Draft, name: Reference, *, outputs: Sequence[Output], source: Held, written: Mapping[Output, Written | None]
) -> None:
    """Plan that each of ``outputs`` holds ``source`` by its ``name``; ``written`` is what they hold now."""
    for output in outputs:
        there = written[output]
        cause = _cause(output, name, source=source, there=there)
        if cause:
            former = Held(there.identity) if there is not None else None
            note = " (changed since it was written)" if there is not None and not there.is_intact else ""
            draft.write(name, output=output, source=source, former=former, note=note, cause=cause)


def _cause(output: Output, name: Reference, *, source: Held, there: Written | None) -> str:
    if there is None:
        return "not written yet"
    if not isinstance(source.identity, Identity):
        return "built in this run"
    if not source.is_same_image(there.identity):
        return "another image is there"
    if output.is_whole_image and there.name != str(name):
        return f"the image is named {there.name} there" if there.name else "the image has no name there"
    return "" if there.is_intact else "it changed since it was written"
