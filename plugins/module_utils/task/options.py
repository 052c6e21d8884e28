# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of all modules, in groups that modules put together.

One row an option. The published schema of ``image_state`` documents is made from the same rows.
"""

from __future__ import annotations

import typing as t

Spec = t.Dict[str, t.Dict[str, t.Any]]  # noqa: UP006 (evaluated on Python 3.9)

VERIFY_POLICIES = ["signed", "accept", "reject", "content_trust"]
PULL_POLICIES = ["missing", "newer", "always", "never", "not_present"]

#: Without defaults but for ``engine``: what the task does not say, the environment may, and that depends on the engine.
ENGINE: Spec = {
    "engine": {"type": "str", "choices": ["auto", "docker", "podman", "containerd", "layout"], "default": "auto"},
    "docker_host": {"type": "str", "aliases": ["docker_url"]},
    "tls": {"type": "bool"},
    "validate_certs": {"type": "bool", "aliases": ["tls_verify"]},
    "tls_hostname": {"type": "str"},
    "ca_path": {"type": "path", "aliases": ["ca_cert", "tls_ca_cert", "cacert_path"]},
    "client_cert": {"type": "path", "aliases": ["tls_client_cert", "cert_path"]},
    "client_key": {"type": "path", "aliases": ["tls_client_key", "key_path"]},
    "api_version": {"type": "str", "aliases": ["docker_api_version"]},
    "timeout": {"type": "int"},
    "executable": {"type": "str"},
    "containerd_address": {"type": "str"},
    "namespace": {"type": "str"},
    "store": {"type": "path"},
}

NAMING: Spec = {
    "default_registry": {"type": "str", "default": "docker.io"},
    "default_namespaces": {"type": "list", "elements": "str", "default": ["library"]},
    "default_tag": {"type": "str", "default": "latest"},
}

REGISTRY: Spec = {
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "auth_file": {"type": "path", "aliases": ["authfile", "config_path", "dockercfg_path"]},
    "registry_auth": {
        "type": "list",
        "elements": "dict",
        "options": {
            "registry": {"type": "str", "required": True, "aliases": ["registry_url", "url"]},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "identity_token": {"type": "str", "no_log": True},
        },
    },
    "registry_validate_certs": {"type": "bool", "aliases": ["registry_tls_verify", "tlsverify"]},
    "registry_ca_path": {"type": "path", "aliases": ["ca_cert_dir", "certdir"]},
    "mirrors": {
        "type": "list",
        "elements": "dict",
        "options": {"registry": {"type": "str", "required": True}, "location": {"type": "str", "required": True}},
    },
    "parallel": {"type": "int", "default": 4},
    "retry": {"type": "int", "default": 3},
    "retry_delay": {"type": "float", "default": 1.0},
    "deadline": {"type": "float"},
}

PULL: Spec = {
    "pull": {"type": "str", "choices": PULL_POLICIES, "default": "missing", "aliases": ["policy", "pull_policy"]},
    "platform": {"type": "str", "aliases": ["arch"]},
    "disk_margin": {"type": "str", "default": "200MiB"},
}

VERIFY: Spec = {
    "verify": {
        "type": "list",
        "elements": "dict",
        "options": {
            "pattern": {"type": "str", "required": True},
            "policy": {"type": "str", "choices": VERIFY_POLICIES, "default": "signed"},
            "keys": {"type": "list", "elements": "str", "no_log": False},  # public ones
            "identity": {"type": "str", "default": "repository"},
        },
    },
    "policy_file": {"type": "path"},
}

BUILD: Spec = {
    "path": {"type": "path"},
    "dockerfile": {"type": "str", "aliases": ["file", "containerfile"]},
    "dockerfile_inline": {"type": "str", "aliases": ["container_file"]},
    "args": {"type": "dict", "aliases": ["build_args", "buildargs"]},
    "target": {"type": "str"},
    "labels": {"type": "dict"},
    "pull": {"type": "bool", "default": False},
    "rebuild": {"type": "str", "choices": ["changed", "always", "never"], "default": "changed"},
    "network": {"type": "str"},
    "etc_hosts": {"type": "dict"},
    "shm_size": {"type": "str"},
    "secrets": {
        "type": "list",
        "elements": "dict",
        "no_log": False,  # IDs are no secrets
        "options": {
            "id": {"type": "str", "required": True},
            "src": {"type": "path"},
            "env": {"type": "str"},
            "value": {"type": "str", "no_log": True},
        },
    },
    "cache_from": {"type": "list", "elements": "str"},
    "nocache": {"type": "bool", "default": False},
    "squash": {"type": "bool", "default": False},
    "share": {"type": "str"},
    "outputs": {
        "type": "list",
        "elements": "dict",
        "options": {
            "type": {"type": "str", "choices": ["local", "tar", "oci", "docker"], "required": True},
            "dest": {"type": "path", "required": True},
        },
    },
}

NAMES: Spec = {
    "name": {"type": "list", "elements": "str", "required": True, "aliases": ["image", "names"]},
    "tag": {"type": "str"},
}

_TARGETS: Spec = {"repository": {"type": "list", "elements": "str", "aliases": ["target_names", "target"]}}

TAG: Spec = {
    "name": {"type": "str", "required": True, "aliases": ["image"]},
    "tag": {"type": "str"},
    "repository": {**_TARGETS["repository"], "required": True},
    "existing_images": {"type": "str", "choices": ["keep", "overwrite"], "default": "overwrite"},
}

#: ``in_use`` has no default here: with ``force`` it is untag, else fail.
RMI: Spec = {
    "in_use": {"type": "str", "choices": ["fail", "skip", "untag"]},
    "force": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": True},
}

PUSH: Spec = {"repository": {"type": "list", "elements": "str", "aliases": ["dest", "destination"]}}

#: What ``image_build`` has beside the build itself: the image's names and where it goes.
BUILD_RESULT: Spec = {
    "name": {"type": "str", "required": True, "aliases": ["image"]},
    "tag": {"type": "str"},
    "platform": PULL["platform"],
    "repository": {"type": "list", "elements": "str", "aliases": ["target_names"]},  # "target" is a build stage here
    "push": {"type": "bool", "default": False},
    "disk_margin": PULL["disk_margin"],
}

#: One entry of ``images[]``. ``pull`` and ``platform`` have no default here: the task-wide options are it.
ITEM: Spec = {
    "image": {"type": "str", "required": True, "aliases": ["name"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "pull": {"type": "str", "choices": PULL_POLICIES, "aliases": ["policy", "pull_policy"]},
    "platform": {"type": "str", "aliases": ["arch"]},
    "tags": {"type": "list", "elements": "str"},
    "build": {"type": "dict", "options": BUILD},
    "push": {"type": "raw"},
}

STATE: Spec = {
    "images": {"type": "list", "elements": "dict", "options": ITEM},
    "from_file": {"type": "list", "elements": "raw"},
    "unlisted": {"type": "str", "choices": ["keep", "remove"], "default": "keep"},
    "protect": {"type": "list", "elements": "str", "default": []},
    "in_use": {"type": "str", "choices": ["skip", "fail", "untag"], "default": "skip"},
    "prune": {"type": "bool", "default": True},
    "lock": {"type": "raw"},
    "lock_missing": {"type": "str", "choices": ["fail", "resolve"], "default": "fail"},
}

#: Every module takes all of these, also where it does not use them: ``module_defaults`` of the action group must fit.
COMMON: Spec = {**ENGINE, **NAMING, **REGISTRY}
