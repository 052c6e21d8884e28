# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task with something to do needs beside its plan. Compiled where there is something to do."""

from __future__ import annotations

import os
import typing as t

from ..apply.execute import Host, apply_plan
from ..apply.verify import promised, verify

if t.TYPE_CHECKING:
    from ..apply.outcome import Outcome
    from ..model.build_order import Built
    from ..model.host import Identity, Observed
    from ..model.output import Output
    from ..model.reference import Reference
    from ..plan.plan import Plan
    from .builder import Builder
    from .session import Session


def freed_by(plan: Plan, observed: Observed, *, session: Session) -> dict[str, int]:
    """Return what a result tells of bytes of images that go with their last name; they are at most those.

    It stands in no plan's text: engines count layers that images share in ways of their own.
    """
    if not plan.untagged:
        return {}
    deleted = frozenset(plan.deleted)
    going = [image for image in observed.images if image.id in deleted]
    return {"space_reclaimed": session.engine.freeable(going) if going else 0}


def carry_out(plan: Plan, *, session: Session, builder: Builder | None) -> Outcome:
    """Carry a plan out, and look at the host again to see that it was.

    Raises:
        ImagesError: an action failed, or the host does not hold what the plan promised.
    """

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
