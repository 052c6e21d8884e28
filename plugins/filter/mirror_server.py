# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mirror_server
short_description: Render the configuration of what serves mirrors
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - Returns the configuration with which zot, Harbor, Spegel or Dragonfly serve the mirrors declared of their kind.
  - Nothing is installed, and credentials for upstream registries are not part of it.
options:
  _input:
    description:
      - Mirrors, as the variable C(fleet_images_mirrors) of the role P(fleet.images.registry_mirrors#role) declares
        them. Those of another kind are left out.
    type: list
    elements: dict
    required: true
  kind:
    description:
      - What serves them.
      - V(zot) gives the JSON of its configuration file.
      - V(harbor) gives JSON with the bodies of requests, C(registries) for C(/api/v2.0/registries), and C(projects),
        whose C(body) is for C(/api/v2.0/projects) with the number of the named C(registry) as C(registry_id).
      - V(spegel) gives the environment of its command C(registry).
      - V(dragonfly) gives the section C(proxy) of C(dfdaemon.yaml).
    type: str
    choices: [zot, harbor, spegel, dragonfly]
    required: true
  peers:
    description:
      - Addresses with which Spegel begins, as it writes them.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Configure zot
  ansible.builtin.copy:
    dest: /etc/zot/config.json
    content: "{{ fleet_images_mirrors | fleet.images.mirror_server(kind='zot') }}"
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The configuration as text.
  type: str
"""

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


def mirror_server(declared: object, **options: t.Any) -> str:
    """Return what the filter gives for the mirrors ``declared``."""
    from ..plugin_utils.mirror_filters import server_of

    return server_of(declared, options)


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filter under its name."""
        return {"mirror_server": mirror_server}
