# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds into a content store: natively, or by buildah where a step needs a container."""

from __future__ import annotations

import typing as t

from ..model.annotations import INPUTS_LABEL, KEY_LABEL
from ..model.build_order import Built
from ..model.host import Identity
from .build_orders import NATIVE, build_order, read_secrets

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..build.base import Base, BaseImage
    from ..build.inputs import InputsKey
    from ..build.loading import Build
    from ..model.digest import Digest
    from ..model.manifest import Manifest
    from .bases import Bases
    from .build_orders import Extras
    from .session import Session


class StoreBuild(t.NamedTuple):
    """A build that may be carried out: its bases as its key was made with, less those that are built before it."""

    build: Build
    extras: Extras
    bases: Mapping[Base, BaseImage]
    pending: tuple[Base, ...]


def prepare(build: Build, extras: Extras, *, digests: Mapping[Base, Digest], bases: Bases) -> StoreBuild:
    """Return the build with the bases of ``digests`` opened; the others are built before it.

    Raises:
        ImagesError: a base does not exist for the platform, or a secret cannot be read.
    """
    read_secrets(extras.secrets)  # told by check mode, too; read again when they are used
    is_strict = extras.platform is not None
    opened = {base: bases.image(base, digest, is_strict=is_strict) for base, digest in digests.items()}
    return StoreBuild(build, extras, opened, tuple(base for base in build.bases if base not in digests))


def carry_out(ordered: StoreBuild, *, session: Session) -> Built:
    """Build into the session's content store.

    Raises:
        ImagesError: layers of a base cannot be fetched, the context changed meanwhile, or a step fails.
    """
    bases = opened(ordered, session)
    has_triggers = any(image.config.has_triggers for image in bases.values())
    digests = {base: image.digest for base, image in bases.items()}
    inputs = ordered.build.inputs_key(digests, has_triggers=has_triggers)
    manifest, builder = build(ordered, bases=bases, inputs=inputs, session=session)
    return Built(Identity(manifest.descriptor.digest, manifest.config.digest), builder)


def opened(ordered: StoreBuild, session: Session) -> dict[Base, BaseImage]:
    """Return every base of the build, with those that were built before it.

    Raises:
        ImagesError: one cannot be read.
    """
    bases = dict(ordered.bases)
    if ordered.pending:
        from .bases import Bases

        now = Bases(session.engine.observe(), session=session)
        is_strict = ordered.extras.platform is not None
        bases.update((base, now.image(base, now.digest(base), is_strict=is_strict)) for base in ordered.pending)
    return bases


def build(
    ordered: StoreBuild, *, bases: Mapping[Base, BaseImage], inputs: InputsKey, session: Session
) -> tuple[Manifest, str]:
    """Build upon ``bases``, which are all that it needs; return the manifest, and what built it.

    Raises:
        ImagesError: as ``carry_out``.
    """
    # Beside the blobs there is room for a layer; the system's folder for temporary files may be memory.
    content, folder = session.content(), session.scratch()
    if ordered.build.spec.is_native:
        from ..build.native import build_image

        return build_image(ordered.build, bases=bases, sink=content, work_folder=folder, inputs=inputs), NATIVE
    from ..build.buildah import BUILDER, build_with_buildah

    labels = {**ordered.build.spec.labels, KEY_LABEL: inputs.key, INPUTS_LABEL: inputs.label}
    secrets = read_secrets(ordered.extras.secrets)
    order = build_order(ordered.build, ordered.extras, labels=labels, secrets=secrets)
    order = order._replace(deadline=session.patience().deadline)
    defaults = session.defaults._replace(tag="latest")
    manifest = build_with_buildah(
        ordered.build, order=order, bases=bases, sink=content, work_folder=folder, defaults=defaults
    )
    return manifest, BUILDER
