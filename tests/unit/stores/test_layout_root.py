# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which directories become or are a store."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError, InputError, NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore

if t.TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_or_empty_directory_becomes_a_store_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "a/b/missing", tmp_path / "empty"):
        with pytest.raises(NotFoundError) as caught:
            LayoutStore(root)
        assert caught.value.code == "store-not-found"
        assert LayoutStore(root, create=True).names() == []
        assert LayoutStore(root).names() == []
    assert (tmp_path / "empty/oci-layout").read_bytes() == b'{"imageLayoutVersion": "1.0.0"}'


def test_the_root_of_a_fresh_disk_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    assert LayoutStore(tmp_path, create=True).names() == []


@pytest.mark.parametrize("create", [True, False])
def test_a_directory_with_other_content_or_a_file_is_refused_and_left_alone(tmp_path: Path, create: bool) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter.txt").write_text("dear")
    for root in (tmp_path / "home", tmp_path / "home/letter.txt"):
        with pytest.raises(InputError) as caught:
            LayoutStore(root, create=create)
        assert caught.value.code == "not-a-layout"
        assert caught.value.subject == str(root)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("marker", "code"),
    [
        (b'{"imageLayoutVersion":"2.0.0"}', "layout-version"),
        (b'{"imageLayoutVersion":1}', "store-damaged"),
        (b"", "store-damaged"),
    ],
)
def test_a_layout_of_another_version_or_a_damaged_marker_is_refused(tmp_path: Path, marker: bytes, code: str) -> None:
    LayoutStore(tmp_path, create=True)
    (tmp_path / "oci-layout").write_bytes(marker)
    with pytest.raises(ImagesError) as caught:
        LayoutStore(tmp_path, create=True)
    assert caught.value.code == code
