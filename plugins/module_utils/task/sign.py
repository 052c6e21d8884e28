# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signing, from options to result: the module's frame."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .check_mode import is_plan_only
from .failure import failures_told
from .options import COMMON

if t.TYPE_CHECKING:
    from .options import Spec

#: Beside NAMES.
SIGN: Spec = {
    "private_key": {"type": "str", "no_log": True},
    "private_key_path": {"type": "path", "no_log": False},
    "private_key_passphrase": {"type": "str", "no_log": True},
    "identity": {"type": "str", "choices": ["repository", "exact"], "default": "repository"},
    "recursive": {"type": "bool", "default": False},
}


def run_sign(*, options: Spec, **rules: t.Any) -> None:
    """Run the module that signs. ``rules`` go to AnsibleModule. Ends the process, as modules do."""
    module = AnsibleModule(argument_spec={**COMMON, **options}, supports_check_mode=True, **rules)
    started = time.monotonic()
    with failures_told(module):
        from .signing import sign_images

        result, warnings = sign_images(module.params, is_dry=is_plan_only(module))
        for warning in warnings:
            module.warn(warning)
        module.exit_json(**result, elapsed=round(time.monotonic() - started, 3))
