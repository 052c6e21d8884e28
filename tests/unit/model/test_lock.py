# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock document: one text for one lock, which image a host takes, and every way in which a file can be wrong."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types as mt
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.lock import (
    ANY_PLATFORM,
    Lock,
    LockedImage,
    LockedPlatform,
    lock_of,
    parse_lock,
)
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform

NGINX = "docker.io/library/nginx:1.27"
TOOL = "ghcr.io/team/tool:2"
INDEX = Digest.of(b"index")
FILE = "images.lock.json"


def platform(name: str) -> LockedPlatform:
    """Return a platform whose digests are of its name."""
    return LockedPlatform(Digest.of(name.encode()), Digest.of(f"{name} config".encode()), 7, (Digest.of(b"layer"),))


LOCK = Lock(
    {
        TOOL: LockedImage(Digest.of(b"tool"), mt.OCI_MANIFEST, {"linux/amd64": platform("tool")}),
        NGINX: LockedImage(
            INDEX,
            mt.OCI_INDEX,
            {"linux/arm64": platform("arm64"), "linux/amd64": platform("amd64"), "linux/386": platform("386")},
            ("SHA256:two", "SHA256:one"),
        ),
    }
)


def changed(**changes: t.Any) -> dict[str, t.Any]:
    """Return the document of LOCK with fields of the entry of nginx replaced; None takes a field away."""
    document: dict[str, t.Any] = json.loads(LOCK.to_text())
    entry = {**document["images"][NGINX], **changes}
    document["images"][NGINX] = {key: value for key, value in entry.items() if value is not None}
    return document


def test_the_text_is_sorted_indented_and_ends_with_a_line_end() -> None:
    text = LOCK.to_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert list(json.loads(text)["images"]) == [NGINX, TOOL]
    assert json.loads(text)["images"][NGINX]["verified_by"] == ["SHA256:one", "SHA256:two"]
    assert "verified_by" not in json.loads(text)["images"][TOOL]


def test_the_text_is_read_back_as_the_same_lock() -> None:
    read = parse_lock(LOCK.to_text(), subject=FILE)
    assert read.to_text() == LOCK.to_text()
    assert read.images[TOOL] == LOCK.images[TOOL]
    assert lock_of(LOCK.to_json(), subject=FILE).images[TOOL] == LOCK.images[TOOL]


def test_a_host_takes_the_image_that_suits_it_best() -> None:
    nginx = LOCK.images[NGINX]
    wanted = nginx.platforms["linux/amd64"]
    assert nginx.identity(Platform.parse("linux/amd64/v3")) == Identity(wanted.manifest, wanted.config, INDEX)
    found = nginx.identity(Platform.parse("linux/386"))
    assert found is not None
    assert found.manifest_digest == nginx.platforms["linux/386"].manifest


def test_an_image_that_is_no_index_has_no_index_digest() -> None:
    found = LOCK.images[TOOL].identity(Platform.parse("amd64"))
    assert found is not None
    assert found.index_digest is None


def test_there_is_no_image_for_a_platform_that_was_not_locked() -> None:
    assert LOCK.images[NGINX].identity(Platform.parse("linux/s390x")) is None


def test_an_image_that_tells_no_platform_suits_any_host_after_those_that_do() -> None:
    image = LockedImage(INDEX, mt.OCI_INDEX, {ANY_PLATFORM: platform("any"), "linux/amd64": platform("amd64")})
    other, own = image.identity(Platform.parse("s390x")), image.identity(Platform.parse("amd64"))
    assert other is not None
    assert own is not None
    assert other.manifest_digest == platform("any").manifest
    assert own.manifest_digest == platform("amd64").manifest


def test_what_travels_to_a_host_holds_its_references_only_and_no_diff_ids() -> None:
    less = LOCK.only([NGINX, "docker.io/library/other:1"])
    assert list(less.images) == [NGINX]
    assert not any(row.diff_ids for row in less.images[NGINX].platforms.values())
    assert lock_of(less.to_json(), subject=FILE).images.keys() == {NGINX}
    assert less.images[NGINX].identity(Platform.parse("arm64")) == LOCK.images[NGINX].identity(Platform.parse("arm64"))


def test_entries_of_two_branches_merge() -> None:
    document = LOCK.to_json()
    one = {"version": 1, "images": {NGINX: document["images"][NGINX]}}
    assert list(lock_of(one, subject=FILE).images) == [NGINX]


