# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of locks: one text for one lock, whatever the order; a changed text is another lock's or is told."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.lock import (
    Lock,
    LockedImage,
    LockedPlatform,
    lock_of,
    parse_lock,
)
from ansible_collections.fleet.images.plugins.module_utils.model.media_types import OCI_INDEX, OCI_MANIFEST
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.locking import Found, moment_of, plan_lock
from hypothesis import given
from hypothesis import strategies as st

DIGESTS = st.binary(max_size=3).map(Digest.of)
NAMES = st.from_regex(r"[a-z]{1,5}\.io/[a-z]{1,5}:[0-9]{1,3}", fullmatch=True)
KEYS = st.sampled_from(["linux/amd64", "linux/arm64", "linux/arm/v7", "windows/amd64", "unknown/unknown"])
PLATFORMS = st.builds(
    LockedPlatform, DIGESTS, DIGESTS, st.integers(0, 1 << 40), st.lists(DIGESTS, max_size=3).map(tuple)
)
IMAGES = st.builds(
    LockedImage,
    DIGESTS,
    st.sampled_from([OCI_INDEX, OCI_MANIFEST]),
    st.dictionaries(KEYS, PLATFORMS, min_size=1, max_size=3),
    st.lists(st.text(max_size=4), max_size=2, unique=True).map(sorted).map(tuple),
)
LOCKS = st.dictionaries(NAMES, IMAGES, max_size=3).map(Lock)


@given(LOCKS, st.randoms(use_true_random=False))
def test_a_lock_is_read_back_and_its_text_knows_no_order(lock: Lock, random: t.Any) -> None:
    text = lock.to_text()
    assert parse_lock(text, subject="f") == lock
    names = list(lock.images)
    random.shuffle(names)
    assert Lock({name: lock.images[name] for name in names}).to_text() == text


@given(LOCKS.filter(lambda lock: bool(lock.images)), st.data())
def test_a_text_in_which_anything_was_changed_is_no_other_lock(lock: Lock, data: st.DataObject) -> None:
    text = lock.to_text()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from('0a"}, \n\\'))
    changed = text[:at] + other + text[at + 1 :]
    try:
        read = parse_lock(changed, subject="f")
    except InputError as error:
        assert error.code in {"lock-not-json", "lock-invalid", "lock-version", "lock-edited"}
    else:
        assert read == lock


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_whatever_a_document_holds_only_input_errors_leave(images: t.Any) -> None:
    try:
        lock_of({"version": 1, "images": images}, subject="f")
    except InputError as error:
        assert error.code.startswith("lock-")


@given(LOCKS, st.lists(NAMES, max_size=3), st.sampled_from(["linux/amd64", "linux/arm64", "linux/s390x"]))
def test_what_travels_says_the_same_of_its_images(lock: Lock, wanted: list[str], platform: str) -> None:
    wanted = [*wanted, *list(lock.images)[:1]]
    less = lock_of(lock.only(wanted).to_json(), subject="f")
    assert set(less.images) == set(wanted) & set(lock.images)
    for name, image in less.images.items():
        assert image.identity(Platform.parse(platform)) == lock.images[name].identity(Platform.parse(platform))


@given(LOCKS, LOCKS)
def test_a_planned_lock_planned_again_has_no_changes(old: Lock, wanted: Lock) -> None:
    found = [Found(parse_reference(name), image) for name, image in wanted.images.items()]
    plan = plan_lock(old, found)
    assert plan.lock.to_text() == wanted.to_text()
    assert plan_lock(plan.lock, found).changes == []
    assert bool(plan.changes) == (old.to_text() != wanted.to_text())


@given(st.text())
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert moment_of(text) is None
