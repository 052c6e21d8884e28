# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: digest
short_description: Ask a registry for the digest of a container image
version_added: 1.0.0
author:
  - fleet.images maintainers (@fleet-images)
description:
  - Returns the digest that the name of an image has at its registry now. It is what an engine would pull.
  - The registry is asked from the control node, each time that the expression is evaluated. With several names, the
    registries are asked at the same time. A mirror is never asked what a tag means.
  - If several tasks or hosts must get the same digest, keep it with C(set_fact) and C(run_once), or use a
    lock.
options:
  _terms:
    description:
      - Names of images, like V(redis), V(ghcr.io/team/app:1.2).
    type: list
    elements: str
    required: true
  platform:
    description:
      - Platform like V(linux/arm64). The digest is then that of the image for this platform.
      - Without it, the digest is that of the whole, which is an index when the image exists for several platforms.
    type: str
    aliases: [arch]
  username:
    description:
      - User name at the registry of the names. If these are at several registries, use O(registry_auth).
    type: str
  password:
    description:
      - Password or access token of O(username).
    type: str
  auth_file:
    description:
      - File on the control node with log-ins, relative to the playbook or absolute, in the form that C(docker login) or
        C(podman login) writes.
      - Without it, the files of Podman and Docker are looked at, as their clients do, for the user that runs Ansible.
    type: path
    aliases: [authfile, config_path, dockercfg_path]
  registry_auth:
    description:
      - Log-ins of several registries. They go before O(username) and before all files.
    type: list
    elements: dict
    suboptions:
      registry:
        description:
          - Registry, like V(quay.io), or a part of one, like V(quay.io/team). The longest match wins.
        type: str
        required: true
        aliases: [registry_url, url]
      username:
        description:
          - User name at this registry.
        type: str
      password:
        description:
          - Password or access token of the user.
        type: str
      identity_token:
        description:
          - OAuth2 refresh token. It is used instead of the password.
        type: str
  registry_validate_certs:
    description:
      - Whether certificates of registries are checked.
      - Unset, they are checked, and plain HTTP is spoken to loopback addresses only, where the server speaks no TLS.
      - V(true) never speaks plain HTTP.
      - V(false) checks nothing, and allows plain HTTP to every registry that speaks no TLS.
    type: bool
    aliases: [registry_tls_verify, tlsverify]
  registry_ca_path:
    description:
      - File or folder on the control node with certificates of authorities that are trusted beside those of the system,
        relative to the playbook or absolute.
    type: path
    aliases: [ca_cert_dir, certdir]
  parallel:
    description:
      - How many questions to registries run at the same time, at least 1.
    type: int
    default: 4
  retry:
    description:
      - How often a question is asked again when the connection breaks, or the registry is overloaded or down.
    type: int
    default: 3
  retry_delay:
    description:
      - Seconds before the second attempt. The pause is doubled for each further one, up to 30 seconds.
    type: float
    default: 1.0
  deadline:
    description:
      - Seconds that one question may take, its attempts and pauses together.
    type: float
extends_documentation_fragment:
  - fleet.images.naming
requirements:
  - requests (Python library) on the control node
seealso:
  - module: fleet.images.image_lock
    description: Resolve the tags of a whole fleet once.
  - module: fleet.images.image_info
    description: Its option O(fleet.images.image_info#module:remote) asks registries from the target.
  - plugin: fleet.images.reference
    plugin_type: filter
    description: The parts of a name.
"""

EXAMPLES = r"""
- name: What the tag means now
  ansible.builtin.debug:
    msg: "{{ lookup('fleet.images.digest', 'ghcr.io/team/app:1.2') }}"

- name: All hosts get the bytes that the tag means now
  ansible.builtin.set_fact:
    app: "ghcr.io/team/app:1.2@{{ lookup('fleet.images.digest', 'ghcr.io/team/app:1.2') }}"
  run_once: true

- name: The images for one platform, from a registry with a log-in
  ansible.builtin.debug:
    msg: >-
      {{ query('fleet.images.digest', 'registry.example.com/app:1', 'registry.example.com/proxy:2',
               platform='linux/arm64', username='deploy', password=vault_registry_password) }}
"""

RETURN = r"""
_list:
  description: The digest of each name, in the order of the names.
  type: list
  elements: str
  sample: ["sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889"]
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ..module_utils.model.errors import ImagesError


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible has no types
    """Asks registries from the control node."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[str]:
        """Return the digest of each of ``terms``."""
        del variables
        from ..plugin_utils.named_images import digests_of

        try:
            digests, warnings = digests_of(terms, options, beside=self._loader.path_dwim)
        except ImagesError as error:
            raise AnsibleLookupError(f"fleet.images.digest: {error}") from error
        for warning in warnings:
            Display().warning(warning)
        return digests
