# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine builds with, in containers of its own. Modules that never build do not ship it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..engines.base import ImageBuilder
    from ..engines.docker import DockerEngine
    from ..engines.podman import PodmanEngine
    from .session import Session


def engine_builder(session: Session) -> ImageBuilder | None:
    """Return what builds in the session's engine; None where the native builder and buildah do."""
    if session.engine.name == "docker":
        from ..engines.docker_build import DockerBuilds

        docker = t.cast("DockerEngine", session.engine)
        return DockerBuilds(docker.api, keeps_targets=docker.keeps_targets, credentials=session.credential)
    if session.engine.name == "podman":
        from ..engines.podman_build import PodmanBuilds

        return PodmanBuilds(t.cast("PodmanEngine", session.engine).api)
    return None
