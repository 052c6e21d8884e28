# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where files that a task names are on the control node."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError


class ControlFiles:
    """A part of actions, beside Ansible's own."""

    _loader: t.Any
    _find_needle: t.Callable[[str, str], t.Any]

    def _place(self, path: str) -> str:
        """Return where ``path``, which starts at the playbook, is or will be."""
        return str(self._loader.path_dwim(path))

    def _find(self, path: str) -> str:
        """Return where ``path`` is: beside the playbook, or where roles keep files."""
        beside = self._place(path)
        if os.path.exists(beside):
            return beside
        try:
            return str(self._find_needle("files", path))
        except AnsibleError:
            return beside
