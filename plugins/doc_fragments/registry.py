# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that say how to speak to registries."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  username:
    description:
      - User name at the registry that the task names. If it names several, use O(registry_auth).
      - For base images of builds use O(registry_auth) or a file too.
    type: str
  password:
    description:
      - Password or access token of O(username).
      - It is kept in memory. It is never written to a file, put on a command line or returned.
    type: str
  auth_file:
    description:
      - File on the target with log-ins, in the form that C(docker login) or C(podman login) writes. Its credential helpers
        are asked too.
      - It must exist when it is set. It is looked at before the files that are always looked at, which are those of Podman
        (E(REGISTRY_AUTH_FILE) or C(containers/auth.json) in E(XDG_RUNTIME_DIR) and E(XDG_CONFIG_HOME)) and of Docker
        (C(config.json) in E(DOCKER_CONFIG) or in C(~/.docker)).
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
      - File or folder on the target with certificates of authorities that are trusted beside those of the system.
    type: path
    aliases: [ca_cert_dir, certdir]
  parallel:
    description:
      - How many transfers and questions to registries run at the same time, at least 1.
    type: int
    default: 4
  retry:
    description:
      - How often an exchange with a registry is tried again. Only what can be better next time is. These are broken
        connections, time-outs, and the answers 408, 429 and 5xx. A refused log-in or a missing image is not tried again.
    type: int
    default: 3
  retry_delay:
    description:
      - Seconds before the second attempt. The pause is doubled for each further one, up to 30 seconds.
      - A registry that asks for a longer pause gets it, up to two minutes.
    type: float
    default: 1.0
  deadline:
    description:
      - Seconds for all that is done with a registry, attempts and pauses together, from the first contact with it.
      - What is under way then is given up, and what arrived of it is kept where that is possible. There is no limit by
        default.
    type: float
requirements:
  - requests (Python library) on the target, as soon as a registry is asked
notes:
  - Files with log-ins are read on the target, as the user that the task runs as. With C(become) that is the become user.
"""
