#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_info
short_description: Read which container images a host has
version_added: 1.0.0
description:
  - Lists the images of a host, or those that are asked for, with names, digests, platform and size.
  - With O(remote=true) it also asks the registries which digests the names have there now.
  - It never changes anything.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes.info
  - fleet.images.attributes.group
options:
  name:
    description:
      - The images, by name, digest or ID. A single one may be given as a string. Without it all images are listed.
      - What the host does not have is no error. It is listed in RV(missing).
    type: list
    elements: str
    aliases: [image, names]
  tag:
    description:
      - Tag of names that have neither tag nor digest. Without it O(default_tag) is taken.
    type: str
  detail:
    description:
      - Whether each image comes with its configuration, history and layers, and with the containers that use it.
      - Lists of Docker, Podman and containerd do not tell everything. With this option, engines are asked for each
        image too, so its platform, size and labels are complete.
    type: bool
    default: false
  deep:
    description:
      - Whether every byte that is stored of each image is read and held against the digests that it goes by.
        RV(images[].corrupt) then names what is damaged. Nothing is changed.
      - This takes as long as reading all of it takes. Layers that images share are read once, with Docker and Podman
        once for each image.
      - The embedded store and containerd keep what registries gave them. The index (where it is there), the manifest,
        the config and each layer must have the digest that they are stored under. What containerd unpacked for
        containers is not read.
      - Docker and Podman keep layers unpacked. They are asked for the whole image, which must have the config that is
        the image's ID, and each layer the digest (the diff ID) that this config says. An engine that notices damage
        itself refuses. Podman names the layer then, Docker a file in it.
    type: bool
    default: false
  remote:
    description:
      - Whether registries are asked which digests the names have now. The answers are in RV(remotes).
    type: bool
    default: false
seealso:
  - module: fleet.images.image_state
    description: Bring a host to a list of images, in one task.
  - module: fleet.images.image_pull
    description: Pull images.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: List all images
  fleet.images.image_info:
  register: host_images

- name: Read all that is stored, and stop if a byte is not what it was
  fleet.images.image_info:
    deep: true
  register: checked
  failed_when: checked.images | selectattr('corrupt') | length > 0

- name: Look at two images in detail
  fleet.images.image_info:
    name:
      - redis:7
      - ghcr.io/team/app:1.2
    detail: true
  register: two_images

- name: Stop if one of them is not there
  ansible.builtin.assert:
    that: two_images.missing | length == 0
    fail_msg: "Not on this host: {{ two_images.missing | join(', ') }}"

- name: Which digest does the tag have at its registry?
  fleet.images.image_info:
    name: ghcr.io/team/app:1.2
    remote: true
  register: at_registry

- name: Show it
  ansible.builtin.debug:
    msg: "{{ at_registry.remotes['ghcr.io/team/app:1.2'] | default('', true) }}"
"""

RETURN = r"""
changed:
  description: Always V(false).
  type: bool
  returned: always
  sample: false
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: layout
platform:
  description: The platform of the host, as its engine tells it.
  type: str
  returned: success
  sample: linux/amd64
images:
  description: The images that were found, each once.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: What the engine calls the image.
      type: str
      sample: sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e
    names:
      description: Its full names on the host.
      type: list
      elements: str
      sample: [docker.io/library/redis:7]
    digest:
      description: The digest that its tag has, or had, at the registry. It is the index digest if there is one.
      type: str
      sample: sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
    manifest_digest:
      description: Digest of its manifest. Empty if the engine does not tell.
      type: str
      sample: sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170
    config_digest:
      description: Digest of its configuration. Empty if the engine does not tell.
      type: str
      sample: sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e
    index_digest:
      description: Digest of the multi-platform index that it was taken from. Empty if there was none, or if the
        engine does not tell.
      type: str
      sample: sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
    platform:
      description: The platform it is for. It may be empty without O(detail=true).
      type: str
      sample: linux/amd64
    size:
      description: Bytes of the image as its engine counts them. In the embedded store these are its manifest,
        configuration and layers, as they are stored. 0 where only O(detail=true) tells.
      type: int
      sample: 31457280
    created:
      description: When it was made, as its configuration says. It may be empty.
      type: str
      sample: "2026-11-20T09:30:00Z"
    labels:
      description: Its labels.
      type: dict
      sample: {org.opencontainers.image.version: "7.4.1"}
    complete:
      description: Whether all its parts are there. A pull fetches those that are not.
      type: bool
      sample: true
    digests:
      description: All digests that its engine knows of it, those of repositories included.
      type: list
      elements: str
      returned: O(detail=true)
      sample: ["sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"]
    corrupt:
      description: The parts of it that are damaged in the store. Empty if none is.
      type: list
      elements: dict
      returned: O(deep=true)
      contains:
        part:
          description:
            - What it is. C(index), C(manifest), C(config), a layer as in the sample, or C(image) if the engine does not
              say what is wrong with the whole.
          type: str
          sample: layer 2 of 3
        expected:
          description: The digest that its bytes must have.
          type: str
          sample: sha256:e26f89b3d8997491a4b87664ea241a0e62498fdddd8790b6b14b01c23d6eaadb
        found:
          description: The digest that they have. Empty if they are not there or cannot be read.
          type: str
          sample: sha256:31109cf0e611bf5a74770e168333c9408721f1aa1eb4ac4388845c437fbde8fb
        why:
          description: The words of who could not read it. It may be empty.
          type: str
          sample: ""
    used_by:
      description: Names of the containers that use it, running or not.
      type: list
      elements: str
      returned: O(detail=true)
      sample: [web]
    config:
      description: How its containers are run, as the image's configuration has it.
      type: dict
      returned: O(detail=true), and the image is complete, and not a list of manifests that Podman made
      sample: {Cmd: [redis-server], WorkingDir: /data}
    history:
      description: How it came to be, newest step last.
      type: list
      elements: dict
      returned: O(detail=true), and the image is complete, and not a list of manifests that Podman made
      sample: [{created_by: "COPY redis.conf /etc/redis.conf"}]
    layers:
      description: Digests of its layers, base first.
      type: list
      elements: str
      returned: O(detail=true), and the image is complete, and not a list of manifests that Podman made
      sample: ["sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"]
missing:
  description: The entries of O(name) that the host does not have.
  type: list
  elements: str
  returned: success
  sample: []
remotes:
  description:
    - The digest that each name has at its registry now. Empty where there is no such name.
    - These are the names of O(name), or those of all images if it is not set.
  type: dict
  returned: O(remote=true)
  sample: {"docker.io/library/redis:7": "sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889"}
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

from ..module_utils.task.frame import run_work
from ..module_utils.task.info import INFO, info


def main() -> None:
    run_work(info, options=INFO)


if __name__ == "__main__":
    main()
