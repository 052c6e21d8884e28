# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One task from options to result: read, observe, ask, plan, and, unless only the plan is wanted, apply and verify."""

from __future__ import annotations

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..apply.outcome import Outcome
from ..model.errors import InputError
from ..model.reference import Reference
from ..plan.actions import Untag
from ..plan.planner import plan_images
from ..plan.questions import Answers, ask, look_for
from .check_mode import is_plan_only
from .failure import failures_told
from .options import COMMON
from .report import report
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model.build_order import Built
    from ..model.errors import Problem
    from ..model.host import Identity, Observed
    from ..model.output import Output
    from ..plan.desired import Desired
    from ..plan.plan import Plan
    from ..plan.questions import Questions
    from .checks import Checks
    from .options import Spec


class Builder(t.Protocol):
    """How builds are prepared and carried out: ``task/builds.py``. Modules that never build do not ship it."""

    def load(self, desired: Desired, *, observed: Observed, session: Session) -> Desired:
        """Return ``desired`` with each build read and checked."""

    def with_keys(self, desired: Desired, *, observed: Observed, answers: Answers, session: Session) -> Desired:
        """Return ``desired`` with the key of each build's inputs."""

    def with_written(self, desired: Desired, *, answers: Answers) -> Answers:
        """Return ``answers`` with what outputs hold."""

    def write(self, output: Output, *, name: Reference, identity: Identity, session: Session) -> None:
        """Write an image of the host to an output."""

    def carry_out(self, spec: object, *, session: Session) -> Built:
        """Build, and return what was built, and by what."""


if t.TYPE_CHECKING:
    OpenBuilder = Callable[[], Builder]
    OpenChecks = Callable[[Mapping[str, t.Any]], Checks]


def run_task(
    read: Callable[[Mapping[str, t.Any]], Desired],
    *,
    options: Spec,
    builder: OpenBuilder | None = None,
    checks: OpenChecks | None = None,
    **rules: t.Any,
) -> None:
    """Run a module that converges: ``read`` says what its options desire, ``options`` are its own beside the common.

    ``builder`` opens what serves items with a build, if there are any, and ``checks`` ``verify`` and ``policy_file``.
    ``rules`` go to AnsibleModule. Ends the process, as modules do.
    """
    module = AnsibleModule(argument_spec={**COMMON, **options}, supports_check_mode=True, **rules)
    started = time.monotonic()
    with failures_told(module):
        asked = checks(module.params) if checks is not None and _asks_for_signatures(module.params) else None
        desired = _read(read, module.params, problems=asked.problems if asked is not None else ())
        session = Session(module.params, checks=asked)
        try:
            result, warnings = converge(desired, session=session, builder=builder, is_dry=is_plan_only(module))
        finally:
            session.close()
        for warning in warnings:
            module.warn(warning)
        module.exit_json(**result, elapsed=round(time.monotonic() - started, 3))


def _asks_for_signatures(params: Mapping[str, t.Any]) -> bool:
    return bool(params["verify"] or params["policy_file"])


def _read(
    read: Callable[[Mapping[str, t.Any]], Desired], params: Mapping[str, t.Any], *, problems: Sequence[Problem]
) -> Desired:
    """Return what the options desire.

    Raises:
        InputError: they are wrong; it tells all that is, ``problems`` too.
    """
    if not problems:
        return read(params)
    try:
        read(params)
    except InputError as error:
        raise InputError.of([*error.problems, *problems]) from error
    raise InputError.of(problems)


def converge(
    desired: Desired, *, session: Session, builder: OpenBuilder | None, is_dry: bool
) -> tuple[dict[str, t.Any], list[str]]:
    """Return result and warnings of bringing the session's host to ``desired``; with ``is_dry`` what they would be.

    Raises:
        ImagesError: it cannot be planned (nothing was changed then), or not be carried out.
    """
    session.use_registries(_registries_of(desired))
    has_builds = any(item.build is not None for item in desired.images)
    observed = session.engine.observe(look_for(desired))
    if desired.pins is not None:
        desired = desired.pins.pin(desired, observed=observed)
    builds = builder() if builder is not None and has_builds else None
    if builds is not None:
        desired = builds.load(desired, observed=observed, session=session)
    questions = ask(desired, observed)
    answers = _answers(questions, session)
    if session.checks is not None:
        session.checks.check(answers, observed=observed, session=session)
    if builds is not None:
        desired = builds.with_keys(desired, observed=observed, answers=answers, session=session)
        answers = builds.with_written(desired, answers=answers)
    plan = plan_images(desired, observed, answers=answers)
    freed = _freed(plan, observed, session=session)
    session.check_room(plan)
    outcome = Outcome() if is_dry or plan.is_empty else _carry_out(plan, session=session, builder=builds)
    warnings = [*plan.warnings, *outcome.warnings, *session.warnings()]
    return {**report(plan, outcome=outcome, engine=session.engine), **freed}, warnings


def _freed(plan: Plan, observed: Observed, *, session: Session) -> dict[str, int]:
    """Return what a result tells of bytes of images that go with their last name; they are at most those.

    It stands in no plan's text: engines count layers that images share in ways of their own.
    """
    removed = [action for action in plan.actions if isinstance(action, Untag)]
    deleted = {image_id for action in removed for image_id in action.deletes}
    going = [image for image in observed.images if image.id in deleted]
    return {"space_reclaimed": session.engine.freeable(going) if going else 0} if removed else {}


def _answers(questions: Questions, session: Session) -> Answers:
    if not any(questions):
        return Answers()
    from .resolve import resolve

    return resolve(questions, registry=session.registry, parallel=session.parallel, mirrors=session.mirrors)


def _carry_out(plan: Plan, *, session: Session, builder: Builder | None) -> Outcome:
    from ..apply.execute import Host, apply_plan
    from ..apply.verify import promised, verify

    def build(spec: object) -> Built:
        if builder is None:
            raise TypeError("a module that builds brings a builder")
        return builder.carry_out(spec, session=session)

    def write(output: Output, *, name: Reference, identity: Identity) -> None:
        if builder is None:
            raise TypeError("a module whose images have outputs brings a builder")
        builder.write(output, name=name, identity=identity, session=session)

    host = Host(session.engine, session.content, build, session.daemon, session.keeps_index, write)
    watch, path = None, os.environ.get("FLEET_IMAGES_PROGRESS_FILE")
    if path:
        from .progress import ProgressFile

        watch = ProgressFile(path)
        session.at_end(watch.close)
    outcome = apply_plan(
        plan, host=host, registry=session.registry, patience=session.patience(), mirrors=session.mirrors, watch=watch
    )
    verify(plan, outcome=outcome, observed=session.engine.observe(promised(plan)))
    return outcome


def _registries_of(desired: Desired) -> set[str]:
    """Return the registries that may be asked for an image or given one: not those of names that stay on the host."""
    pulled = [item for item in desired.images if item.is_present and item.build is None and item.pull != "never"]
    names = [name for item in pulled for name in item.candidates if isinstance(name, Reference)]
    shares = {item.build.share.reference for item in desired.images if item.build is not None and item.build.share}
    pushed = {name for item in desired.images for name in item.push}
    return {name.registry for name in {*names, *shares, *pushed}}
