# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What image_prune is told, and the rule that it means."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ..model.errors import InputError
from ..model.moments import parse_until
from ..plan.pruning import Prune
from .reader import Reader

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import Spec

    Params = Mapping[str, t.Any]

PRUNE: Spec = {
    "all": {"type": "bool", "default": False},
    "filters": {"type": "dict", "default": {}, "aliases": ["images_filters", "image_filters"]},
    "protect": {"type": "list", "elements": "str", "default": [], "aliases": ["keep"]},
    "keep_newest": {"type": "int", "default": 0},
    "caches": {"type": "bool", "default": False},
}

_DANGLING = ("dangling", "dangling_only")
_KNOWN = ("until", "label", "label!", *_DANGLING)


def read_prune(params: Params) -> Prune:
    """Return which images the options say go.

    Raises:
        InputError: they are wrong; it tells all that is.
    """
    reader, filters = Reader(params), dict(params["filters"])
    for key in filters:
        if key not in _KNOWN:
            reader.problem(f"filters.{key}", "there is no such filter", fix=f"known are {', '.join(_KNOWN)}")
    takes_named = bool(params["all"])
    for key in _DANGLING:
        if filters.get(key) is not None:
            is_dangling_only = _is_true(reader, filters[key], path=f"filters.{key}")
            if params["all"] and is_dangling_only:
                reader.problem(f"filters.{key}", "it contradicts all", fix="keep one of the two")
            takes_named |= not is_dangling_only
    if params["keep_newest"] < 0:
        reader.problem("keep_newest", f"{params['keep_newest']} is too little", fix="give 0 or more")
    for at, pattern in enumerate(params["protect"]):
        if not pattern.strip():
            reader.problem(f"protect[{at}]", "it is empty, and protects nothing", fix="write it like team/*")
    rule = Prune(
        takes_named,
        _until(reader, filters.get("until")),
        _labels(reader, filters, key="label"),
        _labels(reader, filters, key="label!"),
        tuple(params["protect"]),
        params["keep_newest"],
    )
    reader.finish()
    return rule


def _is_true(reader: Reader, value: object, *, path: str) -> bool:
    try:
        return bool(boolean(value, strict=True))
    except TypeError:
        reader.problem(path, f"{value!r} is neither true nor false", fix="write true or false")
        return True


def _until(reader: Reader, value: object) -> float | None:
    if value is None:
        return None
    try:
        return parse_until(str(value), time.time)
    except InputError as error:
        reader.problem("filters.until", error.what, fix=error.fix)
        return None


def _labels(reader: Reader, filters: Params, *, key: str) -> tuple[str, ...]:
    value = filters.get(key)
    texts = [] if value is None else [str(text) for text in value] if isinstance(value, (list, tuple)) else [str(value)]
    if any(not text.partition("=")[0] for text in texts):
        reader.problem(f"filters.{key}", "a label without a name", fix="write it like team or team=web")
    return tuple(texts)
