# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers of bytes as users write them."""

from __future__ import annotations

import re

from ..model.errors import InputError

_SIZE = re.compile(r"\s*(?P<amount>-?[0-9]{1,18}(?:\.[0-9]{1,9})?)\s*(?P<unit>[A-Za-z]*)\s*")
_LETTERS = "kmgtp"


def parse_size(text: str) -> int:
    """Return the bytes that ``text`` means: ``512MiB``, ``1.5 GB``, ``200M``, ``0`` or ``1073741824``.

    ``KB``, ``MB`` … are powers of 1,000; ``KiB``, ``MiB`` … and the single letters powers of 1,024. Case plays no part.
    A size may be negative.

    Raises:
        InputError: bad-size.
    """
    found = _SIZE.fullmatch(text)
    factor = _factor(found["unit"].lower()) if found is not None else None
    if found is None or factor is None:
        raise InputError(
            f"{text!r} is not a size",
            code="bad-size",
            fix="write it like 512MiB, 1GB or 0",
            subject=text,
        )
    return int(float(found["amount"]) * factor) if "." in found["amount"] else int(found["amount"]) * factor


def _factor(unit: str) -> int | None:
    """Return how many bytes ``unit`` has, None for what is no unit."""
    if unit in ("", "b"):
        return 1
    power, rest = _LETTERS.find(unit[0]) + 1, unit[1:]
    if not power or rest not in ("", "b", "ib"):
        return None
    return int((1000 if rest == "b" else 1024) ** power)
