# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of each entry of a lock, how it shows itself, and what is too young."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.lock import Lock, LockedImage, LockedPlatform
from ansible_collections.fleet.images.plugins.module_utils.model.media_types import OCI_INDEX
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.locking import (
    Declared,
    Found,
    added_bytes,
    hold_reason,
    moment_of,
    plan_lock,
    unmatched,
)

NOW = datetime(2026, 6, 15, tzinfo=timezone.utc)
WEEK = timedelta(days=7)


def entry(word: str, *, size: int = 10, platforms: tuple[str, ...] = ("linux/amd64",)) -> LockedImage:
    """Return an entry whose digests are of ``word``."""
    digest = Digest.of(word.encode())
    return LockedImage(digest, OCI_INDEX, {name: LockedPlatform(digest, digest, size, (digest,)) for name in platforms})


def found(name: str, image: LockedImage, *, added: int = 0) -> Found:
    return Found(parse_reference(name), image, added)


OLD = Lock({"docker.io/library/a:1": entry("a"), "docker.io/library/b:1": entry("b")})


def test_each_entry_has_a_row_that_says_what_becomes_of_it() -> None:
    plan = plan_lock(OLD, [found("c", entry("c"), added=7), found("a:1", entry("moved", size=12), added=5)])
    assert [(row.reference.familiar, row.action, row.cause) for row in plan.rows] == [
        ("a:1", "update", "the tag moved"),
        ("b:1", "drop", "no longer declared"),
        ("c:latest", "add", "not in the lock"),
    ]
    assert list(plan.lock.images) == ["docker.io/library/a:1", "docker.io/library/c:latest"]
    row = plan.rows[0].to_json()
    assert (row["bytes"], row["previous_bytes"], row["added_bytes"]) == (12, 10, 5)
    assert (row["digest"], row["previous_digest"]) == (str(Digest.of(b"moved")), str(Digest.of(b"a")))


def test_the_same_images_give_the_same_lock_and_no_changes() -> None:
    plan = plan_lock(OLD, [found("b:1", entry("b")), found("a:1", entry("a"))])
    assert plan.lock.to_text() == OLD.to_text()
    assert plan.changes == []
    assert {row.action for row in plan.rows} == {"keep"}


def test_other_platforms_of_one_digest_are_an_update_that_names_them() -> None:
    plan = plan_lock(OLD, [found("a:1", entry("a", platforms=("linux/arm64",))), found("b:1", entry("b"))])
    assert [(row.action, row.cause) for row in plan.changes] == [("update", "platforms: +linux/arm64, -linux/amd64")]
    assert plan.diff("f")["before"] != plan.diff("f")["after"]


def test_keys_that_verified_an_image_are_part_of_its_entry() -> None:
    signed = entry("a")._replace(verified_by=("SHA256:x",))
    plan = plan_lock(OLD, [found("a:1", signed), found("b:1", entry("b"))])
    assert [row.cause for row in plan.changes] == ["verified by other keys"]
    back = plan_lock(plan.lock, [found("a:1", entry("a")), found("b:1", entry("b"))])
    assert [row.cause for row in back.changes] == ["its signatures are no longer verified"]


def test_a_held_image_keeps_its_entry_and_is_no_change() -> None:
    held = Found(parse_reference("a:1"), OLD.images["docker.io/library/a:1"], is_held=True, cause="too young")
    plan = plan_lock(OLD, [held, found("b:1", entry("b"))])
    assert plan.lock.to_text() == OLD.to_text()
    assert plan.changes == []
    assert (plan.rows[0].action, plan.rows[0].cause) == ("held", "too young")
    assert "= a:1" in plan.text()


def test_the_diff_shows_tags_digests_and_bytes() -> None:
    plan = plan_lock(OLD, [found("a:1", entry("moved"), added=5 << 20), found("b:1", entry("b"))])
    diff = plan.diff("/x/images.lock.json")
    assert diff["before_header"] == diff["after_header"] == "/x/images.lock.json"
    assert diff["before"] == f"docker.io/library/a:1 {Digest.of(b'a')} (linux/amd64)\n"
    assert diff["after"] == f"docker.io/library/a:1 {Digest.of(b'moved')} (linux/amd64)\n"
    first, line, end = diff["prepared"].split("\n")
    assert (first, end) == ("Lock: 1 to keep, 1 to update.", "")
    change = f"sha256:{Digest.of(b'a').short} -> sha256:{Digest.of(b'moved').short}"
    assert line == f"  ~ a:1  {change}  (adds 5.0 MiB, the tag moved)"


def test_a_lock_of_nothing_says_so() -> None:
    assert plan_lock(Lock({}), []).text() == "Lock: no images.\n"


def test_only_layers_that_the_lock_before_has_nowhere_are_added() -> None:
    layers = {Digest.of(b"a"): 100, Digest.of(b"new"): 7}
    assert added_bytes(layers, rest=3, old=OLD) == 10
    assert added_bytes(layers, rest=3, old=Lock({})) == 110


@pytest.mark.parametrize("pattern", ["a:1", "docker.io/library/a:1", "a:*", "docker.io/library/*", "*", "[ab]:?"])
def test_a_pattern_matches_the_name_as_written_familiar_or_full(pattern: str) -> None:
    assert Declared("", "a:1", (parse_reference("a:1"),)).is_matched_by(pattern)


def test_a_pattern_matches_the_text_of_the_task_and_not_a_part_of_a_name() -> None:
    short = Declared("", "a", (parse_reference("a"),))
    assert short.is_matched_by("a")
    assert short.is_matched_by("a:latest")
    assert not short.is_matched_by("docker.io/library/a")
    assert unmatched(["a", "b", "a:*"], [short]) == [1]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-01T10:00:00Z", datetime(2026, 6, 1, 10, tzinfo=timezone.utc)),
        ("2026-06-01T10:00:00.123456789Z", datetime(2026, 6, 1, 10, tzinfo=timezone.utc)),
        ("2026-06-01T10:00:00+02:00", datetime(2026, 6, 1, 8, tzinfo=timezone.utc)),
        ("2026-02-31T10:00:00Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_time_of_a_config_is_read_as_written(text: str, moment: datetime | None) -> None:
    assert moment_of(text) == moment


def test_an_image_is_held_until_its_youngest_platform_is_old_enough() -> None:
    young, old = NOW - timedelta(days=3), NOW - timedelta(days=30)
    told = "it was made 2026-06-12 00:00 UTC and is held until 2026-06-19 00:00 UTC"
    assert hold_reason([old, young], least=WEEK, now=NOW) == told
    assert hold_reason([old, NOW - WEEK], least=WEEK, now=NOW) == ""


@pytest.mark.parametrize(
    "moment",
    [None, datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(1, 1, 1, tzinfo=timezone.utc), NOW + timedelta(days=2)],
)
def test_an_image_whose_age_is_not_known_is_held(moment: datetime | None) -> None:
    assert "not known" in hold_reason([NOW - 9 * WEEK, moment], least=WEEK, now=NOW)
    assert "not known" in hold_reason([], least=WEEK, now=NOW)
