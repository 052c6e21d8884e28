# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds as tasks see them: options to a build, the key of its inputs, and the image it gives."""

from __future__ import annotations

import typing as t

from ..model.annotations import INPUTS_LABEL, KEY_LABEL
from ..model.errors import ImagesError, raise_problems
from ..model.host import Look
from ..model.reference import Reference
from ..plan.questions import build_cause, names_made_by
from .build_orders import Extras

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..build.base import Base
    from ..build.loading import Build
    from ..build.platforms import PlatformBuilds
    from ..model.build_order import Built
    from ..model.digest import Digest
    from ..model.host import Identity, Observed
    from ..model.output import Output
    from ..plan.desired import Desired, DesiredBuild, DesiredImage
    from ..plan.questions import Answers
    from .bases import Bases
    from .session import Session


class Loaded(t.NamedTuple):
    """A build whose input is known to be good. With ``asks_registry`` its bases are looked up there first.

    ``is_for_engine``: the engine builds it itself.
    """

    build: Build | PlatformBuilds
    extras: Extras
    is_for_engine: bool
    asks_registry: bool


def load(desired: Desired, *, observed: Observed, session: Session) -> Desired:
    """Return ``desired`` with each build read and checked. Nothing but the host's files is looked at.

    Raises:
        ImagesError: the input of a build is bad, or nothing here can build it as wanted. With several such builds all
            are told.
    """
    from .builders import load_wanted
    from .engine_builder import engine_builder

    session.builder = engine_builder(session)

    def loaded(item: DesiredImage, wanted: DesiredBuild) -> DesiredImage:
        options = t.cast("Mapping[str, t.Any]", wanted.spec)
        extras = Extras.of(options, platform=item.platform, defaults=session.defaults)
        build, builder = load_wanted(item, options, extras=extras, observed=observed, session=session)
        for warning in build.warnings:
            session.warn(f"{item.path}: {warning}")
        spec = Loaded(build, extras, session.builder is not None, bool(options["pull"]))
        return item._replace(build=wanted._replace(spec=spec, builder=builder))

    return _with_each(desired, loaded)


def with_keys(desired: Desired, *, observed: Observed, answers: Answers, session: Session) -> Desired:
    """Return ``desired``, loaded before, with the key of each build's inputs. Hashes contexts, and looks bases up.

    ``answers`` tell what the pulls of the same task bring: a build may start from it, and from what is built before it.

    Raises:
        ImagesError: a base cannot be had, or a context not be read. With several such builds all are told.
    """
    from .bases import Bases

    bases = Bases(_with_platforms(desired, observed, session=session), session=session, pins=desired.pins)

    def keyed(item: DesiredImage, wanted: DesiredBuild) -> DesiredImage:
        try:
            return _with_key(item, wanted, observed=observed, bases=bases, session=session)
        finally:
            bases.give(names_made_by(item))

    return _with_each(desired, keyed, others=lambda item: bases.expect_pull(item, answers=answers))


def carry_out(spec: object, *, session: Session) -> Built:
    """Build the image that a plan's build action holds; return its identity, and what built it.

    Raises:
        ImagesError: layers of a base cannot be fetched, the context changed meanwhile, or a step fails.
    """
    from . import engine_builds, store_builds

    if isinstance(spec, store_builds.StoreBuild):
        return store_builds.carry_out(spec, session=session)
    if isinstance(spec, engine_builds.EngineBuild):
        return engine_builds.carry_out(spec, session=session)
    from . import platform_builds, shared_builds

    if isinstance(spec, platform_builds.IndexBuild):
        return platform_builds.carry_out(spec, session=session)
    if isinstance(spec, shared_builds.SharedBuild):
        return shared_builds.carry_out(spec, build=lambda own: carry_out(own, session=session), session=session)
    raise TypeError("a build action holds what with_keys prepared")


def with_written(desired: Desired, *, answers: Answers) -> Answers:
    """Return ``answers`` with what the outputs of ``desired`` hold.

    Raises:
        ImagesError: an output cannot be where it is wanted. With several such outputs all are told.
    """
    if not any(item.outputs for item in desired.images):
        return answers
    from .outputs import written_now

    return answers._replace(written=written_now(desired))


