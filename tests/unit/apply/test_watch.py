# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who watches a plan being carried out hears of all bytes, and of each image when it is complete."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ApplyError, PeerError, UnavailableError
from ansible_collections.fleet.images.tests.support.memory_daemon import MemoryDaemon
from ansible_collections.fleet.images.tests.unit.apply.carrying import ONE_BY_ONE, Failing, apply, serve
from ansible_collections.fleet.images.tests.unit.plan.stories import Story, image, present

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.fleet.images.plugins.module_utils.engines.base import Heard
    from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
    from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
    from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Pull
    from ansible_collections.fleet.images.tests.support.images import MadeImage


class Witness:
    """Implements Watch: keeps what it is told."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self.complete: list[str] = []
        self.heard: dict[str, list[int | None]] = {}

    def begin(self, pulls: Sequence[Pull]) -> None:
        self.wanted += [str(pull.reference) for pull in pulls]

    def hear(self, part: str, count: int | None, /) -> None:
        self.heard.setdefault(part, []).append(count)

    def end(self, pull: Pull) -> None:
        self.complete.append(str(pull.reference))


def sizes(made: MadeImage) -> dict[str, int]:
    """Return the size of each blob of an image, by the hex digits of its digest."""
    blobs = (made.config, *made.layers)
    return {blob.digest.partition(":")[2]: len(blob.data) for blob in blobs}


def test_each_blob_is_heard_of_up_to_its_size(story: Story) -> None:
    made = image(1)
    story.registries.push("r.test/app:1", made)
    witness = Witness()
    apply(story, story.plan(present("r.test/app:1")), watch=witness)
    assert {part: counts[-1] for part, counts in witness.heard.items()} == sizes(made)
    assert witness.wanted == witness.complete == ["r.test/app:1"]


def test_what_was_there_before_is_said_to_be(story: Story) -> None:
    made = image(1)
    for name in ("app", "other"):
        story.registries.push(f"r.test/{name}:1", made)
    plan = story.plan(present("r.test/app:1"))
    apply(story, plan)
    witness = Witness()
    apply(story, plan, watch=witness)
    assert witness.heard == {part: [None] for part in sizes(made)}


def test_an_image_that_fails_is_not_complete(story: Story) -> None:
    down = UnavailableError("no answer", code="connection-refused")
    good, bad = image(1), image(2)
    lost = [blob.digest for blob in bad.layers if blob not in good.layers]
    serve(story, Failing(down, digests=lost), ("r.test/app:1", good), ("r.test/other:1", bad))
    plan = story.plan(present("r.test/app:1"), present("r.test/other:1"))
    witness = Witness()
    with pytest.raises(ApplyError) as caught:
        apply(story, plan, watch=witness, patience=ONE_BY_ONE)
    assert len(witness.wanted) == 2
    assert [f"pull {name}" for name in witness.complete] == list(caught.value.done)


class Chatty(MemoryDaemon):
    """A daemon that says one thing of each pull, and fails the second."""

    def pull(
        self,
        reference: Reference,
        *,
        source: Reference,
        platform: Platform | None,
        deadline: float | None,
        heard: Heard | None = None,
    ) -> int:
        if heard is not None:
            heard("0123456789ab", 7)
        if self.pulls:
            raise PeerError("no", code="engine-answer-unknown")
        return super().pull(reference, source=source, platform=platform, deadline=deadline)


def test_what_a_daemon_says_is_heard_too() -> None:
    story = Story()
    story.host = Chatty(story.registries)
    for name in ("app", "other"):
        story.registries.push(f"r.test/{name}:1", image(len(name)))
    witness = Witness()
    with pytest.raises(ApplyError):
        apply(
            story,
            story.plan(present("r.test/app:1"), present("r.test/other:1")),
            watch=witness,
            patience=ONE_BY_ONE,
        )
    assert witness.heard == {"0123456789ab": [7, 7]}
    assert len(witness.complete) == 1
