# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What builds remember is found where they put it, by age, and nothing else is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.caches import Cached, forget, forgettable
from ansible_collections.fleet.images.plugins.module_utils.build.remote_context import _PLACE
from ansible_collections.fleet.images.plugins.module_utils.build.stat_cache import _SUFFIX

HOUR = 3600.0


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a cache folder with the states of a context, a fetched context, and a record of an output; all are old."""
    folder = tmp_path / "cache"
    fetched = folder / _PLACE / "0123"
    fetched.mkdir(parents=True)
    (fetched / "Dockerfile").write_bytes(b"FROM scratch")
    (folder / f"a{_SUFFIX}").write_bytes(b"states")
    (folder / "a.output").write_bytes(b"record")
    for path in (fetched, folder / f"a{_SUFFIX}", folder / "a.output"):
        os.utime(path, (time.time() - 2 * HOUR,) * 2)
    return folder


def test_what_is_old_is_told_with_its_bytes_and_forgotten(cache: Path) -> None:
    found = forgettable(str(cache), grace_seconds=HOUR)
    assert found == [Cached(str(cache / f"a{_SUFFIX}"), 6), Cached(str(cache / _PLACE / "0123"), 12)]
    for cached in (*found, *found):
        forget(cached)
    assert {path.name for path in cache.iterdir()} == {"a.output", _PLACE}
    assert list((cache / _PLACE).iterdir()) == []


def test_what_was_used_lately_stays(cache: Path) -> None:
    os.utime(cache / _PLACE / "0123")
    assert [Path(cached.path).name for cached in forgettable(str(cache), grace_seconds=HOUR)] == [f"a{_SUFFIX}"]


def test_a_link_goes_without_what_it_leads_to(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_bytes(b"x")
    link = cache / _PLACE / "link"
    link.symlink_to(tmp_path / "mine")
    found = forgettable(str(cache), grace_seconds=-1)
    for cached in found:
        forget(cached)
    assert not link.is_symlink()
    assert (tmp_path / "mine" / "file").exists()


@pytest.mark.parametrize("folder", ["", "/nowhere/at/all"])
def test_where_there_is_no_cache_nothing_is_found(folder: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cache)  # without a folder, what lies where the task runs is somebody else's
    assert forgettable(folder, grace_seconds=0) == []
