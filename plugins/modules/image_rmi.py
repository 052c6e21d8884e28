#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_rmi
short_description: Remove container images from a host
version_added: 1.0.0
description:
  - Removes names of images, and the bytes that no other name needs any longer.
  - A name with a tag goes alone. A digest without a tag takes all names along that its repository has for these
    bytes. An ID takes all names of the image along.
  - The task is changed when the host had one of the images. What is not there is no error.
  - Images that containers use are not removed, unless O(in_use) says otherwise. Containers are never touched.
  - Nothing is ever removed from a registry.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  name:
    description:
      - The images, by name, digest or ID. A single one may be given as a string.
      - Of an ID 12 characters are enough. If it fits several images, the task fails and lists them.
      - V(repository:tag@sha256:…) removes the name only if it points at these bytes.
    type: list
    elements: str
    required: true
    aliases: [image, names]
  tag:
    description:
      - Tag of names that have neither tag nor digest. Without it O(default_tag) is taken.
    type: str
  in_use:
    description:
      - What happens when containers, running or not, use an image that would lose its last name.
      - V(fail) makes the task fail before anything is changed. V(skip) leaves the name, and a warning says so.
      - V(untag) removes the name. The image stays without a name where the engine keeps it for its containers.
      - Without it, it is V(fail), or with O(force=true) V(untag).
    type: str
    choices: [fail, skip, untag]
  force:
    description:
      - V(true) is another word for O(in_use=untag), and contradicts the others.
    type: bool
    default: false
  prune:
    description:
      - Whether images without a name go along that only the removed image was built on.
    type: bool
    default: true
seealso:
  - module: fleet.images.image_state
    description: Bring a host to a list of images, in one task.
  - module: fleet.images.image_info
    description: Read which images a host has.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Remove two names
  fleet.images.image_rmi:
    name:
      - redis:6
      - ghcr.io/team/app:1.1

- name: Remove what no container uses, and leave the rest
  fleet.images.image_rmi:
    name: "{{ old_images }}"
    in_use: skip

- name: Take the name of an image away even from containers that use it
  fleet.images.image_rmi:
    name: ghcr.io/team/app:1.0
    force: true

- name: Remove an image with all its names, by its ID
  fleet.images.image_rmi:
    name: sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e
"""

RETURN = r"""
changed:
  description: Whether a name was removed. In check mode, whether one would be.
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
      sample: docker.io/library/redis:6
    id:
      description: What the engine calls the image. Empty when the image is to be built or has gone.
      type: str
      sample: ""
    digest:
      description: What the name points at afterwards. Empty when it has gone, when only the build will tell, or when
        no registry knows the image. Docker and Podman then know no digest of it.
      type: str
      sample: ""
    previous_digest:
      description: What the name pointed at before. Empty when there was no such name.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    changed:
      description: Whether there is anything to do for this image.
      type: bool
      sample: true
    action:
      description: The first thing to do, one of C(pull), C(build), C(tag), C(untag), C(push) and C(none).
      type: str
      sample: untag
    cause:
      description: Why it has to be done, or why there is nothing to do.
      type: str
      sample: wanted absent
    bytes:
      description: Bytes that move over the network for it, at most.
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
      description: One of C(pull), C(build), C(tag), C(untag) and C(push).
      type: str
      sample: untag
    image:
      description: The name that changes, here or (C(push)) at its registry.
      type: str
      sample: docker.io/library/redis:6
    digest:
      description: What it points at afterwards. Empty when it goes, or when only the build will tell, or the registry
        after a push. Docker and Podman make the manifest anew when they push.
      type: str
      sample: ""
    previous_digest:
      description: What it pointed at before. Empty when there was no such name.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    bytes:
      description: Bytes that move over the network, at most.
      type: int
      sample: 0
    cause:
      description: Why it has to be done.
      type: str
      sample: wanted absent
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
      description: The same afterwards. A name at a registry is followed by C((registry\)).
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
      sample: "Plan: 1 to pull; 30.0 MiB to move.\n"
untagged:
  description: The names that were removed, or in check mode would be.
  type: list
  elements: str
  returned: when names go
  sample: [docker.io/library/redis:6]
deleted:
  description:
    - IDs of the images that went with their last name, and of those without a name that went along.
    - Their bytes are freed when nothing else needs them. In the embedded store, what was written within the last hour
      stays until a later run, because another task may just be about to name it.
  type: list
  elements: str
  returned: when names go
  sample: ["sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e"]
space_reclaimed:
  description:
    - Bytes on disk of the images that go with their last name, at most. What a tag that moves leaves is not in it.
    - The embedded store counts what no other image has. Docker and Podman tell the whole size of each image.
  type: int
  returned: when names go
  sample: 12998144
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
        - path: "name[1]"
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

from ..module_utils.task.compile_once import compile_once

compile_once()

from ..module_utils.task.desired import read_rmi
from ..module_utils.task.options import NAMES, RMI
from ..module_utils.task.run import run_task


def main() -> None:
    run_task(read_rmi, options={**NAMES, **RMI})


if __name__ == "__main__":
    main()
