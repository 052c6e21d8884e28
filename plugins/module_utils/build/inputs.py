# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inputs key: one digest over everything that an image depends on, and a digest for each part of it.

Equal keys mean equal images; the key is kept as a label on the image. The fields of ``InputsKey.fields``: ``builder``
(the rules of this builder, or that containers build), ``dockerfile`` (text of the instructions of the needed stages,
continuations joined, without comments), ``context`` (path, kind, mode, link target and content of what is reached),
``arg:NAME``, ``label:NAME``, ``base:REFERENCE``, ``platform``, ``build-platform``, ``target``; ``source-date-epoch`` of
native builds; ``network``, ``squash``, ``shm-size``, ``etc-hosts``, ``secrets`` (IDs) of others, where they are set.
"""

from __future__ import annotations

import json
import typing as t

from ..model.digest import Digest
from .stages import stage_steps
from .words import mentioned

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Set

    from ..model.platform import Platform
    from .base import Base, BuildSpec
    from .context import Row
    from .parser import Instruction
    from .stages import StagePlan

BUILDER_VERSION = "1"
"""Changes when the same inputs give another image: raise it with every such change."""
SHORT = len("sha256:") + 12
"""Characters of a digest that tell two apart."""

_CONTAINERS = "containers"  # what an engine does with the same inputs is its own


class InputsKey(t.NamedTuple):
    """``key`` is ``sha256:…`` over ``fields``; each field holds a digest (or short text) of one input."""

    key: str
    fields: Mapping[str, str]

    @property
    def label(self) -> str:
        """The fields as an image's label keeps them: compact JSON, digests shortened but for those of bases."""
        return json.dumps(shortened(self.fields), separators=(",", ":"), sort_keys=True)


def shortened(fields: Mapping[str, str]) -> dict[str, str]:
    """Return ``fields`` with each digest but those of bases cut; what was cut before stays as it is."""
    return {
        name: text if name.startswith("base:") or not text.startswith("sha256:") else text[:SHORT]
        for name, text in fields.items()
    }


def inputs_key(
    plan: StagePlan,
    spec: BuildSpec,
    *,
    used: Set[str],
    context: str,
    base_digests: Mapping[Base, Digest],
    has_open_end: bool,
) -> InputsKey:
    """Return the key of a build that sees what ``context``, a ``rows_digest``, stands for.

    No value of an arg or label can be read from it. ``used`` are args that no instruction mentions and steps see
    nonetheless. ``has_open_end`` says that a base has ONBUILD triggers: then every arg may be used.
    """
    instructions = _instructions(plan)
    text = "\n".join(_text(instruction) for instruction in instructions)
    names = mentioned(text) | used
    fields = {
        "builder": BUILDER_VERSION if spec.is_native else _CONTAINERS,
        "dockerfile": _hash([plan.escape, *([i.text, *map(list, i.heredocs)] for i in instructions)]),
        "context": context,
        "platform": str(spec.platform),
        "target": spec.target,
    }
    fields.update({"source-date-epoch": str(spec.source_date_epoch)} if spec.is_native else _engine_fields(spec))
    if any(name.startswith("BUILD") and name in names for name in plan.given.platform):
        fields["build-platform"] = plan.given.platform["BUILDPLATFORM"]
    given = {name for name in spec.args if has_open_end or name in names}
    fields.update({f"arg:{name}": _hash(spec.args[name]) for name in given})
    fields.update({f"label:{name}": _hash(value) for name, value in spec.labels.items()})
    for base, digest in base_digests.items():
        own = "" if base.platform == spec.platform else f" {base.platform}"
        fields[f"base:{base.reference}{own}"] = str(digest)
    if has_open_end:
        fields["onbuild"] = "whole context"
    ordered = dict(sorted(fields.items()))
    return InputsKey(_hash(ordered), ordered)


def combined_key(keys: Mapping[Platform, InputsKey]) -> InputsKey:
    """Return the one key of builds for several platforms.

    A field that is the same for all is there once; one that is not has the platform behind its name. ``platform`` lists
    them in their order, as the index does.
    """
    fields = {"platform": ",".join(map(str, keys))}
    for name in {name for key in keys.values() for name in key.fields} - {"platform"}:
        told = {platform: key.fields.get(name) for platform, key in keys.items()}
        if len(set(told.values())) == 1:
            fields[name] = next(iter(told.values())) or ""
        else:
            fields.update({f"{name} {platform}": text for platform, text in told.items() if text is not None})
    ordered = dict(sorted(fields.items()))
    return InputsKey(_hash(ordered), ordered)


def rows_digest(rows: Iterable[Row]) -> str:
    """Return the digest that stands for ``rows`` of a context."""
    return _hash([list(row) for row in rows])


def _engine_fields(spec: BuildSpec) -> dict[str, str]:
    """Return what only builds in containers heed; what is not set is no field."""
    fields = {
        "network": spec.network,
        "squash": "true" if spec.squash else "",
        "shm-size": str(spec.shm_size or ""),
        "etc-hosts": _hash(dict(spec.etc_hosts)) if spec.etc_hosts else "",
        "secrets": " ".join(sorted(spec.secret_ids)),
    }
    return {name: text for name, text in fields.items() if text}


def _instructions(plan: StagePlan) -> list[Instruction]:
    """Return what the image depends on: ARGs above the first FROM, and each needed stage."""
    rows = list(plan.top)
    for number in plan.needed:
        stage = plan.stages[number]
        rows += [stage.opening, *stage_steps(plan, stage)]
    return rows


def _text(instruction: Instruction) -> str:
    return "\n".join([instruction.text, *(heredoc.body for heredoc in instruction.heredocs)])


def _hash(value: object) -> str:
    return str(Digest.of(json.dumps(value, separators=(",", ":"), sort_keys=True).encode()))