@pytest.mark.parametrize(
    "changes",
    [{"digest": str(Digest.of(b"other"))}, {"verified_by": ["SHA256:mine"]}, {"checksum": "0" * 16}],
)
def test_an_entry_that_was_edited_is_named(changes: dict[str, t.Any]) -> None:
    with pytest.raises(InputError) as caught:
        lock_of(changed(**changes), subject=FILE)
    assert caught.value.code == "lock-edited"
    assert NGINX in caught.value.why
    assert TOOL not in caught.value.why


def test_an_entry_under_another_name_is_told() -> None:
    document = LOCK.to_json()
    document["images"]["ghcr.io/team/tool:3"] = document["images"].pop(TOOL)
    with pytest.raises(InputError) as caught:
        lock_of(document, subject=FILE)
    assert caught.value.code == "lock-edited"


@pytest.mark.parametrize("version", [None, 0, 2, "1", True, 1.0])
def test_another_version_is_told(version: object) -> None:
    with pytest.raises(InputError) as caught:
        lock_of({**LOCK.to_json(), "version": version}, subject=FILE)
    assert caught.value.code == "lock-version"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"digest": "sha256:12"}, f"images.{NGINX}.digest"),
        ({"digest": None}, f"images.{NGINX}.digest is missing"),
        ({"checksum": None}, f"images.{NGINX}.checksum is missing"),
        ({"media_type": "text/html"}, "media_type"),
        ({"platforms": {}}, "platforms is empty"),
        ({"platforms": {"linux": {}}}, "platforms.linux is not a platform"),
        ({"platforms": {"linux/arm64/v8": platform("x").to_json()}}, "platforms.linux/arm64/v8 is not a platform"),
        ({"platforms": {"linux/amd64": {**platform("x").to_json(), "size": -1}}}, "size is -1"),
        ({"note": "mine"}, "note is no part of a lock"),
    ],
)
def test_a_malformed_entry_is_told_by_its_path(changes: dict[str, t.Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        lock_of(changed(**changes), subject=FILE)
    assert caught.value.code == "lock-invalid"
    assert told in caught.value.why
    assert caught.value.subject == FILE


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nginx:1.27", "is not written in full: docker.io/library/nginx:1.27"),
        ("Not A Name", "is not an image reference"),
        (f"ghcr.io/team/tool:2@{INDEX}", "is not the one that the name is pinned to"),
    ],
)
def test_a_name_that_is_no_full_reference_is_told(name: str, told: str) -> None:
    document = LOCK.to_json()
    document["images"][name] = document["images"].pop(TOOL)
    with pytest.raises(InputError) as caught:
        lock_of(document, subject=FILE)
    assert caught.value.code == "lock-invalid"
    assert told in caught.value.why


def test_all_that_is_malformed_is_told_at_once() -> None:
    document = changed(digest=1)
    document["images"][TOOL]["platforms"] = []
    with pytest.raises(InputError) as caught:
        lock_of(document, subject=FILE)
    assert NGINX in caught.value.why
    assert TOOL in caught.value.why


@pytest.mark.parametrize("text", ["", "[", LOCK.to_text()[:200], LOCK.to_text() + "}", "[" * 100_000])
def test_a_file_that_is_cut_off_or_no_json_is_told(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_lock(text, subject=FILE)
    assert caught.value.code == "lock-not-json"


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parse_lock("\ufeff" + LOCK.to_text(), subject=FILE) == parse_lock(LOCK.to_text(), subject=FILE)


def test_the_mark_of_a_merge_conflict_is_told_by_its_line() -> None:
    lines = LOCK.to_text().splitlines()
    lines[3:3] = ["<<<<<<< HEAD", '      "digest": "x",', "=======", ">>>>>>> other"]
    with pytest.raises(InputError) as caught:
        parse_lock("\n".join(lines), subject=FILE)
    assert caught.value.code == "lock-not-json"
    assert "line 4 is the mark of a merge conflict" in caught.value.why
    assert "resolve the conflict" in caught.value.fix


def test_a_name_that_a_merge_left_twice_is_told() -> None:
    text = json.dumps(LOCK.to_json()["images"][TOOL])
    with pytest.raises(InputError) as caught:
        parse_lock(f'{{"version": 1, "images": {{"{TOOL}": {text}, "{TOOL}": {text}}}}}', subject=FILE)
    assert caught.value.code == "lock-invalid"
    assert caught.value.why == f"{TOOL} is there twice"


def test_what_is_no_object_is_told() -> None:
    with pytest.raises(InputError) as caught:
        parse_lock("[1]", subject=FILE)
    assert caught.value.code == "lock-invalid"
