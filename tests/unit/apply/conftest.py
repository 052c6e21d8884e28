# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of carrying plans out start with: a host that holds nothing and empty registries."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.tests.unit.plan.stories import Story


@pytest.fixture
def story() -> Story:
    return Story()
