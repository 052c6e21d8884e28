# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of plans, over generated hosts, registries and tasks."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError, InputError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.plan.actions import Build, Pull, Untag
from ansible_collections.fleet.images.plugins.module_utils.plan.patterns import is_match
from ansible_collections.fleet.images.plugins.module_utils.plan.planner import plan_images
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import names_of
from ansible_collections.fleet.images.plugins.module_utils.task.report import report
from ansible_collections.fleet.images.tests.properties.strategies import WRONG, Life, desired_of, worlds
from hypothesis import HealthCheck, event, given, reject, settings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
    from ansible_collections.fleet.images.tests.properties.strategies import World

EXAMPLES = 50
law = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
_K = t.TypeVar("_K")
_V = t.TypeVar("_V", covariant=True)


class Watched(t.Mapping[_K, _V]):
    """A mapping that notes what is looked up."""

    def __init__(self, inner: t.Mapping[_K, _V]) -> None:
        self._inner = inner
        self.seen: set[_K] = set()

    def __getitem__(self, key: _K) -> _V:
        self.seen.add(key)
        return self._inner[key]

    def __iter__(self) -> Iterator[_K]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


def begin(world: World) -> tuple[Life, Desired, Plan]:
    """Return a life, what is desired and the plan for it; worlds whose task cannot be planned are left out."""
    life = Life(world)
    try:
        desired = desired_of(world)
        return life, desired, life.plan(desired)
    except ImagesError as error:
        event(f"no plan: {error.code}")
        reject()


@law
@given(worlds())
def test_convergence_after_a_plan_was_applied_the_next_one_is_empty(world: World) -> None:
    life, desired, plan = begin(world)
    life.apply(plan)
    again = life.plan(desired)
    assert again.text() == "Nothing to do.\n"
    assert again.diff() == {"before": "", "after": ""}


@law
@given(worlds())
def test_a_plan_for_a_contradictory_or_impossible_task_fails_with_an_explained_error(world: World) -> None:
    life = Life(world)
    before = life.names()
    try:
        life.plan(desired_of(world))
    except ImagesError as error:
        assert error.code and error.what
        assert str(error) and error.to_json()
    assert life.names() == before


def removals(plan: Plan) -> list[Untag]:
    """Return all that goes: what a plan tells, and what names leave behind."""
    return [*(action for action in plan.actions if isinstance(action, Untag)), *plan.leftovers]


def digests(names: t.Mapping[str, str]) -> dict[str, str]:
    """Return what names point at, without what a plan tells behind a digest that stays: a platform, or damage."""
    return {name: text.partition(" (")[0] for name, text in names.items()}


@law
@given(worlds())
def test_honesty_the_names_change_as_the_plan_says_and_no_others(world: World) -> None:
    life, _desired, plan = begin(world)
    before, held, held_as = life.names(), life.held(), life.held_as()
    known = {*life.ids(), *before.values()}  # what lost its config is known by its manifest
    assert {name: before.get(name) for name in plan.names_before} == digests(plan.names_before)
    outcome = life.apply(plan)
    if any(str(digest) in known for identity in outcome.built.values() for digest in identity.digests):
        reject()  # nobody can know beforehand that a build gives what the host holds under another name
    after = life.names()
    built = {str(digest) for identity in outcome.built.values() for digest in identity.digests}
    built.update(map(str, outcome.pushed.values()))
    changed = {*plan.names_before, *plan.names_after}
    for name in changed:
        planned = plan.names_after.get(name)
        if planned == "(built in this run)":
            assert after.get(name) in built or not built.isdisjoint(life.digests(name))
        elif planned == "(the engine makes its manifest)":
            assert after.get(name) in set(map(str, outcome.pushed.values()))
        elif planned is not None and not name.endswith(" (registry)"):
            digest = digests({name: planned})[name]
            # Engines know digests by repository: one that goes in this run takes along what others called the image.
            assert digest in life.digests(name) or held_as.get(digest) == life.held()[name]
        else:
            assert after.get(name) == digests(plan.names_after).get(name)
    # What a moved tag leaves behind by digest, or finds, comes and goes with it and is not told.
    assert {name: value for name, value in life.held().items() if name not in changed and "@" not in name} == {
        name: value for name, value in held.items() if name not in changed and "@" not in name
    }


