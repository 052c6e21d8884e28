# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that hosts share: what one has built is at a registry, under a tag made of the key of its inputs."""

from __future__ import annotations

import typing as t

from ..model.annotations import KEY_LABEL
from ..model.build_order import Built
from ..model.errors import ApplyError, IntegrityError, NotFoundError
from ..model.host import Identity
from ..model.image_config import parse_config
from ..plan.questions import Question
from .engine_builds import EngineBuild
from .resolve import remote_digest, resolve_image

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..build.base import Base
    from ..build.loading import Build
    from ..model.digest import Digest
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..model.resolved import Resolved
    from ..plan.desired import DesiredBuild, DesiredImage
    from .session import Session
    from .store_builds import StoreBuild

FLEET = "another host"
"""The builder of an image that another host built while this one waited."""

_TAG_DIGITS = 32  # of the key; the label of what is found there is compared in full


class SharedBuild(t.NamedTuple):
    """A build that is carried out here unless another host is quicker: ``ordered``, and the tag that it gets.

    ``name`` is what the image is called on this host.
    """

    ordered: StoreBuild | EngineBuild
    reference: Reference
    key: str
    platform: Platform
    name: Reference


class _Looked(t.NamedTuple):
    """Where an image with a key is to be shared, and what is there."""

    key: str
    reference: Reference
    found: Resolved | None


def with_share(
    keyed: DesiredBuild,
    *,
    item: DesiredImage,
    digests: Mapping[Base, Digest],
    prepared: Callable[[], object],
    session: Session,
) -> DesiredBuild:
    """Return a build that is due, to be pulled if its ``share`` has it, else ``prepared`` to be built and put there.

    One that starts from what the same task builds has no key yet, and is not shared.

    Raises:
        IntegrityError: shared-build-wrong.
        ImagesError: the registry cannot be asked, or what ``prepared`` raises.
    """
    share, loaded = keyed.share, t.cast("t.Any", keyed.spec)
    if share is None:
        raise TypeError("only what is shared is looked up")
    if not keyed.key:
        session.warn(f"{item.path}: it starts from what this task builds, so it is not shared")
        return keyed._replace(spec=prepared(), share=None)
    build: Build = loaded.build

    def look(*, has_triggers: bool) -> _Looked:
        key = build.inputs_key(digests, has_triggers=has_triggers).key
        reference = share.reference.with_tag(f"build-{key.partition(':')[2][:_TAG_DIGITS]}")
        if keyed.rebuild == "always":
            return _Looked(key, reference, None)
        return _Looked(key, reference, _find(reference, key, platform=build.spec.platform, session=session))

    # Most bases have no triggers, and to know it they must be opened: only a host that builds does.
    looked = look(has_triggers=False)
    if looked.found is None:
        ordered = t.cast("StoreBuild | EngineBuild", prepared())
        if _has_triggers(ordered):
            looked = look(has_triggers=True)
    key, reference, found = looked
    if found is not None:
        return keyed._replace(share=share._replace(reference=reference, found=found))
    if keyed.rebuild == "always":
        former = remote_digest(reference, registry=session.registry)
        identity = Identity(known_as=(former,)) if former is not None else None
        return keyed._replace(spec=ordered, share=share._replace(reference=reference, former=identity))
    name = t.cast("Reference", item.wanted)
    spec = SharedBuild(ordered, reference, key, build.spec.platform, name)
    return keyed._replace(spec=spec, share=share._replace(reference=reference))


def carry_out(shared: SharedBuild, *, build: Callable[[object], Built], session: Session) -> Built:
    """Build, or, when other hosts are about to, wait for what one of them builds, and pull that.

    Raises:
        AuthError: share-not-writable.
        UnavailableError: deadline-passed, while others build.
        ImagesError: the registry cannot be asked, or what ``build`` raises.
    """
    from ..stores.build_claim import BuildClaim

    store, deadline = session.registry(shared.reference), session.patience().deadline
    claim = BuildClaim(store, shared.reference, deadline=deadline)
    session.at_end(claim.release)  # not before it is pushed
    found = None
    if not claim.take():
        found = _find(shared.reference, shared.key, platform=shared.platform, session=session)
    if found is None:
        return build(shared.ordered)
    _pull(shared.name, found, session=session)
    return Built(found.identity, FLEET, {shared.reference: found.descriptor.digest})


def _find(reference: Reference, key: str, *, platform: Platform, session: Session) -> Resolved | None:
    """Return the image that was built from the inputs of ``key``, None if there is none yet.

    Raises:
        IntegrityError: shared-build-wrong: the image there was built from other inputs.
    """
    question = Question((reference,), platform, is_strict=False, known=frozenset())
    try:
        resolved = resolve_image(question, registry=session.registry, mirrors=session.mirrors)
    except NotFoundError as error:
        if error.code != "image-not-found":
            raise
        return None
    if resolved.manifest is None:
        raise TypeError("a question that knows no digest is answered with a manifest")
    config = parse_config(session.registry(reference).read(resolved.manifest.config), subject=str(reference))
    label = config.labels.get(KEY_LABEL, "")
    if label != key:
        raise IntegrityError(
            f"The image {reference.familiar} was built from other inputs than its tag says",
            code="shared-build-wrong",
            why=f"its label {KEY_LABEL} is {label or 'missing'}, it should be {key}",
            fix="remove this tag, and find out who put another image there",
            subject=str(reference),
        )
    return resolved


def _has_triggers(ordered: StoreBuild | EngineBuild) -> bool:
    if isinstance(ordered, EngineBuild):
        return any(base.has_triggers for base in ordered.bases.values())
    return any(base.config.has_triggers for base in ordered.bases.values())


def _pull(name: Reference, resolved: Resolved, *, session: Session) -> None:
    """Pull as any pull is: from mirrors, with credentials and patience."""
    from ..apply.execute import Host, apply_plan
    from ..plan.actions import Pull
    from ..plan.plan import Plan

    def build_nothing(_spec: object) -> t.NoReturn:
        raise TypeError("a plan of a pull builds nothing")

    digest = resolved.descriptor.digest
    action = Pull(1, name, "built by another host", (), digest, None, "", str(digest), 0, resolved=resolved)
    host = Host(session.engine, session.content, build_nothing, session.daemon, session.keeps_index)
    try:
        apply_plan(
            Plan((action,), ()),
            host=host,
            registry=session.registry,
            patience=session.patience(),
            mirrors=session.mirrors,
        )
    except ApplyError as error:
        raise next(iter(error.failed.values())) from error
