# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What became of a plan."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.digest import Digest
    from ..model.host import Identity


class Outcome(t.NamedTuple):
    """A plan that was carried out in full.

    ``built`` are the identities that were Pending, by the id of the action that made them, ``pushed`` the digests that
    a registry alone could tell, by the id of the push; ``moved`` are the bytes that went over the network, ``freed``
    those that removed names gave back on disk; ``warnings`` tell what else went wrong; ``builders`` say what built, by
    the id of the build.
    """

    built: Mapping[int, Identity] = {}
    pushed: Mapping[int, Digest] = {}
    moved: int = 0
    freed: int = 0
    warnings: tuple[str, ...] = ()
    builders: Mapping[int, str] = {}
