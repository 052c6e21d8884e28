# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds for several platforms, into a content store: one image after the other, then the index above them."""

from __future__ import annotations

import typing as t

from ..build.platforms import index_of
from ..engines.host_platform import host_platform
from ..model.build_order import Built
from ..model.host import Identity
from . import store_builds

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..build.base import Base
    from ..build.platforms import PlatformBuilds
    from ..model.digest import Digest
    from .bases import Bases
    from .build_orders import Extras
    from .session import Session

NO_INDEX = "platform: the name of an image leads to one platform in its store, and not to an index of several"
"""What engines lack that build themselves."""


class IndexBuild(t.NamedTuple):
    """A build that may be carried out: an order for each platform, in the order of ``builds``."""

    builds: PlatformBuilds
    orders: tuple[store_builds.StoreBuild, ...]


def prepare(builds: PlatformBuilds, extras: Extras, *, digests: Mapping[Base, Digest], bases: Bases) -> IndexBuild:
    """Return the builds with the bases of ``digests`` opened; the others are built before them.

    Raises:
        ImagesError: a base does not exist for one of the platforms, or a secret cannot be read.
    """
    orders = []
    for build in builds.builds:
        own = {base: digests[base] for base in build.bases if base in digests}
        of_platform = extras._replace(platform=build.spec.platform)
        orders.append(store_builds.prepare(build, of_platform, digests=own, bases=bases))
    return IndexBuild(builds, tuple(orders))


def carry_out(ordered: IndexBuild, *, session: Session) -> Built:
    """Build into the session's content store. The name is for the image that suits this host, else for the first.

    Raises:
        ImagesError: layers of a base cannot be fetched, the context changed meanwhile, or a step fails. What was built
            for other platforms until then has no name.
    """
    bases = {base: image for order in ordered.orders for base, image in store_builds.opened(order, session).items()}
    has_triggers = any(image.config.has_triggers for image in bases.values())
    digests = {base: image.digest for base, image in bases.items()}
    inputs = ordered.builds.inputs_key(digests, has_triggers=has_triggers)
    images, builder = [], ""
    for order in ordered.orders:
        own = {base: bases[base] for base in order.build.bases}
        manifest, builder = store_builds.build(order, bases=own, inputs=inputs, session=session)
        images.append((order.build.spec.platform, manifest))
    index = index_of(images)
    session.content().put_manifest(index.raw, index.descriptor)
    chosen = index.choose(host_platform()) or index.manifests[0]
    manifest = next(manifest for _platform, manifest in images if manifest.descriptor.digest == chosen.digest)
    return Built(Identity(chosen.digest, manifest.config.digest, index.descriptor.digest), builder)
