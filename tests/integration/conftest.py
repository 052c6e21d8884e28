# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the integration tests share: hosts, each with a store of its own that does not exist yet."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.lifecycle import Host, Repository

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.registry import Registry


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host whose store does not exist yet."""
    return Host(tmp_path / "host" / "store")


@pytest.fixture
def repository(shared_registry: Registry, request: pytest.FixtureRequest) -> Repository:
    """Return a repository at the shared registry that only this test uses."""
    return Repository(shared_registry, "case/" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12])
