# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Receiving a blob on a disk that is really full; resuming is tested in test_layout_blobs.py."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise, opening, sample_image

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 512 KiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_told_and_the_store_stays_whole_and_usable(small_disk: Path) -> None:
    store, image = LayoutStore(small_disk, create=True), sample_image("small")
    image.put(store, parse_reference("small:1"))
    content = noise("too large", 600_000)
    known = Descriptor.of(content, "")
    for blob in (known, known._replace(size=-1)):
        with pytest.raises(ConflictError) as caught:
            store.write(blob, opening(content))
        assert caught.value.code == "disk-full"
        assert not store.has(known)
    filler = small_disk / "filler"
    with contextlib.suppress(OSError):
        filler.write_bytes(bytes(600_000))
    with pytest.raises(ConflictError) as caught:
        sample_image("another").put(store, parse_reference("another:1"))
    assert caught.value.code == "disk-full"
    assert [row.missing for row in LayoutStore(small_disk).images()] == [()]
    filler.unlink()
    sample_image("another").put(store, parse_reference("another:1"))
    assert len(store.names()) == 2
