#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_sign
short_description: Sign container images at registries with a key
version_added: 1.0.0
description:
  - Signs images with a private key, as C(cosign sign --key) does, and puts the signature beside the image into its
    repository, under the tag C(sha256-<digest>.sig). With the public key C(cosign), C(podman), C(skopeo) and
    O(fleet.images.image_pull#module:verify) can check it.
  - What is signed is the digest that the name has at its registry now. A tag that moves later is not signed any more.
  - An image is not signed again if the key has signed it already under this identity.
  - Signatures of others stay. When several sign one image at the same time, each looks again after a moment whether
    all signatures are there, and puts back what was lost.
  - Only registries are spoken to, no engine. Mostly it is a task for the control node or a build host.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  name:
    description:
      - The images, each by a name with a tag, a digest or both. A single one may be given as a string.
    type: list
    elements: str
    required: true
    aliases: [image, names]
  tag:
    description:
      - Tag of names that have neither tag nor digest. Without it O(default_tag) is taken.
    type: str
  private_key:
    description:
      - The private key, as its text. It is of ECDSA P-256, Ed25519, or RSA with 2048 bits or more, in PEM (PKCS 8 or
        the older form of C(openssl)), or what C(cosign generate-key-pair) writes.
      - One of O(private_key) and O(private_key_path) is needed.
    type: str
  private_key_path:
    description:
      - Path of the private key on the machine that the module runs on.
    type: path
  private_key_passphrase:
    description:
      - Opens the private key if it is encrypted. It plays no part if it is not.
    type: str
  identity:
    description:
      - Which name the signature carries. Who checks it may ask for the right one.
      - V(repository) is the repository without a tag, as C(cosign) writes it. It serves any tag.
      - V(exact) is the repository and the tag, as C(skopeo) and C(podman) write it. Their policies ask for it unless
        they say C(matchRepository).
    type: str
    choices: [repository, exact]
    default: repository
  recursive:
    description:
      - Sign the image of each platform too, and not the index alone.
      - C(podman) and C(skopeo) check the image of the platform that they take, so they need this for images of several
        platforms. C(cosign) and this collection are content with the index.
    type: bool
    default: false
requirements:
  - cryptography (Python library) on the machine that the module runs on
notes:
  - The options of engines and O(mirrors) play no part here. They are accepted, so that C(module_defaults) of the action
    group fit.
  - Nothing is written to a transparency log, and no certificate is asked for. C(cosign verify) then wants
    C(--insecure-ignore-tlog).
  - In check mode it is not known whether the registry would take the signature.
seealso:
  - module: fleet.images.image_push
    description: Push the image before it is signed.
  - module: fleet.images.image_lock
    description: Check signatures once for a whole fleet.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Sign what was just pushed
  fleet.images.image_sign:
    name: "registry.example.com/team/app:1.2@{{ pushed.images[0].digest }}"
    private_key: "{{ vault_signing_key }}"
    private_key_passphrase: "{{ vault_signing_passphrase }}"

- name: Sign all platforms of two images, so that podman accepts them by its default rules
  fleet.images.image_sign:
    name:
      - registry.example.com/team/app:1.2
      - registry.example.com/team/site:2026.11
    private_key_path: ~/keys/team.key
    identity: exact
    recursive: true

- name: Check on hosts what was signed
  fleet.images.image_pull:
    name: registry.example.com/team/app:1.2
    verify:
      - pattern: registry.example.com/team
        keys: ["{{ lookup('file', 'team.pub') }}"]
"""

RETURN = r"""
changed:
  description: Whether something was signed. In check mode, whether it would be.
  type: bool
  returned: always
  sample: true
fingerprint:
  description: The key, as V(SHA256:) and base64 of the hash of the public key in DER. Locks name it in the same way.
  type: str
  returned: success
  sample: SHA256:6WQTBKfyjqqJLSBmhLJJ0hNPq2xZrjXvQDCyzv0vMGI
images:
  description: A row for each image that was asked for. With O(recursive) those of its platforms follow it.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Full name of the image, as it was asked for.
      type: str
      sample: registry.example.com/team/app:1.2
    digest:
      description: What is signed.
      type: str
      sample: sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889
    platform:
      description: The platform whose image it is. Empty in the row of the name itself.
      type: str
      sample: linux/amd64
    identity:
      description: The name that the signature carries.
      type: str
      sample: registry.example.com/team/app
    signatures:
      description: Where the signatures of this digest are.
      type: str
      sample: registry.example.com/team/app:sha256-4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889.sig
    changed:
      description: Whether it was signed by this task. In check mode, whether it would be.
      type: bool
      sample: true
diff:
  description: The signatures that are added. Texts for people; use RV(images) in playbooks.
  type: dict
  returned: success
  contains:
    before:
      description: Always empty.
      type: str
      sample: ""
    after:
      description: The signatures that are added, one a line.
      type: str
      sample: "registry.example.com/team/app@sha256:4f2c… signed by SHA256:6WQT… as registry.example.com/team/app\n"
    before_header:
      description: Heading of RV(diff.before). Not there when nothing changes.
      type: str
      sample: signatures
    after_header:
      description: Heading of RV(diff.after). Not there when nothing changes.
      type: str
      sample: signatures
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
        - Who must act. C(InputError) means that the task or the key is wrong, C(NotFoundError) that an image is not
          there, C(AuthError) that a log-in is missing or refused, C(IntegrityError) that bytes are not what their
          digest promised, C(ConflictError) that others sign the same image all the time, C(UnsupportedError) that it
          cannot be done here, C(UnavailableError) that a network or a server is down, C(PeerError) that a server broke
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
        - path: name[1]
          what: "'Redis' is not an image reference"
          fix: write it like redis or redis:7
    failed:
      description: For each image that failed its own error, of this same form. Only C(ApplyError) has it.
      type: dict
      sample: {}
"""

from ..module_utils.task.compile_once import compile_once

compile_once()

from ..module_utils.task.frame import run_work
from ..module_utils.task.options import NAMES
from ..module_utils.task.sign import SIGN, sign


def main() -> None:
    run_work(
        sign,
        options={**NAMES, **SIGN},
        mutually_exclusive=[("private_key", "private_key_path")],
        required_one_of=[("private_key", "private_key_path")],
    )


if __name__ == "__main__":
    main()
