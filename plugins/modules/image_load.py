#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_load
short_description: Load container images from an archive
version_added: 1.0.0
description:
  - Loads the images of an archive, as M(fleet.images.image_save), C(docker save), C(podman save), C(ctr images export),
    C(skopeo), C(docker buildx) and other builders write it, an OCI image layout or Docker's own form. The archive may
    be compressed as a whole with gzip, bzip2, xz or zstd.
  - The task is changed when the host did not have one of the images under one of its names. What is in the archive is
    read first, and images that are there already are not loaded again, also when another engine or another manifest
    brought them. A name that points at another image moves.
  - Every part is verified against its digest, and what is damaged is not loaded. Works with all engines, also those
    that have no command for it.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  path:
    description:
      - The archive, a file on the host, as an absolute path.
      - With O(remote_src=false) a file on the control node, absolute, or looked for as the C(src) of C(copy) is.
    type: path
    required: true
    aliases: [input, src, load_path, archive_path]
  remote_src:
    description:
      - Whether O(path) is a file on the host, or on the control node.
      - From the control node the host first gets to know what is in the archive, which is a few kilobytes. The archive
        itself is copied only when the host lacks one of the images, and removed again afterwards.
    type: bool
    default: true
  name:
    description:
      - Which images of the archive to load, by name, digest or ID. A single one may be given as a string. Without it
        all are loaded, and an empty list loads none.
      - The task fails, before anything is changed, when the archive does not hold one of them.
    type: list
    elements: str
    aliases: [image, names]
  tag:
    description:
      - Tag of names that have neither tag nor digest. Without it O(default_tag) is taken.
    type: str
  repository:
    description:
      - The names to give to the image instead of those in the archive. Those without a tag get O(tag).
      - For one image, so O(name) must say which when there are several. Needed where the archive tells no name.
    type: list
    elements: str
    aliases: [target_names, target]
  platform:
    description:
      - Load the image for this platform, like V(linux/arm64). An architecture alone means Linux.
      - Without it, the one that suits the host best is taken, or the only one there is. An index whose images are all
        in the archive is loaded whole by the embedded store and by containerd.
    type: str
    aliases: [arch]
seealso:
  - module: fleet.images.image_save
    description: Save images into an archive.
  - module: fleet.images.image_state
    description: Bring a host to a list of images, in one task.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Load all images of a release
  fleet.images.image_load:
    path: /srv/media/release-1.2.tar

- name: Load one of them
  fleet.images.image_load:
    path: /srv/media/release-1.2.tar
    name: ghcr.io/team/app:1.2

- name: Load what lies on the control node into hosts that do not have it yet
  fleet.images.image_load:
    path: media/release-1.2.tar
    remote_src: false

- name: Load an image, and say what to call it
  fleet.images.image_load:
    path: /srv/media/app.tar.gz
    repository:
      - registry.example.com/team/app:1.2
      - app:current
"""

RETURN = r"""
changed:
  description: Whether an image was loaded or a name moved. In check mode, whether one would be.
  type: bool
  returned: always
  sample: true
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: layout
images:
  description: A row for each image that was asked for.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Full name of the image.
      type: str
      sample: ghcr.io/team/app:1.2
    id:
      description: What the engine calls the image.
      type: str
      sample: sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e
    digest:
      description: What the name points at afterwards. Empty with Docker and Podman when no registry knows the image.
      type: str
      sample: sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
    previous_digest:
      description: What the name pointed at before. Empty when there was no such name.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    changed:
      description: Whether there is anything to do for this image.
      type: bool
      sample: true
    action:
      description: The first thing to do, one of C(load), C(tag) and C(none).
      type: str
      sample: load
    cause:
      description: Why it has to be done, or why there is nothing to do.
      type: str
      sample: not on the host
    bytes:
      description: Bytes that are read from the archive for it, at most.
      type: int
      sample: 0
