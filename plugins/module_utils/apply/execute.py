# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying a plan out. All decisions were made before: here is order, concurrency and what became of each action."""

from __future__ import annotations

import functools
import typing as t

from ..model.errors import ApplyError, ImagesError
from ..model.host import Identity
from ..model.manifest import stored_manifest
from ..plan.actions import Build, Pending, Pull, Push, Tag, Untag
from .outcome import Outcome
from .transfer import BlobCopy, Copies, patiently

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..engines.base import Engine
    from ..model.digest import Digest
    from ..model.manifest import Manifest
    from ..model.reference import Reference
    from ..plan.actions import Action
    from ..plan.plan import Plan
    from ..stores.base import ContentStore
    from .transfer import Patience


class Host(t.NamedTuple):
    """Where a plan is carried out: the engine, the store its content is in, and what builds images into that store."""

    engine: Engine
    content: Callable[[], ContentStore]
    build: Callable[[object], Identity]


class OpenRepository(t.Protocol):
    """Opens the repository of a reference, and says from which others of its registry blobs may be taken over."""

    def __call__(self, reference: Reference, *, mount_from: Sequence[str] = ()) -> ContentStore:
        """Return the repository; nothing is asked of its registry yet."""


def apply_plan(plan: Plan, *, host: Host, registry: OpenRepository, patience: Patience) -> Outcome:
    """Carry out ``plan``; ``registry`` opens the repository of a reference.

    After a failure nothing new is started, what runs ends, and what succeeded stays. Running again is always safe.

    Raises:
        ApplyError: actions failed; it tells which are done, which failed why, and which were not started.
    """
    run = _Run(plan, host=host, registry=registry, patience=patience)
    run.pull([action for action in plan.actions if isinstance(action, Pull)])
    for action in plan.actions:
        if not isinstance(action, Pull) and not run.failed:
            run.perform(action)
    freed, warnings = 0, []
    if not run.failed and _drops_content(plan):
        try:
            freed = host.engine.reclaim()
        except ImagesError as error:  # the images are as wanted; the next run that removes something frees the space
            warnings.append(f"The space of what was removed is not free yet: {error}")
    run.raise_failures()
    return Outcome(run.made, {}, run.moved, freed, tuple(warnings))


class _Run:
    """One carrying-out: which actions are done, which failed, and what they made."""

    def __init__(self, plan: Plan, *, host: Host, registry: OpenRepository, patience: Patience) -> None:
        self._plan = plan
        self._host = host
        self._registry = registry
        self._patience = patience
        self.made: dict[int, Identity] = {}
        self.done: set[int] = set()
        self.failed: dict[int, ImagesError] = {}
        self.moved = 0

    def pull(self, actions: Sequence[Pull]) -> None:
        """Fetch the blobs of all ``actions`` together, and name each image as soon as it is complete."""
        if not actions:
            return
        content = self._host.content()
        blobs = {action.id: _manifest(action).moved_blobs() for action in actions}
        lacking = {at: {blob.digest for blob in wanted} for at, wanted in blobs.items()}
        wanted_by: dict[Digest, list[Pull]] = {}
        for action in actions:
            for digest in lacking[action.id]:
                wanted_by.setdefault(digest, []).append(action)
        sources = {action.id: self._registry(action.resolved.reference) for action in actions}
        copies = Copies(
            (BlobCopy(blob, sources[at], content) for at, wanted in blobs.items() for blob in wanted),
            patience=self._patience,
        )

        def on_arrival(digest: Digest) -> None:
            for action in wanted_by[digest]:
                lacking[action.id].discard(digest)
                if not lacking[action.id]:
                    self._attempt(action, functools.partial(self._name, action, content))
            if self.failed:
                copies.stop()

        copies.run(on_arrival)
        self.moved += copies.moved
        for digest, error in copies.failed.items():
            self.failed.update((action.id, error) for action in wanted_by[digest])

    def perform(self, action: Action) -> None:
        """Carry out one action that is not a pull."""
        if isinstance(action, Build):
            self._attempt(action, lambda: self._build(action))
        elif isinstance(action, Tag):
            self._attempt(action, lambda: self._tag(action.reference, self._identity(action.source)))
        elif isinstance(action, Untag):
            self._attempt(action, lambda: self._untag(action))
        elif isinstance(action, Push):
            self._attempt(action, lambda: self._push(action))

    def raise_failures(self) -> None:
        """Raise what failed.

        Raises:
            ApplyError: something failed.
        """
        if not self.failed:
            return
        labels = {action.id: f"{action.kind} {action.reference}" for action in self._plan.actions}
        raise ApplyError(
            done=[labels[action.id] for action in self._plan.actions if action.id in self.done],
            failed={labels[at]: error for at, error in self.failed.items()},
            not_started=[label for at, label in labels.items() if at not in self.done and at not in self.failed],
        )

    def _attempt(self, action: Action, step: Callable[[], None]) -> None:
        try:
            step()
        except ImagesError as error:
            self.failed[action.id] = error
        else:
            self.done.add(action.id)

    def _name(self, action: Pull, content: ContentStore) -> None:
        manifest = _manifest(action)
        content.put_manifest(manifest.raw, manifest.descriptor)
        self._host.engine.tag(
            action.reference, identity=action.resolved.identity, platform=action.resolved.platform
        )

    def _build(self, action: Build) -> None:
        identity = self._host.build(action.build.spec)
        self._tag(action.reference, identity)
        self.made[action.id] = identity

    def _tag(self, reference: Reference, identity: Identity) -> None:
        self._host.engine.tag(reference, identity=identity, platform=None)

    def _untag(self, action: Untag) -> None:
        self._host.engine.untag(action.reference, is_used=action.is_used, prunes=action.prunes)

    def _push(self, action: Push) -> None:
        content, target = self._host.content(), self._registry(action.reference, mount_from=action.mount_from)
        manifest = self._stored(self._identity(action.source), content)
        copies = Copies([BlobCopy(blob, content, target) for blob in manifest.moved_blobs()], patience=self._patience)
        copies.run(lambda digest: None)
        self.moved += copies.moved
        if copies.failed:
            raise next(iter(copies.failed.values()))
        patiently(
            lambda: target.put_manifest(manifest.raw, manifest.descriptor, reference=action.reference), self._patience
        )

    def _stored(self, identity: Identity, content: ContentStore) -> Manifest:
        if identity.manifest_digest is None:
            raise TypeError("an image in a content store is known by its manifest")
        return stored_manifest(identity.manifest_digest, read=content.read)

    def _identity(self, source: Identity | Pending) -> Identity:
        return self.made[source.made_by] if isinstance(source, Pending) else source


def _manifest(action: Pull) -> Manifest:
    if action.resolved.manifest is None:
        raise TypeError("a pull is planned with its manifest")
    return action.resolved.manifest


def _drops_content(plan: Plan) -> bool:
    """Whether content may have lost its last name: by removal, or by a name that moved."""
    return any(
        isinstance(action, Untag) or (action.kind != "push" and action.previous_digest is not None)
        for action in plan.actions
    )
