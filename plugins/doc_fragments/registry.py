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
      - For base images and caches of builds use O(registry_auth) or a file too.
    type: str
  password:
    description:
      - Password or access token of O(username).
      - It is kept in memory. It is never put on a command line or returned. While BuildKit of Docker builds with a cache or a
        syntax from a registry, it is in a file that only the user of the task reads. Otherwise it is never written to a file.
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
      - Seconds that one question to a registry or one transfer may take, its attempts and pauses together. A transfer is an
        image where the engine itself pulls and pushes it (Docker and Podman), and each part of an image elsewhere.
      - It is also the seconds that one build in containers may take, without the pulls of its bases. The build is stopped
        then, and nothing gets a name. A step that runs in a service of Podman that was there before runs to its end.
      - What is under way then is given up, and what arrived of it is kept where that is possible. There is no limit by
        default. Silence is always given up after a minute, and that of an engine after O(timeout).
    type: float
  mirrors:
    description:
      - Other registries with the same images, in the order in which they are tried. Manifests and layers are asked of them by
        digest, and checked. What no mirror has, or gives rightly, comes from the registry that the image's name says.
      - A mirror that answers with something else changes nothing, and a warning names it.
      - What a tag means is asked at the registry of the name alone.
      - Images are named as if they came from there. The engine needs no configuration for it, and the name of a mirror
        does not stay on the host.
      - O(username) and O(password) are never sent to a mirror. Use O(registry_auth) or a file for it.
    type: list
    elements: dict
    suboptions:
      registry:
        description:
          - Registry whose images are there, like V(docker.io), or a part of one, like V(ghcr.io/team).
        type: str
        required: true
      location:
        description:
          - Where they are, a registry with or without a path, like V(cache.example.com:5000/hub). It has no C(https://).
        type: str
        required: true
requirements:
  - requests (Python library) on the target, as soon as a registry is asked
notes:
  - Files with log-ins are read on the target, as the user that the task runs as. With C(become) that is the become user.
"""
