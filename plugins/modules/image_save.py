#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_save
short_description: Save container images of a host into one archive
version_added: 1.0.0
description:
  - Writes images that the host has into one file, which M(fleet.images.image_load), C(docker load), C(podman load),
    C(ctr images import) and C(skopeo) read. Layers that images have in common are in it once.
  - The archive is an OCI image layout that also has what older releases of Docker look for. Content goes into it as
    the engine keeps it, verified against its digests. From the embedded store and from containerd that is what the
    registry sent, so that the digest of the registry lasts. Docker and Podman unpack layers when they pull, so what
    they give is larger, and has another manifest; the config, which Docker and Podman call the image ID, is the same.
  - The task is changed when the archive did not hold these very images by these very names, and nothing else. Other
    tools may have written it. Its layers are looked at by size; when it is loaded, they are verified by digest.
  - The archive is replaced in one step, and what was there stays until then. Folders are never replaced, and files
    that are no archives of images only with O(force=true).
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  name:
    description:
      - The images, by name, digest or ID. A single one may be given as a string. Of an ID 12 characters are enough.
      - An image that is given by its ID is saved by all names that it has on the host.
    type: list
    elements: str
    required: true
    aliases: [image, images, names]
  tag:
    description:
      - Tag of names that have neither tag nor digest. Without it O(default_tag) is taken.
    type: str
  path:
    description:
      - The file to write, on the host, as an absolute path. Its folder must be there.
    type: path
    required: true
    aliases: [dest, archive_path]
  platform:
    description:
      - Save the image for this platform, like V(linux/arm64). An architecture alone means Linux.
      - Without it, what the host has is saved. That is one platform, unless all images of an index were built or loaded
        there; then it is all of them.
    type: str
    aliases: [arch]
  force:
    description:
      - Write the archive also when it holds these images already, or when the file is no archive of images.
    type: bool
    default: false
seealso:
  - module: fleet.images.image_load
    description: Load the images of an archive.
  - module: fleet.images.image_state
    description: Bring a host to a list of images, in one task.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Save all images of a release, for hosts without a network
  fleet.images.image_save:
    name:
      - ghcr.io/team/app:1.2
      - ghcr.io/team/worker:1.2
      - redis:7
    path: /srv/media/release-1.2.tar

- name: Save one image
  fleet.images.image_save:
    name: redis
    tag: "7"
    path: /srv/media/redis.tar

- name: Save what the host has under an ID, by all its names
  fleet.images.image_save:
    name: sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e
    path: /srv/media/image.tar
"""

RETURN = r"""
changed:
  description: Whether the archive was written. In check mode, whether it would be.
  type: bool
  returned: always
  sample: true
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: layout
images:
  description: A row for each image that the archive holds.
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
      description: Digest of the image on the host. Empty when no registry knows the image, with Docker and Podman.
      type: str
      sample: sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
    previous_digest:
      description: Digest of the image that the archive had under this name. Empty when it had none.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    changed:
      description: Whether the archive is written anew.
      type: bool
      sample: true
    action:
      description: What there is to do, one of C(save) and C(none).
      type: str
      sample: save
    cause:
      description: How the archive was found to hold this image.
      type: str
      sample: not in the archive
    bytes:
      description: Bytes that move over the network for it, always 0.
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
      description: Always C(save). One action writes the archive with all images.
      type: str
      sample: save
    image:
      description: The first name in the archive.
      type: str
      sample: ghcr.io/team/app:1.2
    names:
      description: All names in the archive.
      type: list
      elements: str
      sample: [ghcr.io/team/app:1.2, docker.io/library/redis:7]
    dest:
      description: The archive.
      type: str
      sample: /srv/media/release-1.2.tar
    digest:
      description: Digest of the first image. Empty when no registry knows it, with Docker and Podman.
      type: str
      sample: "sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889"
    previous_digest:
      description: Digest of the image that the archive had under the first name. Empty when it had none.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    bytes:
      description: Bytes that move over the network, always 0.
      type: int
      sample: 0
    cause:
      description: Why it has to be done.
      type: str
      sample: there is no archive of images yet
    needs:
      description: Numbers of the actions that must be done before, always none.
      type: list
      elements: int
      sample: []
diff:
  description: The names in the archive that change. Texts for people; use RV(actions) in playbooks.
  type: dict
  returned: success
  contains:
    before:
      description: The names that change, with the digests they had in the archive before, one a line.
      type: str
      sample: "ghcr.io/team/app:1.2 (/srv/media/app.tar) sha256:9b1d5c3e7f8a…\n"
    after:
      description: The same afterwards.
      type: str
      sample: "ghcr.io/team/app:1.2 (/srv/media/app.tar) sha256:4f2c1e9d7b6a…\n"
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
      sample: "Plan: 1 to save; 0 B to move.\n"
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

from ..module_utils.task.archive_options import SAVE
from ..module_utils.task.frame import run_work


def work(params: t.Mapping[str, t.Any], *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    from ..module_utils.task.saving import save_images

    return save_images(params, is_dry=is_dry)


def main() -> None:
    run_work(work, options=SAVE)


if __name__ == "__main__":
    main()
