# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: reference
short_description: Take the name of a container image apart
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - Returns the parts of an image's name, completed as container engines complete it.
  - No registry is asked.
options:
  _input:
    description:
      - Name of an image, like V(redis), V(ghcr.io/team/app:1.2) or V(ghcr.io/team/app:1.2@sha256:…).
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
  - plugin: fleet.images.familiar
    plugin_type: filter
    description: The shortest form of a name.
  - plugin: fleet.images.digest
    plugin_type: lookup
    description: The digest that a name has at its registry.
"""

EXAMPLES = r"""
- name: The registries of a list of images
  ansible.builtin.debug:
    msg: "{{ ['redis:7', 'quay.io/team/app'] | map('fleet.images.reference') | map(attribute='registry') | unique }}"
    # => ['docker.io', 'quay.io']

- name: The parts of one name
  ansible.builtin.debug:
    var: "'redis:7' | fleet.images.reference"
    # => {registry: docker.io, path: library/redis, repository: docker.io/library/redis, tag: '7', digest: '',
    #     familiar: 'redis:7', full: 'docker.io/library/redis:7'}
"""

RETURN = r"""
_value:
  description: The parts of the name.
  type: dict
  contains:
    registry:
      description: Host of the registry, with its port if it has one.
      type: str
      sample: ghcr.io
    path:
      description: Path of the repository at its registry.
      type: str
      sample: team/app
    repository:
      description: Registry and path.
      type: str
      sample: ghcr.io/team/app
    tag:
      description: Tag. Empty when there is a digest and no tag.
      type: str
      sample: "1.2"
    digest:
      description: Digest. Empty when there is none.
      type: str
      sample: ""
    familiar:
      description: The shortest name that means the same.
      type: str
      sample: ghcr.io/team/app:1.2
    full:
      description: The complete name.
      type: str
      sample: ghcr.io/team/app:1.2
"""

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


def parts_of(name: object, **defaults: t.Any) -> dict[str, str]:
    """Return what the filter gives for ``name``."""
    from ..plugin_utils.named_images import read_name

    reference = read_name(name, defaults=defaults, plugin="fleet.images.reference")
    return {
        "registry": reference.registry,
        "path": reference.path,
        "repository": reference.repository,
        "tag": reference.tag or "",
        "digest": str(reference.digest or ""),
        "familiar": reference.familiar,
        "full": str(reference),
    }


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filter under its name."""
        return {"reference": parts_of}
