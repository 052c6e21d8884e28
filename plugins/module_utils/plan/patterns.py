# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patterns of names."""

from __future__ import annotations

import typing as t
from fnmatch import fnmatchcase

if t.TYPE_CHECKING:
    from ..model.reference import Reference


def is_match(name: Reference, pattern: str) -> bool:
    """Tell whether the shell wildcards of ``pattern`` match the full or the familiar form of ``name``."""
    return fnmatchcase(str(name), pattern) or fnmatchcase(name.familiar, pattern)
