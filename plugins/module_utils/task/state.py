# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What image_state wants: with a lock or without. Only that module ships what reads locks."""

from __future__ import annotations

import typing as t

from .desired import read_state

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..plan.desired import Desired


def read_image_state(params: Mapping[str, t.Any]) -> Desired:
    """Return what the options of ``image_state`` desire.

    Raises:
        InputError: as ``read_state`` and ``read_locked_state``.
    """
    if params["lock"] in (None, ""):
        return read_state(params)
    from .locked import read_locked_state

    return read_locked_state(params)
