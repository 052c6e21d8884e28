# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: familiar
short_description: Shorten the name of a container image
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - Returns the shortest name that means the same image to container engines, as people write it.
  - No registry is asked.
options:
  _input:
    description:
      - Name of an image, like V(docker.io/library/redis:7).
    type: str
    required: true
  default_registry:
    description:
      - Registry of a name that names none.
    type: str
    default: docker.io
  default_namespaces:
    description:
      - Namespaces of a name that is a single word. The first one is taken.
    type: list
    elements: str
    default: [library]
  default_tag:
    description:
      - Tag of a name that has neither tag nor digest.
    type: str
    default: latest
seealso:
  - plugin: fleet.images.reference
    plugin_type: filter
    description: The parts of a name.
"""

EXAMPLES = r"""
- name: A report that people like to read
  ansible.builtin.debug:
    msg: "{{ ['docker.io/library/redis:7', 'quay.io/team/app'] | map('fleet.images.familiar') }}"
    # => ['redis:7', 'quay.io/team/app:latest']
"""

RETURN = r"""
_value:
  description: The shortest name.
  type: str
  sample: redis:7
"""

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


def familiar(name: object, **defaults: t.Any) -> str:
    """Return what the filter gives for ``name``."""
    from ..plugin_utils.named_images import read_name

    return read_name(name, defaults=defaults, plugin="fleet.images.familiar").familiar


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filter under its name."""
        return {"familiar": familiar}
