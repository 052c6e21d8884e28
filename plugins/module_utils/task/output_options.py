# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the option ``outputs`` of a build to where its image is written to."""

from __future__ import annotations

import os
import typing as t

from ..model.output import Output

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..plan.desired import DesiredImage
    from .reader import Reader


def read_outputs(reader: Reader, rows: Iterable[Mapping[str, t.Any]], *, path: str) -> tuple[Output, ...]:
    """Return the outputs; ``path`` is that of the option (``images[3].build.outputs``)."""
    outputs: list[Output] = []
    for at, row in enumerate(rows):
        where, dest = f"{path}[{at}].dest", row["dest"]
        if not os.path.isabs(dest):
            reader.problem(where, f"{dest!r} depends on where the module runs", fix="write it from / or ~ on")
            continue
        outputs.append(Output(row["type"], os.path.normpath(dest)))
    return tuple(outputs)


def tell_shared(reader: Reader, items: Sequence[DesiredImage]) -> None:
    """Keep a problem for each place that two outputs want, or that lies in the folder of another one."""
    outputs = sorted((output.dest, item.path, output.form) for item in items for output in item.outputs)
    for at, (dest, path, _form) in enumerate(outputs):
        for other, owner, form in outputs[:at]:
            if dest == other or (form == "local" and os.path.commonpath((dest, other)) == other):
                told = f"{dest} is written for {owner} too" if dest == other else f"{dest} lies in {other}, of {owner}"
                reader.problem(f"{path}.outputs", told, fix="name another dest")