def write(output: Output, *, name: Reference, identity: Identity, session: Session) -> None:
    """Write the image ``identity``, which the host holds, to ``output``, under its ``name``.

    Raises:
        ImagesError: it cannot be read, or not be written there.
    """
    from .outputs import write as write_now

    write_now(output, name=name, identity=identity, session=session)


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


def _with_key(
    item: DesiredImage, wanted: DesiredBuild, *, observed: Observed, bases: Bases, session: Session
) -> DesiredImage:
    if not isinstance(wanted.spec, Loaded):
        raise TypeError("a build is loaded before its key is made")
    build, _extras, _is_for_engine, asks_registry = loaded = wanted.spec
    image = observed.by_name.get(item.wanted) if isinstance(item.wanted, Reference) else None
    pending = tuple(base for base in build.bases if bases.is_pending(base))
    digests = bases.digests([base for base in build.bases if base not in pending], asks_registry=asks_registry)
    labels = image.labels if image is not None else {}
    key, change = ("", "") if pending else _key(build, labels, digests=digests)
    names = tuple(bases.name_of(base) for base in build.bases)
    if item.wanted in names and not asks_registry:
        from .build_options import from_itself

        raise from_itself(item)
    pins = tuple(name.with_digest(digests[base]) for name, base in zip(names, build.bases) if base in digests)
    keyed = wanted._replace(key=key, key_label=KEY_LABEL, change=change, bases=tuple(dict.fromkeys([*names, *pins])))
    if not build_cause(keyed, image, observed=observed):
        return item._replace(build=keyed)

    def prepared() -> object:
        return _prepared(loaded, digests=digests, bases=bases)

    # Also what is pulled instead: what the engine then says of it counts for builds that start from it.
    bases.expect_build(names_made_by(item))
    if wanted.share is None:
        return item._replace(build=keyed._replace(spec=prepared()))
    from .shared_builds import with_share

    return item._replace(build=with_share(keyed, item=item, digests=digests, prepared=prepared, session=session))


def _with_platforms(desired: Desired, observed: Observed, *, session: Session) -> Observed:
    """Return ``observed`` with the platforms of bases too, where a daemon builds for a platform that the user named."""
    if session.daemon is None:
        return observed
    loaded = [item.build.spec for item in desired.images if item.build is not None and item.platform is not None]
    bases = {base for spec in loaded if isinstance(spec, Loaded) for base in spec.build.bases}
    from .bases import base_reference

    names = frozenset(base_reference(base, session.defaults) for base in bases)
    return session.engine.observe(Look(details_of=names)) if names else observed


def _prepared(loaded: Loaded, *, digests: Mapping[Base, Digest], bases: Bases) -> object:
    """Return what ``carry_out`` takes. Bases are opened now: one that does not exist is told by check mode, too."""
    from ..build.platforms import PlatformBuilds

    if isinstance(loaded.build, PlatformBuilds):
        from . import platform_builds

        return platform_builds.prepare(loaded.build, loaded.extras, digests=digests, bases=bases)
    if loaded.is_for_engine:
        from . import engine_builds

        return engine_builds.prepare(loaded.build, loaded.extras, digests=digests, bases=bases)
    from . import store_builds

    return store_builds.prepare(loaded.build, loaded.extras, digests=digests, bases=bases)


def _key(
    build: Build | PlatformBuilds, labels: Mapping[str, str], *, digests: Mapping[Base, Digest]
) -> tuple[str, str]:
    """Return the key of the inputs, and what they differ in from those of an image with ``labels``; "" if in nothing.

    Only bases whose configs were read tell whether they have triggers, so the label is asked before a key is made.
    """
    label = labels.get(KEY_LABEL, "")
    if label and build.is_current(label, digests):
        return label, ""
    from ..build.changes import inputs_of, what_changed

    before = inputs_of(labels.get(INPUTS_LABEL, ""))
    key = build.inputs_key(digests, has_triggers="onbuild" in before)
    return key.key, what_changed(before, key.fields, files=build.file_changes(before))
