# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules whose whole work is done on the control node, by the action of the same name."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..model.errors import UnsupportedError
from .failure import failures_told
from .options import COMMON

if t.TYPE_CHECKING:
    from .options import Spec


def refuse_host(*, options: Spec) -> None:
    """Fail: on a host such a module runs only where something passes its action by. Ends the process.

    Raises:
        UnsupportedError: never: it is told as the task's failure, control-node-only.
    """
    module = AnsibleModule(argument_spec={**COMMON, **options}, supports_check_mode=True)
    with failures_told(module):
        raise UnsupportedError(
            "This module works on the control node only",
            code="control-node-only",
            fix="run it as a task of its own name, not through another action",
        )
