#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_report
short_description: Compare what every host of a fleet holds with what it must hold, and write a report
version_added: 1.0.0
description:
  - Joins the declared images, the lock and what M(fleet.images.image_info) returned on every host to one report, and
    writes it as a web page that needs no network, JSON, Markdown, JUnit XML and Prometheus text.
  - It runs on the control node, whatever the hosts of the play are, and asks neither hosts nor registries. Use it in a
    play for V(localhost), or with C(run_once). The playbook C(fleet.images.audit) has both tasks.
  - An image of a host is V(verified), or in one of these classes.
  - V(missing), the host has no image of this name.
  - V(tag-moved), the name points at other bytes while the host has the right ones, or its registry has
    others by now.
  - V(digest-differs), the name points at other bytes than lock or pin say.
  - V(wrong-platform), it is the image for another platform.
  - V(in-use-older), it is right, and a container still uses an older one of this repository.
  - V(corrupt), parts of it are missing in the store, or, with O(fleet.images.image_info#module:deep=true), damaged. The
    report names the layer.
  - V(failed), it cannot be judged, since the lock does not have it (for this platform).
  - What nobody asked for is V(extra), and V(dangling) if no tag names it.
  - Every host gets a Merkle root over what it holds of the declared images, and so does the fleet. Without a lock, a
    pin in the name or O(fleet.images.image_info#module:remote=true) nothing says which bytes an image must have. It is
    verified when it is there.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  images:
    description:
      - The images that every host must have. These are the entries of O(fleet.images.image_state#module:images), so
        that one list serves both. Names of entries with C(state=absent) must not be there.
      - Images that a build starts from are not known here. With O(unlisted=remove), list them in O(protect).
      - One of O(images) and O(from_file) is needed.
    type: list
    elements: dict
  from_file:
    description:
      - Files on the control node that name further images, as in O(fleet.images.image_state#module:from_file).
    type: list
    elements: raw
  lock:
    description:
      - The lock that M(fleet.images.image_lock) wrote. A file on the control node, or its content.
    type: raw
  hosts:
    description:
      - What each host returned, by its name. That is what a task of M(fleet.images.image_info) with
        O(fleet.images.image_info#module:detail=true) registered, also where it failed or did not reach the host.
      - A host without a value counts as not reached.
    type: dict
    required: true
  unlisted:
    description:
      - Whether what nobody asked for is only listed (V(keep)), or is drift (V(remove)).
    type: str
    choices: [keep, remove]
    default: keep
  protect:
    description:
      - Patterns of names that are no drift with O(unlisted=remove), as in O(fleet.images.image_state#module:protect).
    type: list
    elements: str
    default: []
  dest:
    description:
      - A folder on the control node. The report is written there as C(report.html), C(report.json), C(report.md),
        C(report.junit.xml) and C(report.prom).
      - Or a file for each form that is wanted, with the keys V(html), V(json), V(markdown), V(junit) and
        V(prometheus).
      - A relative path starts at the playbook. Each file is replaced in one step.
    type: raw
    required: true
  history:
    description:
      - How many earlier runs are kept in the report. They are read from the JSON that is there.
    type: int
    default: 30
  sign_key:
    description:
      - File of an SSH key on the control node, private and without a passphrase, or public with an agent that has the
        other half. With it, the JSON is signed by C(ssh-keygen -Y sign -n fleet.images), beside it as C(.sig).
    type: path
  fail_on:
    description:
      - Fail when a host could not be reached or judged (V(failed)), or also when one differs (V(drift)). The report is
        written before.
    type: str
    choices: [none, drift, failed]
    default: none
attributes:
  diff_mode:
    support: none
    details:
      - The report is what there is to see.
  idempotent:
    details:
      - It reports a change when the fleet is not as the report said before. The files are written each time, since
        they say when that was.
notes:
  - The options of engines and registries play no part here. They are accepted, so that C(module_defaults) of the action
    group fit.
seealso:
  - module: fleet.images.image_info
  - module: fleet.images.image_state
  - module: fleet.images.image_lock
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Look at all hosts
  hosts: all
  gather_facts: false
  tasks:
    - name: Read what the host has
      fleet.images.image_info:
        detail: true
      register: held
      ignore_errors: true
      ignore_unreachable: true

    - name: Write the report, and fail if a host differs
      fleet.images.image_report:
        images:
          - image: redis:7
          - image: ghcr.io/team/app:1.2
        lock: images.lock.json
        hosts: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'held'))) }}"
        dest: report
        fail_on: drift
      run_once: true

    - name: Write only what the monitoring reads
      fleet.images.image_report:
        from_file: [compose.yaml]
        hosts: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'held'))) }}"
        dest:
          prometheus: /var/lib/prometheus/node-exporter/fleet_images.prom
      run_once: true