@law
@given(worlds())
def test_honesty_a_dry_run_reports_what_a_real_run_reports(world: World) -> None:
    life, _desired, plan = begin(world)
    dry = report(plan, outcome=Outcome(), engine=life.engine)
    outcome = life.apply(plan)
    real = report(plan, outcome=outcome, engine=life.engine)
    if outcome.built or outcome.pushed:
        dry, real = _without_digests(dry, known=dry), _without_digests(real, known=dry)
    assert dry == real
    assert dry["changed"] == bool(plan.actions)
    assert [row["changed"] for row in dry["images"]] == [bool(row.action_ids) for row in plan.rows]


@law
@given(worlds("embedded", "target"))
def test_bytes_are_counted_once_and_exactly_those_that_move(world: World) -> None:
    life, _desired, plan = begin(world)
    written = life.engine.content.written
    outcome = life.apply(plan)
    pulled = sum(action.size for action in plan.actions if isinstance(action, Pull))
    assert life.engine.content.written - written == pulled
    assert pulled <= outcome.moved
    if not any(isinstance(action, Build) for action in plan.actions):
        assert outcome.moved <= plan.size
    assert plan.size == sum(row.size for row in plan.rows)


@law
@given(worlds())
def test_actions_come_after_what_they_need_and_ids_are_their_places(world: World) -> None:
    _life, _desired, plan = begin(world)
    assert [action.id for action in plan.actions] == list(range(1, len(plan.actions) + 1))
    for action in plan.actions:
        assert all(need < action.id for need in action.needs)
    told = [number for row in plan.rows for number in row.action_ids]
    assert sorted(told) == [action.id for action in plan.actions]


@law
@given(worlds())
def test_exactly_what_was_asked_is_looked_up(world: World) -> None:
    life = Life(world)
    try:
        desired = desired_of(world)
        answers = life.answers(desired)
    except ImagesError:
        reject()
    watched = answers._replace(images=Watched(answers.images), remotes=Watched(answers.remotes))
    try:
        plan_images(desired, life.observe(desired), answers=watched)
    except ImagesError:
        return
    assert watched.images.seen == set(answers.images)  # type: ignore[attr-defined]
    assert watched.remotes.seen == set(answers.remotes)  # type: ignore[attr-defined]


@law
@given(worlds())
def test_what_is_wanted_is_there_whole_and_what_is_not_wanted_is_gone(world: World) -> None:
    life, desired, plan = begin(world)
    life.apply(plan)
    observed = life.engine.observe()
    for item in desired.images:
        found = [observed.find(name) for name in item.candidates]
        if not item.is_present:
            users = [image for image in found if image is not None and life.engine.containers.get(image.id)]
            assert found == [None] * len(found) or len(found) > 1 or (users and desired.in_use != "fail")
            continue
        if found == [None]:  # held by a name whose index is not known: the registry says that it is the pinned one
            (wanted,) = item.candidates
            assert isinstance(wanted, Reference) and wanted.is_pinned
            found = [observed.by_name[wanted.without_digest()]]
        image = next(image for image in found if image is not None)
        assert image.is_complete
        is_trusted = str(image.identity.index_digest) != WRONG.digest
        if item.platform is not None and image.platform is not None and is_trusted:
            assert image.platform.satisfies(item.platform)
        for tag in item.tags:
            assert observed.by_name[tag].identity.is_same_image(image.identity)


