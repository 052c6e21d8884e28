# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the integration tests share: hosts, each with a store of its own that does not exist yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.lifecycle import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host whose store does not exist yet."""
    return Host(tmp_path / "host" / "store")
