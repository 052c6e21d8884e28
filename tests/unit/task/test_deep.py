# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an engine cannot even describe is damage like any other."""

from __future__ import annotations

import typing as t
from types import SimpleNamespace

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity, LocalImage, Space
from ansible_collections.fleet.images.plugins.module_utils.task.deep import damages_on

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.task.session import Session


def refuse(_image: LocalImage) -> t.NoReturn:
    raise PeerError("The engine failed", code="engine-failed", why="layer store: file is gone", fix="look at its log")


def session_with(free: int) -> Session:
    engine = SimpleNamespace(describe=refuse, space=lambda: Space("/var/lib/engine", free))
    return t.cast("Session", SimpleNamespace(engine=engine, archiver=object()))


def test_an_image_that_its_engine_cannot_describe_is_damaged() -> None:
    image = LocalImage("sha256:" + "a" * 64, Identity(), size=10)
    [[damage]] = damages_on([image], params={}, session=session_with(free=100))
    assert (damage["part"], damage["why"]) == ("image", "the engine cannot read it: layer store: file is gone")


def test_without_room_nobody_calls_an_image_damaged() -> None:
    image = LocalImage("sha256:" + "a" * 64, Identity(), size=10)
    with pytest.raises(PeerError):
        damages_on([image], params={}, session=session_with(free=1))
