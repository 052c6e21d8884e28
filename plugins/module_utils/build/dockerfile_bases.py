# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build starts from, told from its Dockerfile alone: the rest of the context need not be there."""

from __future__ import annotations

import typing as t

from .base import problems_error
from .ignore import IgnoreRules
from .loading import Build, dockerfile_path, read_dockerfile
from .parser import parse_dockerfile
from .stages import plan_stages

if t.TYPE_CHECKING:
    from ..model.platform import Platform
    from .base import Base, BuildSpec


def dockerfile_bases(spec: BuildSpec, *, machine: Platform) -> tuple[Base, ...]:
    """Return every image that the build of ``spec`` starts or copies from; ``machine`` is the platform that builds.

    Raises:
        InputError: dockerfile-missing, dockerfile-syntax, unknown-target.
    """
    source = read_dockerfile(spec, dockerfile_path(spec))
    dockerfile = parse_dockerfile(source.text, name=source.name, is_native=False)
    plan = plan_stages(dockerfile, spec, machine=machine)
    problems = [*dockerfile.problems, *plan.problems]
    if problems:
        raise problems_error(problems)
    return Build(spec, source, plan=plan, rules=IgnoreRules()).bases
