# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of locks, over generated hosts and tasks: tags that moved after locking have no say in anything."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError
from ansible_collections.fleet.images.plugins.module_utils.model.lock import lock_of as read_lock
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.task.locked import LockPins
from ansible_collections.fleet.images.plugins.module_utils.task.report import report
from ansible_collections.fleet.images.tests.properties.strategies import DOCUMENTS, NAMES, Life, desired_of, worlds
from ansible_collections.fleet.images.tests.support.locks import lock_of
from hypothesis import HealthCheck, assume, event, given, reject, settings

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
    from ansible_collections.fleet.images.tests.properties.strategies import World

law = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


class Locked:
    """A world whose names were locked as they were at their registries; then every tag moved."""

    def __init__(self, world: World) -> None:
        rows = world.params["images"]
        assume(any(row["state"] == "present" and not row["build"] and "@" not in row["image"] for row in rows))
        self.life = Life(world)
        documents = {str(parse_reference(name)): DOCUMENTS[key] for name, key in world.remotes.items()}
        self._pins = LockPins(read_lock(lock_of(documents), subject="lock"), is_complete=False)
        for name in NAMES:
            self.life.registries.push(name, DOCUMENTS["two"])
        try:
            self._desired = desired_of(world)
            self.plan = self.life.plan(self.desired())
        except ImagesError as error:
            event(f"no plan: {error.code}")
            reject()
        assume(any(item.locked is not None for item in self.desired().images))

    def desired(self) -> Desired:
        """Return what is desired of the host as it is now, pinned."""
        return self._pins.pin(self._desired, observed=self.life.engine.observe())

    def again(self) -> Plan:
        """Return the plan for the host as it is now; the requests that it costs are in ``life.registries``."""
        self.life.registries.requests.clear()
        return self.life.plan(self.desired())


@law
@given(worlds())
def test_after_a_locked_task_there_is_nothing_to_do_and_no_registry_is_asked_for_what_is_locked(world: World) -> None:
    locked = Locked(world)
    locked.life.apply(locked.plan)
    assert locked.again().text() == "Nothing to do.\n"
    needs_registries = any(
        item.push or (item.is_present and item.build is None and item.locked is None)
        for item in locked.desired().images
    )
    assert needs_registries or locked.life.registries.requests == []


@law
@given(worlds())
def test_every_locked_name_leads_to_the_locked_image(world: World) -> None:
    locked = Locked(world)
    locked.life.apply(locked.plan)
    observed = locked.life.engine.observe()
    for item in locked.desired().images:
        if item.locked is None:
            continue
        (name,) = item.candidates
        assert isinstance(name, Reference)
        image = observed.by_name.get(name.without_digest()) or observed.pinned(name)
        assert image is not None
        assert image.is_complete
        if image.identity.config_digest is not None:
            assert image.identity.config_digest == item.locked.config_digest
        else:
            assert image.identity.is_same_image(item.locked)


@law
@given(worlds())
def test_a_dry_run_with_a_lock_reports_what_a_real_run_reports(world: World) -> None:
    locked = Locked(world)
    dry = report(locked.plan, outcome=Outcome(), engine=locked.life.engine)
    outcome = locked.life.apply(locked.plan)
    if outcome.built or outcome.pushed:
        reject()
    assert dry == report(locked.plan, outcome=outcome, engine=locked.life.engine)
    assert dry["changed"] == bool(locked.plan.actions)
