# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the control node's parts share."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.image_sources import Sources

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)
