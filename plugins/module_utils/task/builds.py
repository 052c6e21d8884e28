# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds as tasks see them: options to a build, the key of its inputs, and the image it gives."""

from __future__ import annotations

import typing as t

from ..model.annotations import KEY_LABEL
from ..model.errors import ImagesError, raise_problems
from ..model.host import Identity
from ..model.reference import Reference
from ..plan.questions import build_cause, names_made_by

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..build.base import Base, BaseImage
    from ..build.loading import Build
    from ..model.digest import Digest
    from ..model.host import Observed
    from ..plan.desired import Desired, DesiredBuild, DesiredImage
    from ..plan.questions import Answers
    from .bases import Bases
    from .session import Session


class Loaded(t.NamedTuple):
    """A build whose input is known to be good. With ``asks_registry`` its bases are looked up there first."""

    build: Build
    asks_registry: bool


class Prepared(t.NamedTuple):
    """A build that may be carried out: its bases as its key was made with, less those that are built before it."""

    build: Build
    bases: Mapping[Base, BaseImage]
    pending: tuple[Base, ...] = ()


def load(desired: Desired, *, observed: Observed, session: Session) -> Desired:
    """Return ``desired`` with each build read and checked. Nothing but the host's files is looked at.

    Raises:
        ImagesError: the input of a build is bad. With several such builds all are told.
    """

    def loaded(item: DesiredImage, wanted: DesiredBuild) -> DesiredImage:
        from ..build.loading import load_build
        from .build_options import build_spec

        options = t.cast("Mapping[str, t.Any]", wanted.spec)
        build = load_build(build_spec(options, platform=item.platform, host=observed.platform))
        for warning in build.warnings:
            session.warn(f"{item.path}: {warning}")
        return item._replace(build=wanted._replace(spec=Loaded(build, bool(options["pull"]))))

    return _with_each(desired, loaded)


def with_keys(desired: Desired, *, observed: Observed, answers: Answers, session: Session) -> Desired:
    """Return ``desired``, loaded before, with the key of each build's inputs. Hashes contexts, and looks bases up.

    ``answers`` tell what the pulls of the same task bring: a build may start from it, and from what is built before it.

    Raises:
        ImagesError: a base cannot be had, or a context not be read. With several such builds all are told.
    """
    from .bases import Bases

    bases = Bases(observed, session=session)

    def keyed(item: DesiredImage, wanted: DesiredBuild) -> DesiredImage:
        return _with_key(item, wanted, observed=observed, bases=bases)

    return _with_each(desired, keyed, others=lambda item: bases.expect_pull(item, answers=answers))


def carry_out(spec: object, *, session: Session) -> Identity:
    """Build the image that a plan's build action holds, into the session's content store, and return its identity.

    Raises:
        ImagesError: layers of a base cannot be fetched, the context changed meanwhile, or a step fails.
    """
    from ..build.native import build_image
    from .bases import Bases

    if not isinstance(spec, Prepared):
        raise TypeError("a build action holds what with_keys prepared")
    now = Bases(session.engine.observe(), session=session) if spec.pending else None
    built = {base: now.image(base, now.digest(base)) for base in spec.pending} if now is not None else {}
    content = session.content()
    # Beside the blobs there is room for a layer; the system's folder for temporary files may be memory.
    manifest = build_image(spec.build, bases={**spec.bases, **built}, sink=content, work_folder=session.scratch())
    return Identity(manifest.descriptor.digest, manifest.config.digest)


def _with_each(
    desired: Desired,
    change: Callable[[DesiredImage, DesiredBuild], DesiredImage],
    *,
    others: Callable[[DesiredImage], None] = lambda item: None,
) -> Desired:
    """Return ``desired`` with each item that has a build changed; ``others`` see the rest, all in their order."""
    problems: dict[str, ImagesError] = {}
    images: list[DesiredImage] = []
    for item in desired.images:
        try:
            if item.build is not None:
                images.append(change(item, item.build))
                continue
            others(item)
        except ImagesError as error:
            problems[item.path] = error
        images.append(item)
    raise_problems(problems)
    return desired._replace(images=tuple(images))


def _with_key(item: DesiredImage, wanted: DesiredBuild, *, observed: Observed, bases: Bases) -> DesiredImage:
    if not isinstance(wanted.spec, Loaded):
        raise TypeError("a build is loaded before its key is made")
    build, asks_registry = wanted.spec
    image = observed.by_name.get(item.wanted) if isinstance(item.wanted, Reference) else None
    pending = tuple(base for base in build.bases if bases.is_pending(base))
    digests = {base: bases.digest(base, asks_registry=asks_registry) for base in build.bases if base not in pending}
    label = image.labels.get(KEY_LABEL, "") if image is not None else ""
    key = "" if pending else _key(build, label, digests=digests)
    names = tuple(bases.name_of(base) for base in build.bases)
    if item.wanted in names and not asks_registry:
        from .build_options import from_itself

        raise from_itself(item)
    keyed = wanted._replace(key=key, key_label=KEY_LABEL, bases=names)
    if not build_cause(keyed, image):
        return item._replace(build=keyed)
    bases.expect_build(names_made_by(item))
    # Opened now and not when it is built: a base that does not exist for the platform is told by check mode, too.
    opened = {base: bases.image(base, digest) for base, digest in digests.items()}
    return item._replace(build=keyed._replace(spec=Prepared(build, opened, pending)))


def _key(build: Build, label: str, *, digests: Mapping[Base, Digest]) -> str:
    """Return ``label``, if it is the key of these inputs, or their key.

    Only bases whose configs were read tell whether they have triggers, so the label is asked before a key is made.
    """
    return label if label and build.is_current(label, digests) else build.inputs_key(digests).key
