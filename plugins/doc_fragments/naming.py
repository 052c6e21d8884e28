# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that complete short image names."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  default_registry:
    description:
      - Registry of image names that name none.
    type: str
    default: docker.io
  default_namespaces:
    description:
      - Namespaces of image names that are a single word, like V(redis).
      - With several of them, the first one that has the image is taken. An image on the host goes before one at a registry.
    type: list
    elements: str
    default: [library]
  default_tag:
    description:
      - Tag of image names that have neither tag nor digest.
    type: str
    default: latest
"""
