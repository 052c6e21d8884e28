# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an image is made from a container."""

from __future__ import annotations

import typing as t


class Commit(t.NamedTuple):
    """What the user says of it: ``changes`` are Dockerfile instructions, one each.

    ``pauses``: the container stands still meanwhile.
    """

    author: str = ""
    message: str = ""
    changes: tuple[str, ...] = ()
    pauses: bool = True
