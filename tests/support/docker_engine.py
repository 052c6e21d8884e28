# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our engine for a Docker daemon, real or simulated."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.engines.docker import DockerEngine
from ansible_collections.fleet.images.plugins.module_utils.engines.docker_build import DockerBuilds
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import EngineConnection, EngineEndpoint

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential


def engine_at(
    address: str,
    *,
    api_version: str = "auto",
    timeout: float = 60,
    credential: Credential | None = None,
) -> DockerEngine:
    """Return our engine for the daemon at ``address``; ``credential`` is for every registry. The caller closes it."""
    endpoint = EngineEndpoint.parse(address)
    return DockerEngine(
        lambda: EngineConnection(endpoint, timeout=timeout),
        place=address,
        api_version=api_version,
        credentials=lambda reference: credential,
    )


def builds_of(engine: DockerEngine) -> DockerBuilds:
    """Return what builds in the daemon of ``engine``."""
    return DockerBuilds(engine.api, keeps_targets=engine.keeps_targets, credentials=lambda reference: None)
