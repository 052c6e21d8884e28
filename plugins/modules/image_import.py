#!/usr/bin/python
# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_import
short_description: Make a container image of a file system in an archive
version_added: 1.0.0
description:
  - Makes an image with one layer of a tar archive of a root file system, as C(docker import) and C(podman import) do,
    and names it. Works with all engines, also those that have no command for it.
  - The same archive and the same options give the same image on every host and with every engine, times included. The
    task is changed when the name did not point at that image before. The archive is read for this each time.
  - The archive may be compressed with gzip, bzip2, xz or zstd. The bytes of the file system become the layer as they
    are, so owners, modes, times and extended attributes are those of the archive.
extends_documentation_fragment:
  - fleet.images.engine
  - fleet.images.naming
  - fleet.images.registry
  - fleet.images.attributes
  - fleet.images.attributes.group
options:
  src:
    description:
      - The archive, a file on the host, as an absolute path.
    type: path
    required: true
    aliases: [path]
  name:
    description:
      - The name to give to the image.
    type: str
    required: true
    aliases: [image]
  tag:
    description:
      - Tag of O(name) if that has none. Without it O(default_tag) is taken.
    type: str
  change:
    description:
      - What the image should say of itself, as instructions of a Dockerfile, applied in their order.
      - These are C(CMD), C(ENTRYPOINT), C(ENV), C(EXPOSE), C(HEALTHCHECK), C(LABEL), C(MAINTAINER), C(ONBUILD),
        C(SHELL), C(STOPSIGNAL), C(USER), C(VOLUME) and C(WORKDIR).
    type: list
    elements: str
    aliases: [changes]
  commit_message:
    description:
      - A remark for the history of the image.
    type: str
  platform:
    description:
      - For which hosts the image is, like V(linux/arm64). An architecture alone means Linux. Without it, it is for
        hosts like this one.
    type: str
    aliases: [arch]
seealso:
  - module: fleet.images.image_load
    description: Load the images of an archive.
  - module: fleet.images.image_build
    description: Build an image from a Dockerfile.
author:
  - fleet.images maintainers (@fleet-images)
"""

EXAMPLES = r"""
- name: Make a base image of what debootstrap made
  fleet.images.image_import:
    src: /srv/media/trixie-root.tar.gz
    name: registry.example.com/base/trixie:2026-11

- name: Say how it is run
  fleet.images.image_import:
    src: /srv/media/app-root.tar
    name: team/app
    tag: "1.2"
    change:
      - ENV LANG=C.UTF-8
      - WORKDIR /srv/app
      - USER app
      - CMD ["/srv/app/run"]
      - LABEL org.opencontainers.image.version=1.2
    commit_message: made by the nightly build
"""

RETURN = r"""
changed:
  description: Whether the image was made, or the name moved. In check mode, whether it would be.
  type: bool
  returned: always
  sample: true
engine:
  description: The engine whose images these are.
  type: str
  returned: success
  sample: layout
images:
  description: One row, for the image.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Full name of the image.
      type: str
      sample: ghcr.io/team/app:1.2
    id:
      description: What the engine calls the image.
      type: str
      sample: sha256:0a3e5d7c9b1f2e4d6c8a0b2d4f6e8c1a3b5d7f9e0c2a4b6d8f1e3c5a7b9d0f2e
    digest:
      description: What the name points at afterwards. Empty with Docker and Podman when no registry knows the image.
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
      description: The first thing to do, one of C(import), C(tag) and C(none).
      type: str
      sample: import
    cause:
      description: Why it has to be done, or why there is nothing to do.
      type: str
      sample: not on the host
    bytes:
      description: Bytes that are read from the archive for it, at most.
      type: int
      sample: 0
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
      description: One of C(import) and C(tag).
      type: str
      sample: import
    image:
      description: The name that changes.
      type: str
      sample: ghcr.io/team/app:1.2
    digest:
      description: What it points at afterwards. Empty with Docker and Podman when no registry knows the image.
      type: str
      sample: "sha256:4f2c1e9d7b6a58301c2d3e4f5061728394a5b6c7d8e9f0011223344556677889"
    previous_digest:
      description: What it pointed at before. Empty when there was no such name.
      type: str
      sample: "sha256:9b1d5c3e7f8a6420d1c2b3a49586778695a4b3c2d1e0f9f8e7d6c5b4a3928170"
    bytes:
      description: Bytes that are read from the archive, at most.
      type: int
      sample: 0
    cause:
      description: Why it has to be done.
      type: str
      sample: not on the host
    needs:
      description: Numbers of the actions that must be done before.
      type: list
      elements: int
      sample: []
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
      description: The same afterwards.
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
      sample: "Plan: 1 to import; 30.0 MiB to move.\n"
image_names:
  description: The name of the image.
  type: list
  elements: str
  returned: success
  sample: [ghcr.io/team/app:1.2]
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
        - path: "repository[0]"
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

from ..module_utils.task.archive_options import IMPORT
from ..module_utils.task.frame import run_work


def work(params: t.Mapping[str, t.Any], *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    from ..module_utils.task.importing import import_image

    return import_image(params, is_dry=is_dry)


def main() -> None:
    run_work(work, options=IMPORT)


if __name__ == "__main__":
    main()