actions:
  description: What was done, or in check mode would be done, in this order. Empty when the host was as wanted
    already.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: Number of the action in this plan.
      type: int
      sample: 1
    action:
      description: One of C(load) and C(tag).
      type: str
      sample: load
    image:
      description: The name that changes.
      type: str
      sample: ghcr.io/team/app:1.2
    digest:
      description: What it points at afterwards. Empty with Docker and Podman when no registry knows the image.
      type: str
      sample: "sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889"
    previous_digest:
      description: What it pointed at before. Empty when there was no such name.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    bytes:
      description: Bytes that are read from the archive, at most.
      type: int
      sample: 0
    cause:
      description: Why it has to be done.
      type: str
      sample: not on the host
    needs:
      description: Numbers of the actions that must be done before.
      type: list
      elements: int
      sample: []
diff:
  description: The names that change. Texts for people; use RV(actions) in playbooks.
  type: dict
  returned: success
  contains:
    before:
      description: The names that change, with the digests they pointed at before, one a line.
      type: str
      sample: "ghcr.io/team/app:1.2 sha256:9b1d5c3e7f8a…\n"
    after:
      description: The same afterwards.
      type: str
      sample: "ghcr.io/team/app:1.2 sha256:4f2c1e9d7b6a…\n"
    before_header:
      description: Heading of RV(diff.before). Not there when nothing changes.
      type: str
      sample: image names
    after_header:
      description: Heading of RV(diff.after). Not there when nothing changes.
      type: str
      sample: image names
    prepared:
      description: The plan, as C(--diff) shows it. Not there when nothing changes.
      type: str
      sample: "Plan: 1 to load; 30.0 MiB to move.\n"
image_names:
  description: The names of these images, those that were there already among them.
  type: list
  elements: str
  returned: success
  sample: [ghcr.io/team/app:1.2]
elapsed:
  description: Seconds that the module ran.
  type: float
  returned: success
  sample: 1.204
error:
  description: Why the task failed, for programs. RV(ignore:msg) has the same for people.
  type: dict
  returned: failure
  contains:
    class:
      description:
        - Who must act. C(InputError) means that the task is wrong, C(NotFoundError) that something is not there,
          C(AuthError) that a log-in is missing or refused, C(IntegrityError) that bytes are not what their digest
          promised, C(ConflictError) that something is in use or ambiguous, C(UnsupportedError) that it cannot be done
          with this engine, registry or build, C(UnavailableError) that a network or a server is down, C(PeerError)
          that a server broke its protocol, and C(ApplyError) that some actions of the plan failed.
      type: str
      sample: NotFoundError
    code:
      description: Name of the failure, which stays the same from release to release.
      type: str
      sample: image-not-found
    what:
      description: What failed.
      type: str
      sample: There is no ghcr.io/team/app:1.9
    why:
      description: The evidence. It may be empty.
      type: str
      sample: the registry answered 404
    fix:
      description: What can be done about it. It may be empty.
      type: str
      sample: check the name and the tag
    subject:
      description: The image, path or option concerned.
      type: str
      sample: ghcr.io/team/app:1.9
    retryable:
      description: Whether running the task again later may succeed without any change.
      type: bool
      sample: false
    attempts:
      description: How often it was tried before it was given up.
      type: int
      sample: 1
    problems:
      description: Every problem in the options, with its path and an accepted form. Only C(InputError) has it.
      type: list
      elements: dict
      sample:
        - path: "repository[0]"
          what: "'Redis' is not an image reference"
          fix: write it like redis or redis:7
    done:
      description: The actions that were done and are kept. Only C(ApplyError) has it.
      type: list
      elements: str
      sample: []
    failed:
      description: For each action that failed its own error, of this same form. Only C(ApplyError) has it.
      type: dict
      sample: {}
    not_started:
      description: The actions that were not started because others failed. Only C(ApplyError) has it.
      type: list
      elements: str
      sample: []
"""

import typing as t

from ..module_utils.task.compile_once import compile_once

compile_once()

from ..module_utils.task.archive_options import LOAD
from ..module_utils.task.frame import run_work


def work(params: t.Mapping[str, t.Any], *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    from ..module_utils.task.loading import load_images

    return load_images(params, is_dry=is_dry)


def main() -> None:
    run_work(work, options=LOAD)


if __name__ == "__main__":
    main()
