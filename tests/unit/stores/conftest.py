# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of uploads ask for: a bench with a server of its own."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.stores import registry_upload
from ansible_collections.fleet.images.tests.unit.stores.upload_bench import CHUNK, Bench
from ansible_collections.fleet.images.tests.unit.stores.upload_server import UploadRegistry
from ansible_collections.fleet.images.tests.unit.wire.odd_server import OddServer, Patience

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(registry_upload, "CHUNK", CHUNK)
    registry = UploadRegistry()
    with OddServer(registry) as server:
        yield Bench(registry, server, Patience())
