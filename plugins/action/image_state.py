# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control node's half of image_state: it reads what lies there, and refuses what is wrong before hosts see it."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ..module_utils.model.errors import ImagesError
from ..plugin_utils.control_files import ControlFiles
from ..plugin_utils.progress_asking import asked
from ..plugin_utils.state_arguments import prepare


class ActionModule(ControlFiles, ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Validates ``images``, reads ``from_file`` and ``lock``, then runs the module of the same name."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result, or a failure of the same form without having reached the host."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        try:
            prepared = prepare(self._task.args, find=self._find)
        except ImagesError as error:
            return {**result, "failed": True, "msg": str(error), "error": error.to_json()}
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        with asked(self, (task_vars or {}).get("inventory_hostname", "")):
            answer: dict[str, t.Any] = self._execute_module(
                module_name="fleet.images.image_state",
                module_args=prepared.arguments,
                task_vars=task_vars,
                wrap_async=wrap_async,
            )
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return t.cast("dict[str, t.Any]", merge_hash(result, self._told(prepared.told_in(answer))))

    def _told(self, answer: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the module's answer with the lock as the task wrote it."""
        arguments = answer.get("invocation", {}).get("module_args", {})
        if arguments.get("lock"):
            arguments["lock"] = self._task.args["lock"]
        return answer
