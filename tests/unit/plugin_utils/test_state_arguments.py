# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host gets of a task: the lock reduced to what it needs, images of files beside the task's own."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.plugin_utils.state_arguments import prepare
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.locks import lock_of

if t.TYPE_CHECKING:
    from pathlib import Path

IMAGE = make_image({"a": b"1"})
INDEX = make_index([IMAGE, make_image({"a": b"2"}, platform="linux/arm64")])
REDIS, TOOL, TEAM = "docker.io/library/redis:7", "ghcr.io/team/tool:2", "docker.io/team/redis:7"
LOCK = lock_of({REDIS: INDEX, TOOL: IMAGE, TEAM: IMAGE})


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return where the lock lies."""
    file = tmp_path / "images.lock.json"
    file.write_text(json.dumps(LOCK), encoding="utf-8")
    return str(file)


def locked(**args: t.Any) -> dict[str, t.Any]:
    """Return the lock that a host gets."""
    document: dict[str, t.Any] = prepare(args, find=lambda name: name).arguments["lock"]
    return document


def test_a_host_gets_the_entries_that_its_images_name_without_their_diff_ids(path: str) -> None:
    images = [{"image": "redis:7"}, {"name": "other:1"}, {"image": TOOL, "state": "absent"}]
    document = locked(images=images, lock=path)
    assert list(document["images"]) == [REDIS]
    assert all("diff_ids" not in row for row in document["images"][REDIS]["platforms"].values())
    assert locked(images=images, lock=document) == document


def test_every_meaning_of_a_short_name_is_kept(path: str) -> None:
    images = [{"image": "redis"}]
    for spaces in (["team", "library"], "team, library"):
        document = locked(images=images, lock=path, default_namespaces=spaces, default_tag="7")
        assert sorted(document["images"]) == [REDIS, TEAM]
    assert list(locked(images=[{"image": "team/tool:2"}], lock=path, default_registry="ghcr.io")["images"]) == [TOOL]


def test_with_a_build_every_entry_is_kept_because_it_may_start_from_any(path: str) -> None:
    images = [{"image": "app:1", "build": {"dockerfile_inline": "FROM redis:7\n"}}]
    assert sorted(locked(images=images, lock=path)["images"]) == sorted(LOCK["images"])


def test_the_lock_may_be_given_as_path_as_text_and_as_mapping(path: str) -> None:
    images = [{"image": TOOL}]
    text = json.dumps(LOCK)
    assert locked(images=images, lock=path) == locked(images=images, lock=text) == locked(images=images, lock=LOCK)


def test_without_a_lock_nothing_is_added() -> None:
    for nothing in ({}, {"lock": None}, {"lock": ""}):
        args = {"images": [{"image": "redis"}], **nothing}
        assert prepare(args, find=lambda name: name).arguments == args


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (json.dumps(LOCK)[:-20], "lock-not-json"),
        (json.dumps(LOCK, indent=2).replace("\n", "\n<<<<<<< ours\n", 1), "lock-not-json"),
        (json.dumps({**LOCK, "version": 2}), "lock-version"),
        (json.dumps(LOCK).replace(IMAGE.digest, INDEX.digest), "lock-edited"),
        (json.dumps(LOCK).replace("linux/arm64", "linux arm64"), "lock-invalid"),
        ("", "lock-not-json"),
        (b"\xff\xfe", "lock-unreadable"),
        (None, "lock-unreadable"),
    ],
)
def test_a_bad_lock_is_told_by_its_path(tmp_path: Path, content: str | bytes | None, code: str) -> None:
    file = tmp_path / "bad.lock.json"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        locked(images=[{"image": "redis:7"}], lock=str(file))
    assert caught.value.code == code
    assert "bad.lock.json" in str(caught.value)


def test_images_of_files_come_after_those_of_the_task(tmp_path: Path, path: str) -> None:
    compose = tmp_path / "compose.yaml"
    compose.write_text("services:\n  a: {image: redis:7}\n  b: {image: 'ghcr.io/team/tool:2'}\n", encoding="utf-8")
    args = {"images": [{"image": "redis:7", "tags": ["cache:1"]}], "from_file": [str(compose)], "lock": path}
    prepared = prepare(args, find=lambda name: name)
    assert prepared.arguments["images"] == [{"image": "redis:7", "tags": ["cache:1"]}, {"image": TOOL}]
    assert sorted(prepared.arguments["lock"]["images"]) == [REDIS, TOOL]
    assert prepared.sources is not None
    assert [row["image"] for row in prepared.sources] == ["redis:7", TOOL]
    alone = prepare({"from_file": str(compose)}, find=lambda name: name)
    assert len(alone.arguments["images"]) == 2
