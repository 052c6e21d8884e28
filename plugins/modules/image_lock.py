#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_lock
short_description: Resolve image tags once for the whole fleet, and write what they mean to a lock file
version_added: 1.0.0
description:
  - Asks the registries what each image is now, and writes the digests to a file on the control node. With O(path) as
    O(fleet.images.image_state#module:lock) every host then gets these bytes, wherever the tags point by then, and a
    host that has them asks no registry.
  - It runs on the control node, whatever the hosts of the play are. Use it in a play for V(localhost), or with
    C(run_once).
  - The registry of the image's own name is asked, never a mirror. That takes one request a name. What the lock has
    already is not fetched again.
  - The file is the same, byte for byte, for the same images and the same state of the registries, on any machine. It
    holds no times. It is replaced in one step, and only if it changes.
  - Check mode asks the same questions and writes nothing. With C(--diff) it shows which tags moved, from which digest
    to which, and how many bytes a host has to fetch for that.
  - An entry whose image is no longer declared is dropped.
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
      - The images to lock. These are the entries of O(fleet.images.image_state#module:images), so that one list serves
        both.
      - Of an entry with a C(build) the images are locked that it starts or copies from. Its Dockerfile is read on the
        control node for that. A relative C(path) starts at the playbook.
      - Entries with C(state=absent) are left out.
      - An entry's C(platform) is one that its image must exist for.
      - One of O(images) and O(from_file) is needed.
    type: list
    elements: dict
  from_file:
    description:
      - Files on the control node that name further images, as in O(fleet.images.image_state#module:from_file).
    type: list
    elements: raw
  path:
    description:
      - The lock file on the control node. A relative path starts at the playbook.
      - A file that is no lock, was edited by hand or holds a merge conflict is an error, and stays as it is.
    type: path
    default: images.lock.json
  update:
    description:
      - Which images to look up again. An entry is a name as the task has it, the full name, or a pattern with C(*),
        C(?) and C([…]) like V(redis:*) or V(ghcr.io/team/*). One that matches no image is an error.
      - Other images keep their entry, and their registries are not asked. Images without an entry are always looked up.
      - By default all images are. With an empty list none of those is that the lock has.
    type: list
    elements: str
  platforms:
    description:
      - Lock images for these platforms only, like V(linux/amd64) or V(arm64). For each, the image that suits such a
        host best is taken. It must be there for one of them at least.
      - By default all platforms of an image are locked, and the manifest and the config of each are fetched.
    type: list
    elements: str
  frozen:
    description:
      - Fail if the lock would change, instead of changing it.
    type: bool
    default: false
  min_age:
    description:
      - How old an image must be to get into the lock, like V(7d), V(36h) or V(90m). The time in its config counts,
        and of several platforms the latest.
      - A tag that moved to a younger image keeps the entry that it has. The row in RV(images) says since when and until
        when. If it has none, that is an error.
      - An image that does not say when it was made is held too, and so is one that says 1970 or tomorrow.
    type: str
notes:
  - The options of engines and O(mirrors) play no part here. They are accepted, so that C(module_defaults) of the action
    group fit.
  - Where the documentation of an option says target, that is the control node here. The module runs there with the
    Python of Ansible, as the user that runs Ansible, without C(become).
  - Registries with limits count each manifest. Limit O(platforms) to those that the fleet has.
seealso:
  - module: fleet.images.image_state
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Lock the images of the fleet
  hosts: localhost
  gather_facts: false
  vars_files: [images.yml]
  tasks:
    - name: Resolve all tags
      fleet.images.image_lock:
        images: "{{ images }}"
        platforms: [linux/amd64, linux/arm64]

    - name: Look up again what our team releases, and what the lock does not have yet
      fleet.images.image_lock:
        images: "{{ images }}"
        update: ["ghcr.io/team/*"]

    - name: Lock what a compose file names, a week after its release at the earliest
      fleet.images.image_lock:
        from_file: [compose.yaml]
        path: compose.lock.json
        min_age: 7d

    - name: Fail in a pipeline if the lock does not fit the list, and ask no registry for that
      fleet.images.image_lock:
        images: "{{ images }}"
        update: []
        frozen: true

    - name: Lock only what our key has signed
      fleet.images.image_lock:
        images: "{{ images }}"
        verify:
          - pattern: ghcr.io/team
            keys: [keys/team.pub]
          - pattern: "*"
            policy: accept

- name: Bring every host to the locked images
  hosts: all
  vars_files: [images.yml]
  tasks:
    - name: Converge
      fleet.images.image_state:
        images: "{{ images }}"
        lock: images.lock.json
"""

RETURN = r"""
changed:
  description: Whether the file changed. In check mode, whether it would.
  type: bool
  returned: always
  sample: true
path:
  description: The file, with all folders.
  type: str
  returned: success
  sample: /srv/playbooks/images.lock.json
images:
  description: A row for each entry that the lock has or loses, by name.
  type: list
  elements: dict
  returned: success
  contains:
    reference:
      description: Full name of the image, with its digest if it is pinned.
      type: str
      sample: docker.io/library/redis:7
    digest:
      description: What it means from now on. Empty when the entry is dropped.
      type: str
      sample: sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
    previous_digest:
      description: What the lock said before. Empty when it had no such entry.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    action:
      description: One of C(add), C(update), C(keep), C(held) and C(drop). Held is an image whose tag moved to one that
        is younger than O(min_age).
      type: str
      sample: update
    cause:
      description: Why.
      type: str
      sample: the tag moved
    platforms:
      description: The platforms that are locked. Empty when the entry is dropped.
      type: list
      elements: str
      sample: [linux/amd64, linux/arm64]
    bytes:
      description: What a host fetches that has nothing of the image, for the largest of its platforms.
      type: int
      sample: 31457280
    previous_bytes:
      description: The same of the entry before. 0 when there was none.
      type: int
      sample: 31351021
    added_bytes:
      description: What a host fetches that has all that the lock said before, for the platform that needs most.
      type: int
      sample: 1048576
sources:
  description: The images that files of O(from_file) name, and where.
  type: list
  elements: dict
  returned: when O(from_file) is given
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
diff:
  description: The entries that change. Texts for people; use RV(images) in playbooks.
  type: dict
  returned: success
  contains:
    before:
      description: The names whose entries change, with digest and platforms before, one a line.
      type: str
      sample: "docker.io/library/redis:7 sha256:9b1d5c3e7f8a… (linux/amd64)\n"
    after:
      description: The same afterwards.
      type: str
      sample: "docker.io/library/redis:7 sha256:4f2c1e9d7b6a… (linux/amd64)\n"
    before_header:
      description: The file. Not there when nothing changes.
      type: str
      sample: /srv/playbooks/images.lock.json
    after_header:
      description: The file. Not there when nothing changes.
      type: str
      sample: /srv/playbooks/images.lock.json
    prepared:
      description: The changes, as C(--diff) shows them. Not there when nothing changes.
      type: str
      sample: "Lock: 1 to keep, 1 to update.\n"
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
        - Who must act. C(InputError) means that the task or the lock is wrong, C(NotFoundError) that an image is not
          there, C(AuthError) that a log-in is missing or refused, C(IntegrityError) that bytes or signatures are not
          what they promised, C(ConflictError) that a frozen lock would change, C(UnsupportedError) that something
          cannot be checked, C(UnavailableError) that a network or a server is down, C(PeerError) that a server broke
          its protocol, and C(ApplyError) that there are several such problems.
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
        - path: images[1].image
          what: "'Redis' is not an image reference"
          fix: write it like redis or redis:7
    failed:
      description: For each image that failed its own error, of this same form. Only C(ApplyError) has it.
      type: dict
      sample: {}
"""

from ..module_utils.task.compile_once import compile_once

compile_once()

from ..module_utils.task.control_options import LOCK
from ..module_utils.task.frame import run_work
from ..module_utils.task.lock import lock_images


def main() -> None:
    run_work(lock_images, options=LOCK, required_one_of=[("images", "from_file")])


if __name__ == "__main__":
    main()
