# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control node's half of image_state: it refuses a wrong document before anything is sent to the host."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ..module_utils.model.errors import ImagesError
from ..plugin_utils.image_problems import check_images


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Validates ``images``, then runs the module of the same name."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result, or a failure of the same form without having reached the host."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        try:
            # without the option, the module says so
            if "images" in self._task.args:
                check_images(self._task.args["images"])
        except ImagesError as error:
            return {**result, "failed": True, "msg": str(error), "error": error.to_json()}
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        answer = self._execute_module(
            module_name="fleet.images.image_state", task_vars=task_vars, wrap_async=wrap_async
        )
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return t.cast("dict[str, t.Any]", merge_hash(result, answer))
