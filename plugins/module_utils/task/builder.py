# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What builds the images of a task that have a build."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ..model.build_order import Built
    from ..model.host import Identity, Observed
    from ..model.output import Output
    from ..model.reference import Reference
    from ..plan.desired import Desired
    from ..plan.questions import Answers
    from .session import Session


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
