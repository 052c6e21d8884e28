#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_build
short_description: Build a container image
version_added: 1.0.0
description:
  - Builds an image from a Dockerfile and names it. Docker and Podman build it themselves. For containerd and the
    embedded store it is built without a daemon, and with C(buildah) where a step needs a container.
  - An image is built again when its inputs differ from those it was built from, and not before. The task is changed
    when the image was built, got a name, or was pushed to where another one was.
  - Check mode reads the inputs and asks registries for the digests of base images, so it knows whether a build is
    due. The new digest is not known before the build, so it is left empty.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  name:
    description:
      - Name of the image. It has no digest, because that follows from the inputs.
    type: str
    required: true
    aliases: [image]
  tag:
    description:
      - Tag of names that have neither tag nor digest. Without it O(default_tag) is taken.
    type: str
  path:
    description:
      - Folder on the target with the files to build from. What C(.dockerignore) or C(<Dockerfile>.dockerignore)
        excludes is no input.
      - Or a git repository, like V(https://host/team/app.git#main) or V(git@host:team/app.git#v1.2:docker/app), with a
        branch, a tag or a commit, and a folder in it. The target's own git fetches it, with its keys and credential
        helpers.
      - Or an archive, like V(https://host/app.tar.gz#sha256=0123…:app-1.2), with its digest, and a folder in it.
      - What is fetched is kept in a cache on the target. Check mode fetches, too.
    type: path
  dockerfile:
    description:
      - The Dockerfile, relative to O(path) or absolute. Without it, it is C(Dockerfile) there.
    type: str
    aliases: [file, containerfile]
  dockerfile_inline:
    description:
      - Text of the Dockerfile, instead of a file. O(path) may then be left out, if nothing is copied from it.
      - Mutually exclusive with O(dockerfile).
    type: str
    aliases: [container_file]
  args:
    description:
      - Values for the C(ARG) instructions. They stay readable in the image, so they are no place for secrets.
    type: dict
    aliases: [build_args, buildargs]
  target:
    description:
      - Stage of the Dockerfile to build. Without it, it is the last one.
    type: str
  labels:
    description:
      - Labels to put on the image, beside those of the Dockerfile.
    type: dict
  pull:
    description:
      - Whether registries are asked for the base images although the host has images of these names.
    type: bool
    default: false
  rebuild:
    description:
      - When an image that exists is built again.
      - V(changed) does it when one of its inputs differs. These are the files that are copied, the Dockerfile,
        O(args), O(target), O(labels), the platform, and the digests of the base images.
      - V(always) does it at each run, and V(never) only when there is no image of that name.
    type: str
    choices: [changed, always, never]
    default: changed
  network:
    description:
      - Network of the steps that run while it is built, in the engine's own words, like V(host), V(none) or the name
        of a network.
    type: str
  etc_hosts:
    description:
      - Names that these steps find in C(/etc/hosts), each with its address.
    type: dict
  shm_size:
    description:
      - Size of C(/dev/shm) for these steps, like V(64MiB).
    type: str
  secrets:
    description:
      - What steps may read while they run, with C(RUN --mount=type=secret,id=…). It does not get into the image, the
        key of the inputs, the log, nor into the arguments of a process.
      - Each entry needs one of O(secrets[].src), O(secrets[].env) and O(secrets[].value). Another value is no reason
        to build again, another ID is.
    type: list
    elements: dict
    suboptions:
      id:
        description:
          - What the Dockerfile calls it.
        type: str
        required: true
      src:
        description:
          - File on the target that holds it.
        type: path
      env:
        description:
          - Variable of the task's environment on the target that holds it.
        type: str
      value:
        description:
          - The secret itself, from a vault for example.
        type: str
  cache_from:
    description:
      - Images whose layers the engine may take for steps that did not change. They have no part in whether a build is
        due.
    type: list
    elements: str
  nocache:
    description:
      - Whether an image that is due is built without the engine's cache of earlier steps. It does not make a build
        due. That does O(rebuild=always).
    type: bool
    default: false
  squash:
    description:
      - Whether all that the build adds becomes one layer.
    type: bool
    default: false
  outputs:
    description:
      - Files and folders on the target that the image is also written to. Each is written again when it does not hold
        this image, or changed since it was written.
      - The image stays on the host. A destination that goes from this list stays as it is.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - V(oci) is a tar archive with an OCI image layout, and V(docker) one for C(docker load). Both hold the image
            with its name. V(oci) holds a build for several platforms as a whole, all others that of the host.
          - V(tar) is a tar archive with the files of the image, and V(local) a folder with them. As a user without
            root, the files in the folder belong to that user.
        type: str
        required: true
        choices: [local, tar, oci, docker]
      dest:
        description:
          - Absolute path on the target. The folder that it lies in must exist.
          - It gets its new content in one step. For V(local) the whole folder is replaced, so a folder that is not
            empty and was not written by such a task is refused.
        type: path
        required: true
  share:
    description:
      - Repository through which hosts share what they build, like V(registry.example.com/team/builds). A build that is
        due is looked for there first, under a tag made of the key of its inputs, and pulled when it is there.
      - Otherwise it is built, and pushed there. Of several hosts that are about to build the same, one does, and the
        others wait for its result. They wait no longer than O(deadline). A host that stops in the middle is followed by
        another one after half a minute.
      - The hosts must be allowed to push there. The registry is asked only when a build is due.
      - With O(rebuild=always) every host builds. What starts from an image that the same task builds is not shared.
    type: str
  disk_margin:
    description:
      - What must stay free where the engine keeps its images, after what is to be pulled instead of built, see
        O(share). Otherwise the task fails before it pulls anything, also in check mode.
      - Write it like V(512MiB), V(1GB) or V(0). What is to be pulled counts as it is transferred. Unpacked it is more.
      - A negative size lets a pull start although so much is lacking. That can be right with Docker and Podman, which
        do not tell the layers that they have, so all layers of an image count.
      - Where the room cannot be seen, as with a daemon on another machine, nothing is checked.
    type: str
    default: 200MiB
  platform:
    description:
      - Platform to build for, like V(linux/amd64), V(linux/arm/v7) or just V(arm64). Without it, it is that of the
        host.
      - Several platforms, with commas between, like V(linux/amd64,linux/arm64), give an index with an image for each,
        in this order. The name on the host is for the image that suits the host, else for the first, and a push takes
        the whole index along. Only the engines V(layout) and V(containerd) hold an index.
      - If a base image does not exist for this platform, the task fails and lists the platforms there are. Without
        this option, a base image that exists for one platform only is taken as it is.
    type: str
    aliases: [arch]
  repository:
    description:
      - Further names of the image on the host. Those without a tag get O(tag).
    type: list
    elements: str
    aliases: [target_names]
  push:
    description:
      - Whether the image is pushed, under O(name) and all names of O(repository).
    type: bool
    default: false
notes:
  - With O(engine=containerd) and O(engine=layout) a Dockerfile without C(RUN) needs no daemon and no root, and the same
    inputs give the same digest, on any machine. One with C(RUN) needs C(buildah) on the target. Without it the task
    fails before anything is changed, with the line and what can be done about it.
  - Base images are resolved to digests first, and an engine gets a Dockerfile that names them so.
  - An option that what builds cannot heed makes the task fail before anything is changed, also in check mode.
  - All times in the image are E(SOURCE_DATE_EPOCH) (seconds since 1970) of the target's environment, or 0. Set it
    with the keyword C(environment) of the task.
  - What is an input, what counts when, and what is reproducible where is told in C(docs/builds.md) of this collection.
seealso:
  - module: fleet.images.image_state
    description: Bring a host to a list of images, in one task.
  - module: fleet.images.image_push
    description: Push images to registries.
  - module: fleet.images.image_tag
    description: Give an image further names.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Build an image when its files, its Dockerfile or its base image changed
  fleet.images.image_build:
    engine: layout
    name: team/site
    tag: "2026.11"
    path: /srv/site

- name: Build one stage for another platform, and push it under two names
  fleet.images.image_build:
    name: registry.example.com/team/app:1.2
    path: /srv/app
    dockerfile: deploy/Containerfile
    target: runtime
    platform: linux/arm64
    args:
      VERSION: "1.2"
    labels:
      org.opencontainers.image.source: https://git.example.com/team/app
    repository:
      - registry.example.com/team/app:latest
    push: true
    username: deploy
    password: "{{ vault_registry_password }}"
  environment:
    SOURCE_DATE_EPOCH: "1793491200"

- name: Build what a branch holds now, on one host of the fleet, and pull it on the others
  fleet.images.image_build:
    name: team/app:main
    path: https://git.example.com/team/app.git#main
    share: registry.example.com/team/builds

- name: Build from a Dockerfile in the playbook
  fleet.images.image_build:
    name: app-configured:1.2
    path: /etc/app
    pull: true
    dockerfile_inline: |
      FROM ghcr.io/team/app:1.2
      COPY app.toml /etc/app/app.toml
      USER 1000

- name: Build an image, and keep it as an archive to carry to hosts without a network
  fleet.images.image_build:
    name: team/app:1.2
    path: /srv/app
    outputs:
      - type: docker
        dest: /srv/images/app-1.2.tar

- name: Build with steps that run, and with a secret that stays out of the image
  fleet.images.image_build:
    engine: docker
    name: team/app:1.2
    path: /srv/app
    network: host
    secrets:
      - id: index_token
        value: "{{ vault_index_token }}"
"""

RETURN = r"""
changed:
  description: Whether the image was built, named or pushed. In check mode, whether it would be.
  type: bool
  returned: always
  sample: true
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: layout
images:
  description: One row, for the image.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Full name of the image.
      type: str
      sample: docker.io/team/site:2026.11
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
      description: The first thing to do, one of C(pull), C(build), C(tag), C(untag), C(push),
        C(write) and C(none).
      type: str
      sample: build
    cause:
      description: Why it has to be done, or why there is nothing to do. Of a build that is due, which inputs changed.
      type: str
      sample: "its inputs changed: context: 1 file changed: app.toml"
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
      description: One of C(pull), C(build), C(tag), C(untag), C(push) and C(write).
      type: str
      sample: build
    image:
      description: The name that changes, here or (C(push)) at its registry, or the name of the image that is written.
      type: str
      sample: docker.io/team/site:2026.11
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
      sample: "its inputs changed: context: 1 file changed: app.toml"
    needs:
      description: Numbers of the actions that must be done before.
      type: list
      elements: int
      sample: []
    builder:
      description: Only of a build. What builds it. C(native) is the builder of this collection. It may also be
        C(buildah), or what the engine builds with. With O(share) it is C(another host) after waiting for that one.
      type: str
      returned: when RV(actions[].action) is C(build)
      sample: native
    type:
      description: Only of a write. The form, as in the option.
      type: str
      returned: when RV(actions[].action) is C(write)
      sample: oci
    dest:
      description: Only of a write. Where it goes.
      type: str
      returned: when RV(actions[].action) is C(write)
      sample: /srv/images/app.tar
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
        - path: "name"
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

from ..module_utils.task.desired import read_build
from ..module_utils.task.options import BUILD, BUILD_RESULT
from ..module_utils.task.run import run_task

if t.TYPE_CHECKING:
    from ..module_utils.task.builder import Builder


def open_builder() -> Builder:
    from ..module_utils.task import builds

    return builds


def main() -> None:
    run_task(
        read_build,
        options={**BUILD, **BUILD_RESULT},
        builder=open_builder,
        required_one_of=[("path", "dockerfile_inline")],
        mutually_exclusive=[("dockerfile", "dockerfile_inline")],
    )


if __name__ == "__main__":
    main()
