# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mirror_files
short_description: Render the files with which engines use mirrors
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - Returns the configuration files of Docker, containerd and Podman for a declaration of mirrors.
  - What is written there already stays, line for line where the file is TOML.
  - No file is read or written. The role P(fleet.images.registry_mirrors#role) does that.
options:
  _input:
    description:
      - Mirrors, as the variable C(fleet_images_mirrors) of the role declares them.
    type: list
    elements: dict
    required: true
  engines:
    description:
      - Which engines use them.
    type: list
    elements: str
    choices: [docker, containerd, podman]
    required: true
  places:
    description:
      - Path of each file or folder. Keys are C(docker_config), C(docker_certs), C(containerd_config),
        C(containerd_certs), C(podman_config) and C(podman_certs).
    type: dict
    required: true
  docker_store:
    description:
      - How Docker keeps images. With V(containerd), from Docker 28 on, it mirrors every registry, else only Docker Hub.
    type: str
    choices: [classic, containerd]
    default: classic
  tags:
    description:
      - Whether mirrors are asked what a tag means. With V(origin) only what is pulled by digest comes from a mirror.
    type: str
    choices: [mirror, origin]
    default: mirror
  existing:
    description:
      - What files contain before, by path. Files that do not exist are left out.
    type: dict
    default: {}
  others:
    description:
      - What further files of Podman contain, by path.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Look at what containerd would get
  ansible.builtin.debug:
    msg: "{{ (mirrors | fleet.images.mirror_files(engines=['containerd'], places=places)).files }}"
  vars:
    mirrors:
      - registry: ghcr.io
        location: cache.example.com:5000
    places:
      docker_config: /etc/docker/daemon.json
      docker_certs: /etc/docker/certs.d
      containerd_config: /etc/containerd/config.toml
      containerd_certs: /etc/containerd/certs.d
      podman_config: /etc/containers/registries.conf.d/500-fleet-images-mirrors.conf
      podman_certs: /etc/containers/certs.d
"""

RETURN = r"""
_value:
  description: The files, and what an engine cannot do.
  type: dict
  contains:
    files:
      description: Text of each file by its path.
      type: dict
    folders:
      description: Every folder above the files, outer ones first.
      type: list
      elements: str
    refused:
      description: Mirrors that an engine cannot have. Each has C(engine), C(registry), C(location) and C(reason).
      type: list
      elements: dict
"""

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable


def mirror_files(declared: object, **options: t.Any) -> dict[str, t.Any]:
    """Return what the filter gives for the mirrors ``declared``."""
    from ..plugin_utils.mirror_filters import files_of

    return files_of(declared, options)


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        """Return the filter under its name."""
        return {"mirror_files": mirror_files}