"""

RETURN = r"""
changed:
  description: Whether the fleet is not as the report said before. True for a first report.
  type: bool
  returned: always
  sample: false
files:
  description: The file of each form, with all folders, and that of the V(signature).
  type: dict
  returned: success
  sample: {"json": "/srv/playbooks/report/report.json"}
root:
  description: The Merkle root over all hosts.
  type: str
  returned: success
  sample: sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
totals:
  description: How many hosts there are in all and in each state, images on hosts in each class, and their bytes.
  type: dict
  returned: success
  sample: {hosts: 1, verified: 1, drift: 0, failed: 0, unreachable: 0, cells: {verified: 6}, bytes: 94371}
hosts:
  description: A row for each host, by name.
  type: list
  elements: dict
  returned: success
  contains:
    host:
      description: Its name.
      type: str
      sample: web1
    state:
      description: One of C(verified), C(drift), C(failed) and C(unreachable).
      type: str
      sample: verified
    root:
      description: The Merkle root over its images. Empty when nothing is known of them.
      type: str
      sample: sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170
    error:
      description: Why it failed or was not reached, with C(code), C(msg) and C(fix). Otherwise null.
      type: dict
      sample: {"code": "engine-not-running", "msg": "Docker does not answer.", "fix": "start it"}
findings:
  description: Everything that is not as it must be, by host and image.
  type: list
  elements: dict
  returned: success
  contains:
    host:
      description: Name of the host.
      type: str
      sample: web1
    image:
      description: Full name of the image, or its digest if it has none. Empty where it concerns the host.
      type: str
      sample: docker.io/library/redis:7
    class:
      description: Class of an image, or state of a host.
      type: str
      sample: missing
    why:
      description: Why.
      type: str
      sample: the host has no image of this name
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
error:
  description: Why the task failed, for programs. RV(ignore:msg) has the same for people.
  type: dict
  returned: failure
  contains:
    class:
      description:
        - Who must act. C(InputError) means that the task, the lock or a path is wrong, C(ConflictError) that hosts are
          not as O(fail_on) wants them, C(NotFoundError), C(UnsupportedError) and C(UnavailableError) that the report
          cannot be signed.
      type: str
      sample: ConflictError
    code:
      description: Name of the failure, which stays the same from release to release.
      type: str
      sample: fleet-differs
    what:
      description: What failed.
      type: str
      sample: 1 of 3 hosts are not as they must be
    why:
      description: The evidence. It may be empty.
      type: str
      sample: "web1: docker.io/library/redis:7 missing (the host has no image of this name)"
    fix:
      description: What can be done about it. It may be empty.
      type: str
      sample: run fleet.images.image_state on these hosts with the same images and lock
    subject:
      description: The image, path or option concerned.
      type: str
      sample: hosts
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
        - path: dest.pdf
          what: there is no such form
          fix: use one of html, json, markdown, junit, prometheus
"""

from ..module_utils.task.compile_once import compile_once

compile_once()

from ..module_utils.task.control_node import refuse_host
from ..module_utils.task.control_options import REPORT


def main() -> None:
    refuse_host(options=REPORT)


if __name__ == "__main__":
    main()
