# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One task from options to result: read, observe, ask, plan, and, unless only the plan is wanted, apply and verify."""

from __future__ import annotations

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..apply.outcome import Outcome
from ..model.errors import InputError
from ..model.reference import Reference
from ..plan.planner import plan_images
from ..plan.questions import Answers, ask, look_for
from .check_mode import is_plan_only
from .failure import failures_told
from .options import COMMON
from .report import report
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..model.errors import Problem
    from ..plan.desired import Desired
    from ..plan.questions import Questions
    from .builder import Builder
    from .checks import Checks
    from .options import Spec

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
    outcome = Outcome()
    freed: dict[str, int] = {}
    if not plan.is_empty:
        from .carrying import carry_out, freed_by  # compiled where something is to do

        freed = freed_by(plan, observed, session=session)
        session.check_room(plan)
        if not is_dry:
            outcome = carry_out(plan, session=session, builder=builds)
    warnings = [*plan.warnings, *outcome.warnings, *session.warnings()]
    return {**report(plan, outcome=outcome, engine=session.engine), **freed}, warnings


def _answers(questions: Questions, session: Session) -> Answers:
    if not any(questions):
        return Answers()
    from .resolve import resolve

    return resolve(questions, registry=session.registry, parallel=session.parallel, mirrors=session.mirrors)


def _registries_of(desired: Desired) -> set[str]:
    """Return the registries that may be asked for an image or given one: not those of names that stay on the host."""
    pulled = [item for item in desired.images if item.is_present and item.build is None and item.pull != "never"]
    names = [name for item in pulled for name in item.candidates if isinstance(name, Reference)]
    shares = {item.build.share.reference for item in desired.images if item.build is not None and item.build.share}
    pushed = {name for item in desired.images for name in item.push}
    return {name.registry for name in {*names, *shares, *pushed}}
