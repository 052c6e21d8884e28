# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who builds: the engine where it has a builder; else the native builder, and buildah for what needs containers."""

from __future__ import annotations

import typing as t

from ..build.loading import load_build
from ..model.errors import UnsupportedError
from .build_options import build_spec
from .build_orders import NATIVE, native_lacks, refuse_lacking, sample_order

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..build.base import BuildSpec
    from ..build.loading import Build
    from ..model.host import Observed
    from ..plan.desired import DesiredImage
    from .build_orders import Extras
    from .session import Session


def load_wanted(
    item: DesiredImage, options: Mapping[str, t.Any], *, extras: Extras, observed: Observed, session: Session
) -> tuple[Build, str]:
    """Return the build that ``options`` of ``item`` order, checked, and the name of what will build it.

    Raises:
        UnsupportedError: build-option-unsupported; build-needs-run, dockerfile-flag or add-url where nothing runs
            containers.
        InputError: as load_build.
    """
    spec = build_spec(options, platform=item.platform, host=observed.platform, is_native=session.builder is None)
    build, engine = _load(spec), session.engine.name
    order = sample_order(build, extras)
    if session.builder is not None:
        refuse_lacking(session.builder.lacks(order), engine=engine, path=item.path)
        return build, session.builder.builder_of(order)
    if build.spec.is_native:
        refuse_lacking(native_lacks(order), engine=engine, path=item.path)
        return build, NATIVE
    from ..build import buildah

    refuse_lacking(buildah.lacks(order), engine=engine, path=item.path)
    return build, buildah.BUILDER


def _load(spec: BuildSpec) -> Build:
    """Return the build; where it cannot be native and buildah is there, one in containers."""
    try:
        return load_build(spec)
    except UnsupportedError:
        from ..build.buildah import buildah_is_there

        if not spec.is_native or not buildah_is_there():
            raise
        return load_build(spec._replace(is_native=False))
