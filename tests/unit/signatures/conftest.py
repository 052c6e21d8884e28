# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stages of the tests of signatures."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.unit.signatures.stage import ListingRegistry, Stage, stage_at
from ansible_collections.fleet.images.tests.unit.wire.odd_server import OddServer

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.lifecycle import Repository


@pytest.fixture
def stage(repository: Repository) -> Stage:
    """Return an image at a real registry, which keeps no lists of referrers."""
    return stage_at(repository.registry, repository.path)


@pytest.fixture
def listing_stage() -> Iterator[Stage]:
    """Yield an image at a registry that keeps lists of referrers."""
    registry = ListingRegistry()
    with OddServer(registry) as server:
        yield stage_at(registry.at(server), "team/app")
