#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_search
short_description: Search a registry for container images, or list the tags of one
version_added: 1.0.0
description:
  - Looks for repositories in a registry, or with O(list_tags) for the tags of one repository. Nothing is changed.
  - Docker Hub and other registries with a search of their own are asked by it. Of others the catalogue is read, and
    every repository whose path has the word is found.
  - No engine is needed, so the task may as well run on the control node.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes.info
  - fleet.images.attributes.group
options:
  term:
    description:
      - What to look for. It may begin with the registry, like V(quay.io/prometheus).
      - With O(list_tags=true) it is the name of a repository.
      - Empty, it finds everything in the catalogue of a registry. Docker Hub has no catalogue.
    type: str
    default: ""
    aliases: [name, query]
  registry:
    description:
      - Registry to look in. Without it, it is the one that O(term) begins with, else O(default_registry).
    type: str
  limit:
    description:
      - How many rows are returned at most. A search finds at most 100.
    type: int
    default: 25
  list_tags:
    description:
      - Whether the tags of the repository O(term) are listed, instead of repositories.
    type: bool
    default: false
seealso:
  - module: fleet.images.image_info
    description: Ask registries for the digests that names have there, with O(fleet.images.image_info#module:remote).
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Look for redis on Docker Hub
  fleet.images.image_search:
    term: redis
  register: found

- name: See which tags a repository has
  fleet.images.image_search:
    term: quay.io/prometheus/prometheus
    list_tags: true
    limit: 500
  register: tags

- name: See what our own registry has
  fleet.images.image_search:
    registry: registry.example.com
    limit: 1000
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
registry:
  description: Where was looked.
  type: str
  returned: success
  sample: docker.io
images:
  description: A row for each repository that was found, in the order of the registry, or for each tag, sorted.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Full name of the repository.
      type: str
      sample: docker.io/library/redis
    tag:
      description: The tag. Only with O(list_tags=true).
      type: str
      sample: "7.4"
    description:
      description: What the registry tells people of it. Empty where its catalogue was read. Not with O(list_tags=true).
      type: str
      sample: Redis is the world's fastest data platform.
    stars:
      description: How many people like it, as the registry counts. Not with O(list_tags=true).
      type: int
      sample: 13000
    official:
      description: Whether it is one of the registry's own images. Not with O(list_tags=true).
      type: bool
      sample: true
complete:
  description: Whether this is all there is, as far as the registry tells. If not, O(limit) may be raised.
  type: bool
  returned: success
  sample: false
elapsed:
  description: Seconds that the module ran.
  type: float
  returned: success
  sample: 0.412
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
from ..module_utils.task.searching import SEARCH, search


def main() -> None:
    run_work(search, options=SEARCH)


if __name__ == "__main__":
    main()
