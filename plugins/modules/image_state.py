#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_state
short_description: Bring a host to a list of container images
version_added: 1.0.0
description:
  - Brings the images of a host to the list O(images), in one task. Images are pulled, built, tagged, pushed and
    removed as far as that is needed, and nothing else is touched.
  - The host is read once, registries are asked at the same time, and only what the host lacks is downloaded. Layers
    that several images share are fetched once.
  - The task is changed when there was something to do. If a tag moved at its registry, that is a change only when
    O(pull) says that it is looked at.
  - Check mode makes the same plan, from the real answers of the registries, and stops there. With C(--diff) it shows
    which names would move from which digest to which.
  - The list is checked on the control node before anything is sent to the host. All mistakes in it are reported at
    once.
  - Images that are not listed stay, unless O(unlisted=remove).
  - With O(lock) every host gets the bytes that a lock file says, wherever tags point by now, and no registry is asked
    on a host that has them.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.verify
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  images:
    description:
      - The images, in the order in which they are needed. An entry may use a name that an earlier one gives,
        also as the base image of its build.
      - A name may be listed once. Contradictions between entries are errors.
      - One of O(images) and O(from_file) is needed. With both, an entry here goes before what a file says of the same
        name.
    type: list
    elements: dict
    suboptions:
      image:
        description:
          - Name of the image, like V(redis), V(ghcr.io/team/app:1.2) or V(ghcr.io/team/app:1.2@sha256:…).
          - With a digest, exactly these bytes are wanted, and the tag before it becomes their name on the host.
          - An image ID, or 12 or more characters of one, is accepted for O(images[].state=absent), which then removes
            all names of that image.
        type: str
        required: true
        aliases: [name]
      state:
        description:
          - Whether the host must have the image.
          - V(absent) with a tag removes this name, and the bytes only when no other name needs them. With a digest
            and no tag it removes all names that the repository has for these bytes.
        type: str
        choices: [present, absent]
        default: present
      pull:
        description:
          - When a registry is asked.
          - V(missing), or V(not_present), asks only for images that the host does not have, has for another platform,
            or has with parts missing.
          - V(newer) and V(always) ask at each run which digest the tag has now, and download what the host lacks if
            it moved. An image that did not move is not changed, and a name with a digest is not asked for again.
          - V(never) asks no registry. An image that the host does not have makes the task fail.
          - Without it the O(pull) of the task is taken.
        type: str
        choices: [missing, newer, always, never, not_present]
        aliases: [policy, pull_policy]
      platform:
        description:
          - Platform that is wanted of this image. Without it the O(platform) of the task is taken.
          - With O(images[].build), several platforms, with commas between, give an index with an image for each, in
            this order. The name on the host is for the image that suits the host, else for the first, and a push takes
            the whole index along. Only the engines V(layout) and V(containerd) hold an index.
        type: str
        aliases: [arch]
      tags:
        description:
          - Further names of the image on the host.
        type: list
        elements: str
      build:
        description:
          - How to build the image. It is then not pulled, and its name has no digest.
          - One of O(images[].build.path) and O(images[].build.dockerfile_inline) is needed.
        type: dict
        suboptions:
          path:
            description:
              - Folder on the target with the files to build from. What C(.dockerignore) or
                C(<Dockerfile>.dockerignore) excludes is no input.
              - Or a git repository, like V(https://host/team/app.git#main) or V(git@host:app.git#v1.2:docker/app), with
                a branch, a tag or a commit, and a folder in it. The target's own git fetches it, with its keys and
                credential helpers.
              - Or an archive, like V(https://host/app.tar.gz#sha256=0123…:app-1.2), with its digest, and a folder in
                it.
              - What is fetched is kept in a cache on the target. Check mode fetches, too.
            type: path
          dockerfile:
            description:
              - The Dockerfile, relative to O(images[].build.path) or absolute. Without it, it is C(Dockerfile) there.
            type: str
            aliases: [file, containerfile]
          dockerfile_inline:
            description:
              - Text of the Dockerfile, instead of a file. O(images[].build.path) may then be left out, if nothing is
                copied from it.
              - Mutually exclusive with O(images[].build.dockerfile).
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
              - V(changed) does it when one of its inputs differs. These are the files that are copied, the
                Dockerfile, O(images[].build.args), O(images[].build.target), O(images[].build.labels), the platform,
                and the digests of the base images.
              - V(always) does it at each run, and V(never) only when there is no image of that name.
            type: str
            choices: [changed, always, never]
            default: changed
          network:
            description:
              - Network of the steps that run while it is built, in the engine's own words, like V(host), V(none) or
                the name of a network.
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
              - What steps may read while they run, with C(RUN --mount=type=secret,id=…). It does not get into the
                image, the key of the inputs, the log, nor into the arguments of a process.
              - Each entry needs one of O(images[].build.secrets[].src), O(images[].build.secrets[].env) and
                O(images[].build.secrets[].value). Another value is no reason to build again, another ID is.
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
              - Images whose layers the engine may take for steps that did not change. They have no part in whether a
                build is due.
            type: list
            elements: str
          nocache:
            description:
              - Whether an image that is due is built without the engine's cache of earlier steps. It does not make a
                build due. That does O(images[].build.rebuild=always).
            type: bool
            default: false
          squash:
            description:
              - Whether all that the build adds becomes one layer.
            type: bool
            default: false
          outputs:
            description:
              - Files and folders on the target that the image is also written to. Each is written again when it does
                not hold this image, or changed since it was written.
              - The image stays on the host. A destination that goes from this list stays as it is.
            type: list
            elements: dict
            suboptions:
              type:
                description:
                  - V(oci) is a tar archive with an OCI image layout, and V(docker) one for C(docker load). Both hold
                    the image with its name. V(oci) holds a build for several platforms as a whole, all others that of
                    the host.
                  - V(tar) is a tar archive with the files of the image, and V(local) a folder with them. As a user
                    without root, the files in the folder belong to that user.
                type: str
                required: true
                choices: [local, tar, oci, docker]
              dest:
                description:
                  - Absolute path on the target. The folder that it lies in must exist.
                  - It gets its new content in one step. For V(local) the whole folder is replaced, so a folder that is
                    not empty and was not written by such a task is refused.
                type: path
                required: true
          share:
            description:
              - Repository through which hosts share what they build, like V(registry.example.com/team/builds). A
                build that is due is looked for there first, under a tag made of the key of its inputs, and pulled
                when it is there.
              - Otherwise it is built, and pushed there. Of several hosts that are about to build the same, one does,
                and the others wait for its result. They wait no longer than O(deadline). A host that stops in the
                middle is followed by another one after half a minute.
              - The hosts must be allowed to push there. The registry is asked only when a build is due.
              - With O(images[].build.rebuild=always) every host builds. What starts from an image that the same task
                builds is not shared.
            type: str
      push:
        description:
          - Where the image is pushed to. V(true) stands for its own name, a list holds other names.
          - It is a change when the registry had another digest under that name.
        type: raw
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
    default: missing
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
  unlisted:
    description:
      - What happens to names on the host that no entry of O(images) asks for.
      - V(remove) removes them, except for those in O(protect). With an empty list it removes all others. Look at it
        with C(--check --diff) first.
      - An entry that is a digest without a tag also asks for the tags of its repository that name the same image.
    type: str
    choices: [keep, remove]
    default: keep
  protect:
    description:
      - Names that O(unlisted=remove) leaves alone. Shell wildcards, compared with the full name
        (V(docker.io/library/redis:7)) and with the short one (V(redis:7)). A C(*) also matches slashes.
    type: list
    elements: str
    default: []
  in_use:
    description:
      - What happens when an image is to be removed, by O(images[].state=absent) or O(unlisted=remove), and containers
        use it, running or not. Containers are never touched.
      - V(skip) leaves its name, and a warning says so. V(fail) makes the task fail before anything is changed.
      - V(untag) removes the name. The image stays without a name where the engine keeps it for its containers.
    type: str
    choices: [skip, fail, untag]
    default: skip
  prune:
    description:
      - Whether images without a name go along that only a removed image was built on.
    type: bool
    default: true
  from_file:
    description:
      - Files on the control node that name further images. Compose files, Kubernetes manifests, quadlet files and
        lists of images are understood, and told apart by name and content. A relative path starts at the playbook,
        or where the role keeps its files.
      - An entry is a path, or a mapping with C(path) and, where it is needed, C(format) (V(compose), V(kubernetes),
        V(quadlet) or V(list)) and C(variables), a mapping of values for the variables of a compose file.
      - An image that a file builds is left out, and a warning says so.
    type: list
    elements: raw
  lock:
    description:
      - The lock that M(fleet.images.image_lock) wrote. This is the path of the file on the control node, or its
        content. A relative path starts at the playbook, or where the role keeps its files.
      - Each image then has the bytes that the lock says, wherever its tag points by now. They are pulled by digest,
        from mirrors or the origin, and get the name that the entry has.
      - What is on the host is compared with the lock alone, whatever O(pull) says. On a host that has all of it no
        registry is asked.
      - The base images of builds take their digests from the lock too.
      - A lock that was edited by hand, is cut off or is not merged makes the task fail before the host is reached.
    type: raw
  lock_missing:
    description:
      - What happens when O(lock) does not have an image or a base image. V(fail) makes the task fail before anything is
        changed. V(resolve) takes it as without a lock.
      - An image that the lock has, but not for the wanted platform, is always an error.
    type: str
    choices: [fail, resolve]
    default: fail
notes:
  - O(images) is validated on the control node, which needs the Python library jsonschema for it.
  - Editors can complete and check the list with the JSON Schema in C(docs/schema/images.schema.json) of this
    collection.
  - Docker and Podman build themselves. With O(engine=containerd) and O(engine=layout) a Dockerfile without C(RUN) needs
    no daemon and no root, and the same inputs give the same digest, on any machine. One with C(RUN) needs C(buildah)
    on the target.
  - A build option that what builds cannot heed makes the task fail before anything is changed, also in check mode.
  - All times in the image are E(SOURCE_DATE_EPOCH) (seconds since 1970) of the target's environment, or 0. Set it
    with the keyword C(environment) of the task.
seealso:
  - module: fleet.images.image_lock
    description: Write the lock.
  - module: fleet.images.image_pull
    description: Pull images.
  - module: fleet.images.image_build
    description: Build an image.
  - module: fleet.images.image_tag
    description: Give an image further names.
  - module: fleet.images.image_push
    description: Push images to registries.
  - module: fleet.images.image_rmi
    description: Remove images.
  - module: fleet.images.image_info
    description: Read which images a host has.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: The images of a web host
  fleet.images.image_state:
    engine: layout
    images:
      - image: ghcr.io/team/app:1.2@sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
        tags: [app:current]
      - image: redis:7
        pull: newer
      - image: quay.io/team/sidecar:3
        platform: linux/arm64
      - image: redis:6
        state: absent

- name: Exactly these images and nothing else, apart from those of the monitoring
  fleet.images.image_state:
    images: "{{ fleet_images }}"
    unlisted: remove
    protect:
      - quay.io/monitoring/*
      - "*:keep"
    in_use: fail
  check_mode: true # what would go is in the result
  diff: true

- name: The same list on hosts with different engines, through a cache
  fleet.images.image_state:
    images: "{{ fleet_images }}"
    namespace: k8s.io # for the hosts with containerd
    mirrors:
      - registry: docker.io
        location: cache.example.com:5000/hub

- name: The same bytes on all hosts, as the lock beside the playbook says
  fleet.images.image_state:
    images: "{{ fleet_images }}"
    from_file: [files/compose.yaml]
    lock: images.lock.json

- name: Build, name and push in one go
  fleet.images.image_state:
    engine: layout
    registry_auth:
      - registry: registry.example.com
        username: deploy
        password: "{{ vault_registry_password }}"
    images:
      - image: registry.example.com/team/site:2026.11
        tags: [site:current]
        push: true
        build:
          path: /srv/site
          args:
            VERSION: "2026.11"
  environment:
    SOURCE_DATE_EPOCH: "1793491200"

- name: Images from a file, with settings for all modules of the collection
  hosts: all
  vars_files: [images.yml]
  module_defaults:
    group/fleet.images.all:
      engine: layout
      store: /srv/images
      default_registry: registry.example.com
  tasks:
    - name: Converge
      fleet.images.image_state:
        images: "{{ images }}"
        parallel: 8
        retry: 5
        deadline: 600
"""

RETURN = r"""
changed:
  description: Whether there was anything to do. In check mode, whether there is.
  type: bool
  returned: always
  sample: true
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: layout
images:
  description: A row for each entry of O(images) in their order, then one for each name that was removed because it is
    not listed.
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
      description: The first thing to do, one of C(pull), C(build), C(tag), C(untag), C(push),
        C(write) and C(none).
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
      description: One of C(pull), C(build), C(tag), C(untag), C(push) and C(write).
      type: str
      sample: pull
    image:
      description: The name that changes, here or (C(push)) at its registry, or the name of the image that is written.
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
    builder:
      description: Only of a build. What builds it. C(native) is the builder of this collection. It may also be
        C(buildah), or what the engine builds with.
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
sources:
  description: The images that files of O(from_file) name, and where.
  type: list
  elements: dict
  returned: when O(from_file) is given, and the task does not run in the background
  contains:
    image:
      description: Name of the image, as the file has it.
      type: str
      sample: redis:7
    found:
      description: The files and the places in them.
      type: list
      elements: str
      sample: ["compose.yaml: services.cache.image"]
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
        - path: "images[3].image"
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

from ..module_utils.task.options import PULL, STATE, VERIFY
from ..module_utils.task.run import run_task
from ..module_utils.task.state import read_image_state

if t.TYPE_CHECKING:
    from ..module_utils.task.builder import Builder
    from ..module_utils.task.checks import Checks


def open_builder() -> Builder:
    from ..module_utils.task import builds

    return builds


def open_checks(params: t.Mapping[str, t.Any]) -> Checks:
    from ..module_utils.task.signatures import SignatureChecks

    return SignatureChecks(params)


def main() -> None:
    options = {**PULL, **STATE, **VERIFY}
    either = [("images", "from_file")]
    run_task(read_image_state, options=options, builder=open_builder, checks=open_checks, required_one_of=either)


if __name__ == "__main__":
    main()
