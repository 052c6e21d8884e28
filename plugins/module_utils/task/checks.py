# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task may ask of images that registries have, beside that they exist."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.errors import Problem
    from ..model.host import Observed
    from ..model.resolved import Resolved
    from ..plan.questions import Answers
    from .session import Session


class Checks(t.Protocol):
    """The options ``verify`` and ``policy_file``: ``task/signatures.py``. Modules without it do not ship that."""

    @property
    def problems(self) -> Sequence[Problem]:
        """What is wrong with the options that say it."""

    def check(self, answers: Answers, *, observed: Observed, session: Session) -> None:
        """Do nothing if all that was answered, and is not on the host yet, may be used.

        Raises:
            ImagesError: an image may not. With several an ApplyError that tells all.
        """

    def check_image(self, image: Resolved, *, session: Session) -> None:
        """Do nothing if one image may be used.

        Raises:
            ImagesError: it may not.
        """
