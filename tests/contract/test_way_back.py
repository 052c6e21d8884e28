# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way back of a rollout on every engine: what has a further name is not fetched again (docs/decisions/0019)."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, Repository, kinds
from ansible_collections.fleet.images.tests.support.locks import lock_of
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost


def test_going_back_to_the_lock_before_asks_no_registry_where_the_image_was_given_a_further_name(
    engine_host: EngineHost, repository: Repository
) -> None:
    old, new = make_image({"v": b"1"}, platform=HOST), make_image({"v": b"2"}, platform=HOST)
    index = make_index([make_image({"v": b"1"}, platform=FOREIGN), old])
    with CountingProxy(repository.registry.url) as proxy:
        seen = repository._replace(host=proxy.host)
        name, kept = f"{seen}:1", "previous.invalid/127.0.0.1-5000/app:1.until-2026-11-28.9b1d2e7f6a55"
        spared = {"unlisted": "remove", "protect": ["previous.invalid/*"]}

        def locked(image: MadeImage | MadeIndex) -> dict[str, t.Any]:
            return {"images": [{"image": name}], "lock": lock_of({name: image}), **spared}

        seen.push("1", index)
        before = locked(index)
        engine_host.do("image_state", **before)
        engine_host.settle("image_state", images=[{"image": name, "pull": "never", "tags": [kept]}])
        seen.push("1", new)
        engine_host.do("image_state", **locked(new))
        assert engine_host.images() == {name: new.config.digest, kept: old.config.digest}

        proxy.reset()
        back = engine_host.settle("image_state", **before)
        assert kinds(back) == ["tag"]
        assert proxy.exchanges() == []
        over = [{"image": name}, {"image": kept, "state": "absent"}]
        engine_host.settle("image_state", **{**before, "images": over})
        assert engine_host.images() == {name: old.config.digest}
