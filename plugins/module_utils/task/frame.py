# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The frame of modules with work of their own: from options to a result, or to a failure that explains itself."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .check_mode import is_plan_only
from .failure import failures_told
from .options import COMMON

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from .options import Spec


class Work(t.Protocol):
    """What a module does."""

    def __call__(self, params: Mapping[str, t.Any], *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
        """Return result and warnings; with ``is_dry`` what they would be, and nothing is changed.

        Raises:
            ImagesError: it cannot be done.
        """


def run_work(work: Work, *, options: Spec, **rules: t.Any) -> None:
    """Run a module with these ``options`` beside the common ones. ``rules`` go to AnsibleModule. Ends the process."""
    module = AnsibleModule(argument_spec={**COMMON, **options}, supports_check_mode=True, **rules)
    started = time.monotonic()
    with failures_told(module):
        result, warnings = work(module.params, is_dry=is_plan_only(module))
        for warning in warnings:
            module.warn(warning)
        module.exit_json(**result, elapsed=round(time.monotonic() - started, 3))
