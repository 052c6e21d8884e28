# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that an engine carries out in containers: the bases that it must have, then the order."""

from __future__ import annotations

import functools
import typing as t

from ..model.annotations import INPUTS_LABEL, KEY_LABEL
from .build_orders import build_order, read_secrets

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..build.base import Base
    from ..build.loading import Build
    from ..model.build_order import Built
    from ..model.digest import Digest
    from ..model.resolved import Resolved
    from .bases import Bases
    from .build_orders import Extras
    from .session import Session


class FoundBase(t.NamedTuple):
    """A base by the ``digest`` that the key is made with, and by the ``pin`` that the Dockerfile names it with.

    Without a pin it keeps its name: it was built on the host, and no registry knows it. ``resolved`` is to be pulled.
    """

    digest: Digest
    pin: Digest | None
    resolved: Resolved | None
    has_triggers: bool


class EngineBuild(t.NamedTuple):
    """A build that may be carried out, with its bases, less those that are built before it by the same task."""

    build: Build
    extras: Extras
    bases: Mapping[Base, FoundBase]
    pending: tuple[Base, ...]


def prepare(build: Build, extras: Extras, *, digests: Mapping[Base, Digest], bases: Bases) -> EngineBuild:
    """Return the build with its bases looked up: only what is in ``digests`` is there, or can be pulled.

    Raises:
        ImagesError: a base does not exist for the platform, or a secret cannot be read.
    """
    read_secrets(extras.secrets)  # told by check mode, too; read again when they are used
    is_strict = extras.platform is not None
    found = {base: _find(base, digest, bases=bases, is_strict=is_strict) for base, digest in digests.items()}
    return EngineBuild(build, extras, found, tuple(base for base in build.bases if base not in digests))


def carry_out(ordered: EngineBuild, *, session: Session) -> Built:
    """Pull the bases that the host lacks by digest, and build.

    Raises:
        ImagesError: a base cannot be pulled, the context changed meanwhile, or a step fails.
    """
    build, found = ordered.build, dict(ordered.bases)
    if ordered.pending or any(base.resolved for base in found.values()):
        now = _bases_now(session)
        is_strict = ordered.extras.platform is not None
        found.update((base, _find(base, now.digest(base), bases=now, is_strict=is_strict)) for base in ordered.pending)
        for base, there in found.items():
            if there.resolved is not None and now.held(base, there.digest) is None:
                _pull(there.resolved, session=session)
    has_triggers = any(there.has_triggers for there in found.values())
    key = build.inputs_key({base: there.digest for base, there in found.items()}, has_triggers=has_triggers)
    defaults = session.defaults._replace(tag="latest")
    text = build.pinned_dockerfile({base: there.pin for base, there in found.items()}, defaults=defaults)
    labels = {**build.spec.labels, KEY_LABEL: key.key, INPUTS_LABEL: key.label}
    if session.builder is None:
        raise TypeError("only what the engine builds is prepared so")
    order = build_order(build, ordered.extras, labels=labels, secrets=read_secrets(ordered.extras.secrets))
    order = order._replace(
        takes_dockerfile=has_triggers or build.takes_dockerfile, deadline=session.patience().deadline
    )
    return session.builder.build(order, context=functools.partial(build.context_tar, text, has_triggers=has_triggers))


def _bases_now(session: Session) -> Bases:
    from .bases import Bases

    return Bases(session.engine.observe(), session=session)


def _find(base: Base, digest: Digest, *, bases: Bases, is_strict: bool) -> FoundBase:
    image = bases.held(base, digest)
    if image is not None:
        pin = digest if bases.is_pinned(base, digest) else None
        return FoundBase(digest, pin, None, bases.has_triggers(image))
    resolved, config = bases.remote(base, digest, is_strict=is_strict)
    return FoundBase(digest, digest, resolved, config.has_triggers)


def _pull(resolved: Resolved, *, session: Session) -> None:
    """Let the daemon pull a base by its digest: from mirrors, with credentials and patience, as any pull."""
    from ..apply.daemons import DaemonTransfers
    from ..plan.actions import Pull

    if session.daemon is None:
        raise TypeError("what builds in containers pulls by itself")
    transfers = DaemonTransfers(
        session.daemon, registry=session.registry, mirrors=session.mirrors, patience=session.patience()
    )
    digest = resolved.descriptor.digest
    reference = resolved.reference.with_digest(digest)
    transfers.pull(Pull(0, reference, "a build starts from it", (), digest, None, "", "", 0, resolved=resolved))
