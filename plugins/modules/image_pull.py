#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_pull
short_description: Pull container images
version_added: 1.0.0
description:
  - Pulls one image or several, all in one task.
  - By default it asks the registries at each run which digests the tags have now, and downloads what the host lacks.
    The task is changed when a name on the host points at other bytes than before.
  - Check mode asks the registries in the same way and downloads nothing.
  - Bytes are checked against their digests while they arrive. Interrupted downloads are resumed by the next run.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.verify
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  name:
    description:
      - The images. A single one may be given as a string.
      - V(repository:tag@sha256:…) pulls exactly these bytes and gives them the tag as their name on the host. Once
        they are there, no registry is asked again.
    type: list
    elements: str
    required: true
    aliases: [image, names]
  tag:
    description:
      - Tag of names that have neither tag nor digest. Without it O(default_tag) is taken.
    type: str
  pull:
    description:
      - When a registry is asked.
      - V(missing), or V(not_present), asks only for images that the host does not have, has for another platform, or
        has with parts missing.
      - V(newer) and V(always) ask at each run which digest the tag has now, and download what the host lacks if it
        moved. An image that did not move is not changed, and a name with a digest is not asked for again.
      - V(never) asks no registry. An image that the host does not have makes the task fail.
    type: str
    choices: [missing, newer, always, never, not_present]
    default: always
    aliases: [policy, pull_policy]
  platform:
    description:
      - Platform that is wanted, like V(linux/amd64), V(linux/arm/v7) or just V(arm64). Without it, it is that of the
        host.
      - If an image does not exist for this platform, the task fails and lists the platforms there are. Without this
        option, an image that exists for one platform only is taken as it is.
    type: str
    aliases: [arch]
  disk_margin:
    description:
      - What must stay free where the engine keeps its images, after all that is to be pulled. Otherwise the task
        fails before it pulls anything, also in check mode.
      - Write it like V(512MiB), V(1GB) or V(0). What is to be pulled counts as it is transferred. Unpacked it is more.
      - A negative size lets a pull start although so much is lacking. That can be right with Docker and Podman, which
        do not tell the layers that they have, so all layers of an image count.
      - Where the room cannot be seen, as with a daemon on another machine, nothing is checked.
    type: str
    default: 200MiB
seealso:
  - module: fleet.images.image_state
    description: Bring a host to a list of images, in one task.
  - module: fleet.images.image_info
    description: Read which images a host has.
  - module: fleet.images.image_push
    description: Push images to registries.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Pull an image, and again when its tag moves
  fleet.images.image_pull:
    name: redis:7

- name: Pull several images that are not there yet, in parallel
  fleet.images.image_pull:
    name:
      - ghcr.io/team/app:1.2@sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
      - quay.io/team/sidecar
      - postgres
    tag: "17"
    pull: missing

- name: Pull for another platform, from a registry of one's own
  fleet.images.image_pull:
    name: registry.example.com/team/app:1.2
    platform: linux/arm64
    username: deploy
    password: "{{ vault_registry_password }}"
    registry_ca_path: /etc/ssl/certs/example.pem

- name: Pull through a cache that the engine knows nothing of, and leave 5 GB free
  fleet.images.image_pull:
    name: redis:7
    engine: docker
    disk_margin: 5GB
    mirrors:
      - registry: docker.io
        location: cache.example.com:5000/hub

- name: Pull what the team has signed, and from Docker Hub what is there
  fleet.images.image_pull:
    name:
      - ghcr.io/team/app:1.2
      - redis:7
    verify:
      - pattern: ghcr.io/team
        keys:
          - "{{ lookup('file', 'team.pub') }}"
      - pattern: docker.io
        policy: accept

- name: Pull for Kubernetes
  fleet.images.image_pull:
    name: registry.k8s.io/pause:3.9
    engine: containerd
    namespace: k8s.io
"""

RETURN = r"""
changed:
  description: Whether an image was pulled or got a name. In check mode, whether one would.
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
      description: The first thing to do, one of C(pull), C(build), C(tag), C(untag), C(push) and C(none).
      type: str
      sample: pull
    cause:
      description: Why it has to be done, or why there is nothing to do.
      type: str
      sample: the tag moved
    bytes:
      description: Bytes that move over the network for it, at most.
      type: int
      sample: 31457280
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
      sample: pull
    image:
      description: The name that changes, here or (C(push)) at its registry.
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
      sample: 31457280
    cause:
      description: Why it has to be done.
      type: str
      sample: the tag moved
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

import typing as t

from ..module_utils.task.compile_once import compile_once

compile_once()

from ..module_utils.task.desired import read_pull
from ..module_utils.task.options import NAMES, PULL, VERIFY
from ..module_utils.task.run import run_task

if t.TYPE_CHECKING:
    from ..module_utils.task.checks import Checks


def open_checks(params: t.Mapping[str, t.Any]) -> Checks:
    from ..module_utils.task.signatures import SignatureChecks

    return SignatureChecks(params)


def main() -> None:
    always = {**PULL["pull"], "default": "always"}
    run_task(read_pull, options={**NAMES, **PULL, **VERIFY, "pull": always}, checks=open_checks)


if __name__ == "__main__":
    main()
