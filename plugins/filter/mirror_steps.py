# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mirror_steps
short_description: Plan how files of mirrors come and go
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - Returns the steps from what is on a host to the wanted files, and back to what was there before.
  - It is the plan of the role P(fleet.images.registry_mirrors#role). No file is read or written.
options:
  _input:
    description:
      - Text of each wanted file by its path. Without any, everything goes back to what it was.
    type: dict
    required: true
  record:
    description:
      - What the steps before gave as C(record), or an empty one.
    type: dict
    required: true
  stats:
    description:
      - Results of C(ansible.builtin.stat) for each file that is wanted or recorded, with the path as C(item).
    type: list
    elements: dict
    required: true
  folders:
    description:
      - Which folders above wanted files exist.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Look at what would be removed
  ansible.builtin.debug:
    msg: "{{ ({} | fleet.images.mirror_steps(record=record, stats=stats, folders=[])).removals }}"
  vars:
    record: {files: {/etc/new.conf: {backup: "", before: "", written: []}}, folders: []}
    stats: [{item: /etc/new.conf, stat: {exists: true, checksum: 0a4d55a8d778e5022fab701977c5d840bbc486d0}}]
"""

RETURN = r"""
_value:
  description:
    - The steps. These are C(backups), C(journal), C(folders_made), C(writes), C(restores), C(removals), C(folders),
      C(forgotten) and C(record), in this order. C(foreign) names files that somebody else changed since.
  type: dict
"""

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


def mirror_steps(wanted: t.Any, *, record: t.Any, stats: t.Any, folders: t.Any) -> dict[str, t.Any]:
    """Return what the filter gives for the files ``wanted``."""
    from ..plugin_utils.mirror_filters import steps_of

    return steps_of(wanted, record, stats=stats, folders=folders)


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filter under its name."""
        return {"mirror_steps": mirror_steps}
