# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lock on a host: which items it pins, and to what."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ApplyError, InputError, NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity, Observed
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.task.locked import read_locked_state
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.locks import lock_of
from ansible_collections.fleet.images.tests.unit.task.params import state

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired, DesiredImage

AMD64, ARM64 = make_image({"a": b"1"}), make_image({"a": b"2"}, platform="linux/arm64")
INDEX = make_index([AMD64, ARM64])
SINGLE = make_image({"a": b"3"})
REDIS, TOOL = "docker.io/library/redis:7", "ghcr.io/team/tool:2"
LOCK = lock_of({REDIS: INDEX, TOOL: SINGLE})
HOST = Observed((), engine="memory", platform=Platform("linux", "amd64"))


def desired(*items: t.Mapping[str, t.Any], **options: t.Any) -> Desired:
    """Return what these items are with LOCK before anything is pinned."""
    return read_locked_state(state(*items, **{"lock": LOCK, **options}))


def pinned(*items: t.Mapping[str, t.Any], **options: t.Any) -> tuple[DesiredImage, ...]:
    """Return what these items come to on an amd64 host."""
    wanted = desired(*items, **options)
    assert wanted.pins is not None
    return wanted.pins.pin(wanted, observed=HOST).images


def identity(manifest: str, config: str, index: str | None = None) -> Identity:
    """Return the identity with these digests."""
    return Identity(Digest.parse(manifest), Digest.parse(config), Digest.parse(index) if index else None)


def test_an_item_is_pinned_to_the_locked_digest_and_keeps_its_tag() -> None:
    redis, tool = pinned({"image": "redis:7", "pull": "always"}, {"image": TOOL})
    assert [str(name) for name in redis.candidates] == [f"{REDIS}@{INDEX.digest}"]
    assert redis.locked == identity(AMD64.digest, AMD64.config.digest, INDEX.digest)
    assert [str(name) for name in tool.candidates] == [f"{TOOL}@{SINGLE.digest}"]
    assert tool.locked == identity(SINGLE.digest, SINGLE.config.digest)


def test_the_platform_of_the_item_goes_before_that_of_the_host() -> None:
    (item,) = pinned({"image": "redis:7", "platform": "arm64"})
    assert item.locked == identity(ARM64.digest, ARM64.config.digest, INDEX.digest)


def test_a_short_name_means_the_first_of_its_meanings_that_is_locked() -> None:
    (item,) = pinned({"image": "redis:7"}, default_namespaces=["team", "library"])
    assert [str(name) for name in item.candidates] == [f"{REDIS}@{INDEX.digest}"]


def test_an_item_with_a_digest_is_locked_under_its_name_with_the_digest() -> None:
    name = f"{TOOL}@{SINGLE.digest}"
    (item,) = pinned({"image": name}, lock=lock_of({name: SINGLE}))
    assert item.locked == identity(SINGLE.digest, SINGLE.config.digest)
    with pytest.raises(NotFoundError) as caught:
        pinned({"image": name})
    assert caught.value.code == "not-in-lock"


def test_what_is_absent_built_or_given_by_an_earlier_item_is_not_looked_up() -> None:
    build = {"dockerfile_inline": "FROM redis:7\n"}
    items = pinned(
        {"image": "gone:1", "state": "absent"},
        {"image": "app:1", "build": build, "tags": ["app:now"]},
        {"image": "app:now", "push": True},
        {"image": TOOL, "tags": ["mine:1"]},
        {"image": "mine:1"},
    )
    assert [item.locked is not None for item in items] == [False, False, False, True, False]


def test_everything_that_the_lock_does_not_serve_is_told_at_once() -> None:
    with pytest.raises(ApplyError) as caught:
        pinned({"image": "redis:8"}, {"image": TOOL, "platform": "arm64"}, {"image": "redis:7"})
    told = {path: error.code for path, error in caught.value.failed.items()}
    assert told == {"images[0]": "not-in-lock", "images[1]": "lock-platform-missing"}
    assert "linux/amd64" in caught.value.failed["images[1]"].why
    assert "linux/arm64" in caught.value.failed["images[1]"].what


def test_what_is_not_locked_may_be_resolved_and_a_missing_platform_is_an_error_all_the_same() -> None:
    missing, there = pinned({"image": "redis:8"}, {"image": "redis:7"}, lock_missing="resolve")
    assert (missing.locked, there.locked is not None) == (None, True)
    with pytest.raises(NotFoundError) as caught:
        pinned({"image": TOOL, "platform": "s390x"}, lock_missing="resolve")
    assert caught.value.code == "lock-platform-missing"


def test_a_base_is_what_the_lock_says_or_what_the_task_gives() -> None:
    pins, platform = desired().pins, Platform("linux", "arm64")
    assert pins is not None
    redis, other = parse_reference(REDIS), parse_reference("app:1")
    found = pins.base(redis, platform=platform, is_given=False)
    assert found == identity(ARM64.digest, ARM64.config.digest, INDEX.digest)
    assert pins.base(other, platform=platform, is_given=True) is None
    with pytest.raises(NotFoundError) as caught:
        pins.base(other, platform=platform, is_given=False)
    assert (caught.value.code, caught.value.subject) == ("not-in-lock", "docker.io/library/app:1")
    with pytest.raises(NotFoundError) as caught:
        pins.base(parse_reference(TOOL), platform=platform, is_given=False)
    assert caught.value.code == "lock-platform-missing"


def test_a_document_that_is_no_lock_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        desired({"image": "redis:7"}, lock={})
    assert caught.value.code == "lock-version"
