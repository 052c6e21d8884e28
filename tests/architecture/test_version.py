# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""The version is said twice: to who installs the collection, and to registries. Both say the same."""

from __future__ import annotations

from ansible_collections.fleet.images.plugins.module_utils.wire.transport import USER_AGENT
from ansible_collections.fleet.images.tests.architecture.sources import ROOT


def test_registries_are_told_the_version_of_the_collection() -> None:
    galaxy = (ROOT / "galaxy.yml").read_text(encoding="utf-8")
    version = next(line.partition(":")[2].strip() for line in galaxy.splitlines() if line.startswith("version:"))
    assert f"fleet.images/{version}" == USER_AGENT
