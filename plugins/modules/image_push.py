#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
"""

EXAMPLES = r"""
"""

RETURN = r"""
"""

from ..module_utils.task.desired import read_push
from ..module_utils.task.options import NAMES, PUSH
from ..module_utils.task.run import run_task


def main() -> None:
    run_task(read_push, options={**NAMES, **PUSH})


if __name__ == "__main__":
    main()
