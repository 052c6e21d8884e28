# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Annotations and labels that this collection writes on content."""

from __future__ import annotations

KEY_LABEL = "images.fleet.build.key"
"""On an image that was built here: the key of its inputs."""

INPUTS_LABEL = "images.fleet.build.inputs"
"""On an image that was built here: the fields of its inputs, so that a change can be named."""

INDEX_DIGEST = "images.fleet.index.digest"
"""On an image manifest's descriptor in an image layout: digest of the index it was chosen from."""

IMAGE_NAME = "io.containerd.image.name"
"""On a manifest's descriptor in an archive: the image's full name, as containerd and BuildKit write it."""
