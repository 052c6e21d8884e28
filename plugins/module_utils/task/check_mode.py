# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one line that looks at check mode: what it prints is the plan that a real run carries out."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def is_plan_only(module: AnsibleModule) -> bool:
    """Tell whether only the plan is wanted."""
    return bool(module.check_mode)
