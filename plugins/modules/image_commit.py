#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_commit
short_description: Make a container image from a container
version_added: 1.0.0
description:
  - Makes an image from a container, running or not, and names it.
  - The task is changed when there is no such image, or when the container is not what the image was made from. Its
    image, its settings, and the content of all files that differ from its image are compared. A label on the image,
    C(images.fleet.commit.key), keeps what they were.
  - Volumes of the container do not become part of the image.
  - Only Docker and Podman have containers that images can be made from. An image that can be described in a Dockerfile
    is better built, with M(fleet.images.image_build).
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  container:
    description:
      - The container, by name or ID.
    type: str
    required: true
  name:
    description:
      - Name of the image. It may have a tag, and no digest.
    type: str
    required: true
    aliases: [image]
  tag:
    description:
      - Tag of the image if O(name) has none. Without it O(default_tag) is taken.
    type: str
  author:
    description:
      - Who made the image.
    type: str
    default: ""
  commit_message:
    description:
      - What people are told of the image in its history.
    type: str
    default: ""
    aliases: [comment]
  change:
    description:
      - Instructions of Dockerfiles that change the settings of the image, one an entry, like V(CMD ["web"]) or
        V(ENV MODE=production).
      - These are C(CMD), C(ENTRYPOINT), C(ENV), C(EXPOSE), C(LABEL), C(ONBUILD), C(USER), C(VOLUME) and C(WORKDIR).
    type: list
    elements: str
    default: []
    aliases: [changes]
  pause:
    description:
      - Whether a running container stands still while the image is made.
      - With V(false), files that are written meanwhile may be in the image in part.
    type: bool
    default: true
seealso:
  - module: fleet.images.image_build
    description: Build an image from a Dockerfile.
  - module: fleet.images.image_push
    description: Put the image into a registry.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Keep what was set up in a container as an image
  fleet.images.image_commit:
    container: setup
    name: registry.example.com/team/app
    tag: "1.0"
    author: The team
    commit_message: Set up by hand
    change:
      - CMD ["/usr/bin/app"]
      - ENV MODE=production

- name: Put it into the registry
  fleet.images.image_push:
    name: registry.example.com/team/app:1.0
"""

RETURN = r"""
changed:
  description: Whether an image was made. In check mode, whether one would be.
  type: bool
  returned: always
  sample: true
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: docker
images:
  description: One row, for the image.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Full name of the image.
      type: str
      sample: ghcr.io/team/app:1.2
    id:
      description: What the engine calls the image. Empty when the image is to be built or has gone.
      type: str
      sample: sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e
    digest:
      description: What the name points at afterwards. Empty when it has gone, when only the build will tell, or when
        no registry knows the image. Docker and Podman then know no digest of it.
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
      description: C(build) when the image is made from the container, C(none) when there is nothing to do.
      type: str
      sample: build
    cause:
      description: Why it has to be done, or why there is nothing to do.
      type: str
      sample: "not on the host"
    bytes:
      description: Always 0, because nothing moves over the network.
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
      description: Always C(build).
      type: str
      sample: build
    image:
      description: The name of the image.
      type: str
      sample: ghcr.io/team/app:1.2
    digest:
      description: What it points at afterwards. Empty when it goes, or when only the build will tell, or the registry
        after a push. Docker and Podman make the manifest anew when they push.
      type: str
      sample: "sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889"
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
      sample: "not on the host"
    needs:
      description: Numbers of the actions that must be done before.
      type: list
      elements: int
      sample: []
    builder:
      description: The engine that makes the image.
      type: str
      sample: docker
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
      sample: "Plan: 1 to build; 0 B to move.\n"
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

from ..module_utils.task.compile_once import compile_once

compile_once()

from ..module_utils.task.committing import COMMIT, Commits, read_commit
from ..module_utils.task.run import run_task


def main() -> None:
    run_task(read_commit, options=COMMIT, builder=Commits)


if __name__ == "__main__":
    main()
