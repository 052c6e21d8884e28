# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_lock runs on the control node, whatever host the task is for: this brings its module there."""

from __future__ import annotations

import sys
import typing as t

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader
from ansible.utils.vars import merge_hash

from ..module_utils.model.errors import ImagesError
from ..plugin_utils.control_files import ControlFiles
from ..plugin_utils.lock_arguments import lock_arguments
from ..plugin_utils.state_arguments import prepare


class ActionModule(ControlFiles, ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Validates ``images``, reads ``from_file``, then runs the module of the same name beside itself."""

    _supports_check_mode = True
    _supports_async = False
    _connection: t.Any

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result, or a failure of the same form without having run it."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        try:
            prepared = prepare(self._task.args, find=self._find)
        except ImagesError as error:
            return {**result, "failed": True, "msg": str(error), "error": error.to_json()}
        arguments = lock_arguments(prepared.arguments, find=self._find, place=self._place)
        answer = prepared.told_in(self._run_here(arguments, task_vars or {}))
        return t.cast("dict[str, t.Any]", merge_hash(result, answer))

    def _run_here(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return what the module says on this machine, run by Ansible's own Python and without become."""
        here = {**task_vars, "ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        if self._task.delegate_to:
            here["ansible_delegated_vars"] = {self._task.delegate_to: here}
        given = self._connection
        self._connection = connection_loader.get("ansible.legacy.local", self._play_context)
        try:
            answer: dict[str, t.Any] = self._execute_module(
                module_name="fleet.images.image_lock", module_args=arguments, task_vars=here
            )
            self._remove_tmp_path(self._connection._shell.tmpdir)
        finally:
            self._connection = given
        return answer
