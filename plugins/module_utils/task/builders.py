# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who builds: the engine where it has a builder; else the native builder, and buildah for what needs containers."""

from __future__ import annotations

import typing as t

from ..build.loading import load_build, read_build
from ..model.errors import UnsupportedError
from .build_options import build_spec
from .build_orders import NATIVE, native_lacks, refuse_lacking, sample_order

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..build.base import BuildSpec
    from ..build.loading import Build
    from ..build.platforms import PlatformBuilds
    from ..model.host import Observed
    from ..plan.desired import DesiredImage
    from .build_orders import Extras
    from .session import Session


def load_wanted(
    item: DesiredImage, options: Mapping[str, t.Any], *, extras: Extras, observed: Observed, session: Session
) -> tuple[Build | PlatformBuilds, str]:
    """Return the build that ``options`` of ``item`` order, checked, and the name of what will build it.

    Raises:
        UnsupportedError: build-option-unsupported; build-needs-run, dockerfile-flag or add-url where nothing runs
            containers; platform-cannot-run where the machine cannot run a step.
        InputError: as load_build.
    """
    engine, several = session.engine.name, item.build.platforms if item.build is not None else ()
    if several and session.builder is not None:
        from .platform_builds import NO_INDEX

        refuse_lacking([NO_INDEX], engine=engine, path=item.path)
    specs = [
        build_spec(options, platform=platform, host=observed.platform, is_native=session.builder is None)
        for platform in several or (item.platform,)
    ]
    if ":" in specs[0].context:  # as addresses have it, and folders hardly
        from .remote_contexts import with_fetched

        specs = with_fetched(specs, settings=lambda: session.registries.settings)
    builds = _load(specs)
    build, order = builds[0], sample_order(builds[0], extras)
    whole: Build | PlatformBuilds = build
    if several:
        from ..build.platforms import PlatformBuilds

        whole = PlatformBuilds(builds)
    if session.builder is not None:
        refuse_lacking(session.builder.lacks(order), engine=engine, path=item.path)
        return whole, session.builder.builder_of(order)
    if build.spec.is_native:
        refuse_lacking(native_lacks(order), engine=engine, path=item.path)
        return whole, NATIVE
    from ..build import buildah
    from ..build.foreign_steps import refuse_foreign_steps

    refuse_lacking(buildah.lacks(order), engine=engine, path=item.path)
    for one in builds:
        refuse_foreign_steps(one, machine=observed.platform)
    return whole, buildah.BUILDER


def _load(specs: Sequence[BuildSpec]) -> list[Build]:
    """Return the builds; where one cannot be native and buildah is there, all in containers."""
    found: list[Build] = []
    try:
        for spec in specs:
            found.append(read_build(spec, like=found[0] if found else None))
            found[-1].check()
    except UnsupportedError:
        from ..build.buildah import buildah_is_there

        if not specs[0].is_native or not buildah_is_there():
            raise
        return [load_build(spec._replace(is_native=False), like=found[0]) for spec in specs]
    return found
