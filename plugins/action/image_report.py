# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_report runs on the control node and nowhere else: all of it is here and in plugin_utils."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible.plugins.action import ActionBase

from ..module_utils.model.errors import ImagesError
from ..module_utils.task.check_mode import is_plan_only
from ..plugin_utils.control_files import ControlFiles
from ..plugin_utils.report_document import refuse
from ..plugin_utils.report_run import checked, report_fleet
from ..plugin_utils.state_arguments import prepare

if t.TYPE_CHECKING:
    from ..plugin_utils.state_arguments import Prepared


class ActionModule(ControlFiles, ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Compares what hosts returned with what they must hold, and writes the report."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result, with ``fail_on`` also of a failure: the files are written then."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        try:
            params = checked(self._task.args)
            prepared = prepare(self._task.args, find=self._find)
            result.update(self._told(prepared, params))
            refuse(result.pop("report"), fail_on=params["fail_on"])
        except ImagesError as error:
            return {**result, "failed": True, "msg": str(error), "error": error.to_json()}
        return result

    def _told(self, prepared: Prepared, params: dict[str, t.Any]) -> dict[str, t.Any]:
        """Write the report, unless dry, and return what the task tells, and the report itself.

        Raises:
            ImagesError: as ``report_fleet``, or a file cannot be written.
        """
        given = {key: prepared.arguments.get(key) for key in ("images", "lock")}
        made_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        reported = report_fleet({**params, **given}, made_at=made_at, place=self._place)
        if not is_plan_only(self._task):
            reported.write()
        return {**prepared.told_in(reported.result()), "report": reported.report}
