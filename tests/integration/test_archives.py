# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What cannot be saved or loaded is refused with a reason, and leaves files and stores as they were."""

from __future__ import annotations

import io
import os
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import LayoutHost
from ansible_collections.fleet.images.tests.support.images import make_image, write_layout
from ansible_collections.fleet.images.tests.support.lifecycle import HOST
from ansible_collections.fleet.images.tests.support.programs import run
from ansible_collections.fleet.images.tests.support.small_disk import small_disk

if t.TYPE_CHECKING:
    from pathlib import Path


MADE = make_image(platform=HOST, random_bytes=600_000)


def archive(path: Path, name: str) -> str:
    """Write an archive with one image, by a tool that is not ours."""
    with tarfile.open(path, "w") as tar:
        tar.add(write_layout(path.with_suffix(".layout"), {name: MADE}), ".")
    return str(path)


@pytest.fixture
def host(tmp_path: Path) -> LayoutHost:
    """Return a host with one image."""
    host = LayoutHost(tmp_path)
    host.do("image_load", path=archive(tmp_path / "first.tar", "docker.io/team/app:1"))
    return host


def test_what_is_no_archive_of_images_is_not_replaced_unless_it_is_said(host: LayoutHost, tmp_path: Path) -> None:
    precious, folder = tmp_path / "passwd", tmp_path / "folder"
    precious.write_bytes(b"root:x:0:0\n")
    folder.mkdir()
    (folder / "kept").write_bytes(b"1")
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it
    for place in (precious, folder, tmp_path / "pipe"):
        error = host.refuse("image_save", name="team/app:1", path=str(place))
        assert (error["code"], error["subject"]) == ("archive-in-the-way", str(place))
    error = host.refuse("image_save", name="team/app:1", path=str(folder), force=True)
    assert error["code"] == "archive-in-the-way"
    assert host.refuse("image_save", name="team/app:1", path=str(tmp_path / "no" / "a.tar"))["code"] == (
        "archive-folder-missing"
    )
    assert (precious.read_bytes(), (folder / "kept").read_bytes()) == (b"root:x:0:0\n", b"1")
    left, young = (tmp_path / f".passwd.{name}.partial" for name in ("abcd_123", "abcd_124"))  # of killed tasks
    left.write_bytes(b"1")
    os.utime(left, (0, 0))
    young.write_bytes(b"1")
    done = host.do("image_save", name="team/app:1", path=str(precious), force=True)
    assert done["changed"]
    assert (left.exists(), young.exists()) == (False, True)
    assert tarfile.is_tarfile(precious)


def test_all_images_that_are_not_there_are_told_and_nothing_is_written(host: LayoutHost, tmp_path: Path) -> None:
    place = tmp_path / "images.tar"
    error = host.refuse("image_save", name=["team/app:1", "team/no:1", "team/no:2"], path=str(place))
    assert [row["code"] for row in error["failed"].values()] == ["not-on-host", "not-on-host"]
    error = host.refuse("image_save", name=["Not A Name", "team/app:1"], path="images.tar")
    assert [row["path"] for row in error["problems"]] == ["path", "name[0]"]
    error = host.refuse("image_save", name=[], path=f"{tmp_path}/new/")
    assert [row["path"] for row in error["problems"]] == ["path", "name"]
    error = host.refuse("image_save", name="sha256:team", path=str(place))
    assert "is no image ID" in error["problems"][0]["what"]
    error = host.refuse("image_save", name="team/app:1", path=str(place), platform="linux/s390x")
    assert error["code"] == "not-on-host"
    assert not place.exists()


def test_no_name_loads_nothing(host: LayoutHost, tmp_path: Path) -> None:
    path = archive(tmp_path / "other.tar", "docker.io/team/other:1")
    done = host.rest("image_load", path=path, name=[])
    assert done["image_names"] == done["images"] == []


def test_an_image_without_a_name_needs_one(host: LayoutHost, tmp_path: Path) -> None:
    path = archive(tmp_path / "nameless.tar", "latest")
    assert host.refuse("image_load", path=path)["code"] == "archive-without-names"
    assert host.refuse("image_load", path=path, name="team/app:1")["code"] == "archive-lacks-image"
    error = host.refuse("image_load", path=path, repository=["team/app@sha256:" + "0" * 64])
    assert [row["path"] for row in error["problems"]] == ["repository[0]"]
    done = host.do("image_load", path=path, name=MADE.config.digest[7:20], repository=["team/named:1"])
    assert done["image_names"] == ["docker.io/team/named:1"]
    done = host.do("image_save", name=MADE.config.digest, path=str(tmp_path / "by-id.tar"))
    assert done["actions"][0]["names"] == ["docker.io/team/app:1", "docker.io/team/named:1"]


def test_a_disk_that_is_full_or_read_only_keeps_the_archive_that_was_there(host: LayoutHost) -> None:
    with small_disk(4 << 20) as disk:
        place = disk.folder / "images.tar"
        with tarfile.open(place, "w") as tar:  # an archive of images that holds none
            member = tarfile.TarInfo("manifest.json")
            member.size = 2
            tar.addfile(member, io.BytesIO(b"[]"))
        before = place.read_bytes()
        disk.leave(300_000)
        names = sorted(path.name for path in disk.folder.iterdir())
        failed = host.run("image_save", name="team/app:1", path=str(place)).result
        assert failed["error"]["code"] == "archive-unwritable"
        assert place.read_bytes() == before
        assert sorted(path.name for path in disk.folder.iterdir()) == names
        assert host.refuse("image_load", path=str(place))["code"] == "archive-lacks-image"
        disk.clear()
        host.do("image_save", name="team/app:1", path=str(place))
        run(["mount", "-o", "remount,ro", str(disk.folder)])
        host.rest("image_save", name="team/app:1", path=str(place))
        error = host.refuse("image_save", name="team/app:1", path=str(place), force=True)
        assert error["code"] == "archive-unwritable"
