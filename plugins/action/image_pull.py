# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_pull as Ansible runs any module; for who watches it also asks the host how far it is."""

from __future__ import annotations

import typing as t

from ansible.plugins.action.normal import ActionModule as AnyModule

from ..plugin_utils.progress_asking import asked


class ActionModule(AnyModule):  # type: ignore[misc]  # Ansible has no types
    """Runs the module of the same name on the host."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the module's result."""
        with asked(self, (task_vars or {}).get("inventory_hostname", "")):
            return t.cast("dict[str, t.Any]", super().run(tmp, task_vars))