@law
@given(worlds())
def test_protected_names_and_without_removal_all_names_that_no_item_means_stay(world: World) -> None:
    life, desired, plan = begin(world)
    before = {name: key for name, key in life.engine.names.items() if name.tag is not None}
    life.apply(plan)
    meant = set().union(*(names_of(item) for item in desired.images))
    for name, key in before.items():
        is_kept = not desired.removes_unlisted or any(is_match(name, pattern) for pattern in desired.protect)
        removes_bytes = any(not item.is_present and not names_of(item) for item in desired.images) or any(
            not item.is_present and wanted.tag is None
            for item in desired.images for wanted in item.candidates if isinstance(wanted, Reference)
        )
        if is_kept and name not in meant and not removes_bytes:
            assert life.engine.names[name] == key
    for action in plan.actions:
        if isinstance(action, Untag) and action.cause == "not listed":
            assert desired.removes_unlisted
            assert not any(is_match(action.reference, pattern) for pattern in desired.protect)


@law
@given(worlds("docker", "target"))
def test_honesty_exactly_the_images_go_that_the_plan_says(world: World) -> None:
    life, _desired, plan = begin(world)
    before, containers = life.ids(), dict(life.engine.containers)
    outcome = life.apply(plan)
    if any(str(digest) in before for identity in outcome.built.values() for digest in identity.digests):
        reject()  # what was built is there under another name: no plan can know that
    told = [image for action in removals(plan) for image in action.deletes]
    assert len(told) == len(set(told))
    assert sorted(told) == sorted(life.engine.deleted)
    if world.kind == "docker":  # elsewhere an ID may be an index's, which a moved name leaves without its image
        assert sorted(told) == sorted(before - life.ids())
    assert life.engine.containers == containers


@law
@given(worlds())
def test_removal_leaves_an_image_in_use_a_name_unless_told_otherwise(world: World) -> None:
    life, desired, plan = begin(world)
    used = {image for image, users in life.engine.containers.items() if users}
    held_by = {image for image in used if any(user.holds_image for user in life.engine.containers[image])}
    life.apply(plan)
    untagged = removals(plan)
    assert held_by.isdisjoint(image for action in untagged for image in action.deletes)
    if desired.in_use != "untag":
        assert used.isdisjoint(image for action in untagged for image in action.deletes)
        assert not any(action.is_used for action in untagged)


@law
@given(worlds())
def test_a_converged_host_under_missing_asks_nothing(world: World) -> None:
    images = [{**row, "push": None, "pull": None} for row in world.params["images"]]
    world = world._replace(params={**world.params, "pull": "missing", "images": images})
    life, desired, plan = begin(world)
    life.apply(plan)
    observed = life.engine.observe()
    if WRONG.digest in life.names().values() or any(
        item.is_present and all(observed.find(name) is None for name in item.candidates) for item in desired.images
    ):
        reject()  # only the registry knows what these are: the index is wrong about its image, or not known here
    assert life.questions(desired) == ((), ())
    life.registries.requests.clear()
    life.plan(desired)
    assert life.registries.requests == []


@law
@given(worlds())
def test_a_plan_depends_on_nothing_but_its_inputs(world: World) -> None:
    _life, _desired, plan = begin(world)
    _other, _same, again = begin(world)
    assert again == plan


@law
@given(worlds())
def test_reading_a_task_gives_what_is_desired_or_all_its_problems(world: World) -> None:
    try:
        desired = desired_of(world)
    except InputError as error:
        assert error.problems
        assert all(problem.path.startswith("images[") for problem in error.problems)
        return
    assert len(desired.images) <= len(world.params["images"])


def _without_digests(told: dict[str, t.Any], *, known: dict[str, t.Any]) -> dict[str, t.Any]:
    """Leave out the IDs and digests that a dry run cannot know."""
    masked = {**told}
    for part in ("images", "actions"):
        rows = zip(told[part], known[part], strict=True)
        masked[part] = [{**row, **{key: "" for key in ("id", "digest") if dry.get(key) == ""}} for row, dry in rows]
    return masked
