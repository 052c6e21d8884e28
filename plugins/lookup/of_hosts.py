# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: of_hosts
short_description: Read a variable of many hosts, as each of them sees it
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - Returns the value that a variable has on each host. The playbooks of this collection read the lists of a fleet with
    it.
  - Unlike C(hostvars[host].variable), the variable may itself use C(hostvars), for example for the address of a
    registry that another host has.
  - As with C(hostvars), what plays and roles set with C(vars) is not known for other hosts.
options:
  _terms:
    description:
      - Names of hosts in the inventory.
    type: list
    elements: str
    required: true
  variable:
    description:
      - The name of the variable.
    type: str
    required: true
  default:
    description:
      - The value for hosts that do not have the variable.
    type: raw
seealso:
  - plugin: fleet.images.digest
    plugin_type: lookup
    description: The other lookup of this collection.
"""

EXAMPLES = r"""
- name: Every image that a host of the fleet must have
  ansible.builtin.debug:
    msg: >-
      {{ query('fleet.images.of_hosts', *groups['all'], variable='fleet_images', default=[])
         | flatten(levels=1) | unique }}
"""

RETURN = r"""
_list:
  description: The value of the variable on each host, in the order of the hosts.
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.template import Templar


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible has no types
    """Evaluates a variable once for each host."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[t.Any]:
        """Return the value of the variable on each host of ``terms``."""
        self.set_options(var_options=variables, direct=options)
        hostvars = (variables or {})["hostvars"]
        return [self._value(host, hostvars) for host in terms]

    def _value(self, host: str, hostvars: t.Any) -> t.Any:
        name = self.get_option("variable")
        # What Ansible gives for hostvars[host] does not have hostvars itself.
        own = {**hostvars.raw_get(host), "hostvars": hostvars}
        if name not in own:
            return self.get_option("default")
        try:
            return Templar(loader=self._loader, variables=own).template(own[name])
        except AnsibleError as error:
            raise AnsibleLookupError(f"fleet.images.of_hosts: {name} of {host}: {error}") from error
