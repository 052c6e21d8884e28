#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_prune
short_description: Remove container images that nobody needs from a host
version_added: 1.0.0
description:
  - Removes images that have no name any longer, or with O(all) every image that no container uses.
  - The task is changed when there was something to remove. Check mode says exactly what goes, and how many bytes that
    frees at most.
  - Images that containers use, running or not, are never removed, and containers are never touched.
  - An image goes with all of its names, or stays with all of them. It stays with images that were built on it, where
    the engine tells that.
  - Nothing is ever removed from a registry.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  all:
    description:
      - Whether images with names go too. Without it only those go that have none.
      - Docker counts an image without a tag as one without a name, in its classic store. These are images whose tag
        moved to a newer one, and also images that were pulled by digest alone, which Docker cannot tell apart.
        O(protect) keeps the latter.
      - Elsewhere a digest is a name like any other. In containerd nothing is without a name, because what loses its
        last one goes at once.
      - No container uses the embedded store. There V(true) needs O(filters), O(protect) or O(keep_newest) beside it.
    type: bool
    default: false
  filters:
    description:
      - Which of these images go. All filters must fit.
      - V(until) is an age like V(24h), V(1h30m), V(7d) or V(2w), a date like V(2026-01-31), a time like
        V(2026-01-31T12:00:00Z), or seconds since 1970. Images made before then go. Without a zone it is UTC.
      - An image that does not tell when it was made stays, and so does one that says 1970, as builds do that can be
        repeated. A warning says how many these are.
      - V(label) is a label, like V(team) or V(team=web), or a list of labels that the image must all have.
      - V(label!) is the same, and the image must have none of them.
      - V(dangling) is V(true) for images without a name, which is the default, and V(false) for O(all=true).
    type: dict
    default: {}
    aliases: [images_filters, image_filters]
  protect:
    description:
      - Patterns of names, with the wildcards of shells. An image stays if one of its names matches one of them.
      - They are compared with the full name (V(docker.io/library/redis:7)) and with the short one (V(redis:7)).
        V(*@sha256:*) matches every name by digest, and V(previous.invalid/*) what a rollout keeps to go back to.
      - An empty pattern is an error, because it would protect nothing.
    type: list
    elements: str
    default: []
    aliases: [keep]
  keep_newest:
    description:
      - How many images of each repository stay, the newest ones, used or not.
    type: int
    default: 0
  caches:
    description:
      - Whether what this collection left behind goes too, if nobody used it within the last hour, or for containerd
        within the last day.
      - In the embedded store these are layers that no image needs and unfinished downloads, which a later task would
        resume. For containerd they are the same in the folder where layers arrive.
      - On every host these are the caches of builds, in C($XDG_CACHE_HOME/fleet-images), C(~/.cache/fleet-images), or
        for root C(/var/cache/fleet-images). They are what contexts held, so that files are not read again, and
        contexts that were fetched.
      - Caches of Docker's and Podman's own builds stay.
    type: bool
    default: false
seealso:
  - module: fleet.images.image_state
    description: Bring a host to a list of images; all others can go by O(fleet.images.image_state#module:unlisted).
  - module: fleet.images.image_rmi
    description: Remove images by name.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Remove images without a name
  fleet.images.image_prune:

- name: See what would go, and how many bytes that frees
  fleet.images.image_prune:
    all: true
  check_mode: true
  diff: true
  register: pruned

- name: Tell it
  ansible.builtin.debug:
    msg: "{{ pruned.images | length }} images, {{ pruned.space_reclaimed }} bytes at most"

- name: Keep three images of each repository, what is younger than a month, and all of the base images
  fleet.images.image_prune:
    all: true
    keep_newest: 3
    filters:
      until: 30d
    protect:
      - registry.example.com/base/*

- name: Remove old images of one team, but not those that are marked
  fleet.images.image_prune:
    all: true
    filters:
      until: 7d
      label: team=web
      label!: keep

- name: Empty the embedded store of what no image needs, and forget what builds remember
  fleet.images.image_prune:
    engine: layout
    caches: true
"""

RETURN = r"""
changed:
  description: Whether anything was removed. In check mode, whether anything would be.
  type: bool
  returned: always
  sample: true
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: docker
images:
  description: A row for each image that went, or in check mode would go.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Its first name in full, or its ID where it has none.
      type: str
      sample: docker.io/library/redis:6
    names:
      description: All of its names.
      type: list
      elements: str
      sample: [docker.io/library/redis:6]
    id:
      description: What the engine calls the image.
      type: str
      sample: "sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e"
    size:
      description: Bytes that it takes, with those that other images have in common with it.
      type: int
      sample: 117440512
    created:
      description: When it was made. Empty when that is not told.
      type: str
      sample: "2026-01-31T12:00:00Z"
    digest:
      description: Always empty. Rows of other modules tell here what the name points at afterwards.
      type: str
      sample: ""
    previous_digest:
      description: The digest of the image. Empty when no registry knows it.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    changed:
      description: Always true.
      type: bool
      sample: true
    action:
      description: C(untag) for an image with names, C(drop) for one without.
      type: str
      sample: untag
    cause:
      description: Why it goes, one of C(unused), C(no tag) and C(no name).
      type: str
      sample: unused
    bytes:
      description: Always 0, because nothing moves over the network.
      type: int
      sample: 0
actions:
  description: What was done, or in check mode would be done, in this order. Empty when there is nothing to remove.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: Number of the action in this plan.
      type: int
      sample: 1
    action:
      description: C(untag) for a name, C(drop) for an image without one, C(clear) for what the collection left behind.
      type: str
      sample: untag
    image:
      description: The name, the ID of the image, or the place that is cleared.
      type: str
      sample: docker.io/library/redis:6
    digest:
      description: Always empty.
      type: str
      sample: ""
    previous_digest:
      description: The digest of the image. Empty when no registry knows it.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    bytes:
      description: Always 0, because nothing moves over the network.
      type: int
      sample: 0
    cause:
      description: Why it has to be done.
      type: str
      sample: unused
    needs:
      description: Numbers of the actions that must be done before.
      type: list
      elements: int
      sample: []
diff:
  description: What goes. Texts for people; use RV(actions) in playbooks.
  type: dict
  returned: success
  contains:
    before:
      description: The names that go, with the digests they point at, one a line.
      type: str
      sample: "docker.io/library/redis:6 sha256:9b1d5c3e7f8a…\n"
    after:
      description: Always empty.
      type: str
      sample: ""
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
      sample: "Plan: 1 to untag; 112.0 MiB to free at most.\n"
untagged:
  description: The names that were removed, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [docker.io/library/redis:6]
deleted:
  description: IDs of the images that went, and of those without a name that only they were built on.
  type: list
  elements: str
  returned: success
  sample: ["sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e"]
space_reclaimed:
  description:
    - Bytes on disk that this frees, at most. It is the same in check mode and in a real run.
    - In the embedded store the figure is exact. What was written there within the last hour stays until a later run and
      is not counted, because another task may just be about to name it.
    - Elsewhere layers that images have in common are counted with each image that goes, because engines do not tell
      which these are.
  type: int
  returned: success
  sample: 117440512
elapsed:
  description: Seconds that the module ran.
  type: float
  returned: success
  sample: 0.204
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
        - path: filters.until
          what: "'soon' is neither an age nor a date"
          fix: write it like 24h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z
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
from ..module_utils.task.prune_options import PRUNE
from ..module_utils.task.pruning import prune


def main() -> None:
    run_work(prune, options=PRUNE)


if __name__ == "__main__":
    main()
