# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying a plan out. All decisions were made before: here is order, concurrency and what became of each action."""

from __future__ import annotations

import functools
import io
import typing as t

from ..model.errors import ApplyError, ImagesError, NotFoundError
from ..model.host import Identity
from ..plan.actions import Build, Pull, Push, Tag, Untag
from ..plan.outputs import Write
from ..plan.world import Pending
from .outcome import Outcome
from .sources import NO_MIRRORS
from .transfer import BlobCopy, Copies, Turns

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..engines.base import Daemon, Engine
    from ..model.build_order import Built
    from ..model.digest import Digest
    from ..model.manifest import Manifest
    from ..model.output import Output
    from ..model.reference import Reference
    from ..plan.actions import Action
    from ..plan.plan import Plan
    from ..stores.base import ContentStore
    from .daemons import DaemonTransfers
    from .sources import Mirrors, OpenRepository
    from .transfer import Patience
    from .watch import Watch


class WriteOutput(t.Protocol):
    """Writes images of the host to files and folders."""

    def __call__(self, output: Output, *, name: Reference, identity: Identity) -> None:
        """Let ``output`` hold the image ``identity`` by its ``name``.

        Raises:
            ImagesError: it cannot be read, or not be written there.
        """


def _perform_nothing(action: Action) -> t.NoReturn:
    raise TypeError(f"nobody says how to {action.kind}")


def _write_nothing(output: Output, **_image: object) -> t.NoReturn:
    raise TypeError(f"nobody says how {output.dest} is written")


class Host(t.NamedTuple):
    """Where a plan is carried out: the engine, the store its content is in, and what builds images into that store.

    With a ``daemon``, that one pulls and pushes. With ``keeps_index`` the content has the index of an image, too.
    ``write`` writes an image of the host, by a name, to an output, ``perform`` does actions of a module's own.
    """

    engine: Engine
    content: Callable[[], ContentStore]
    build: Callable[[object], Built]
    daemon: Daemon | None = None
    keeps_index: bool = False
    write: WriteOutput = _write_nothing
    perform: Callable[[Action], None] = _perform_nothing


def apply_plan(
    plan: Plan,
    *,
    host: Host,
    registry: OpenRepository,
    patience: Patience,
    mirrors: Mirrors = NO_MIRRORS,
    watch: Watch | None = None,
) -> Outcome:
    """Carry out ``plan``; ``registry`` opens the repository of a reference, ``mirrors`` may have its content, too.

    ``watch`` sees how far pulls are.

    After a failure nothing new is started, what runs ends, and what succeeded stays. Running again is always safe.

    Raises:
        ApplyError: actions failed; it tells which are done, which failed why, and which were not started.
    """
    run = _Run(plan, host=host, registry=registry, patience=patience, mirrors=mirrors, watch=watch)
    run.pull([action for action in plan.actions if isinstance(action, Pull)])
    for action in plan.actions:
        if not isinstance(action, Pull) and not run.failed:
            run.perform(action)
    run.raise_failures()
    freed, warnings = _clear(plan, host.engine) if _drops_content(plan) else (0, ())
    return Outcome(run.made, run.pushed, run.moved, freed, warnings, run.builders)


class _Run:
    """One carrying-out: which actions are done, which failed, and what they made."""

    def __init__(
        self,
        plan: Plan,
        *,
        host: Host,
        registry: OpenRepository,
        patience: Patience,
        mirrors: Mirrors,
        watch: Watch | None,
    ) -> None:
        self._plan = plan
        self._watch = watch
        self._host = host
        self._registry = registry
        self._patience = patience
        self._mirrors = mirrors
        self._daemon: DaemonTransfers | None = None
        if host.daemon is not None:
            from .daemons import DaemonTransfers

            heard = watch.hear if watch is not None else None
            self._daemon = DaemonTransfers(
                host.daemon, registry=registry, mirrors=mirrors, patience=patience, heard=heard
            )
        self.made: dict[int, Identity] = {}
        self.builders: dict[int, str] = {}
        self.pushed: dict[int, Digest] = {}
        self.done: set[int] = set()
        self.failed: dict[int, ImagesError] = {}
        self.moved = 0
        self._at_registry: dict[Reference, Digest] = {}

    def pull(self, actions: Sequence[Pull]) -> None:
        """Fetch the images of all ``actions``, the biggest first; each is named as soon as it is complete."""
        if self._watch is not None:
            self._watch.begin(actions)
        if self._daemon is not None:
            self._pull_whole(actions, self._daemon)
        elif actions:
            self._pull_blobs(actions)

    def _pull_whole(self, actions: Sequence[Pull], daemon: DaemonTransfers) -> None:
        biggest_first = sorted(actions, key=lambda action: (-action.size, action.id))
        for action, result in Turns(self._patience.parallel).run(biggest_first, daemon.pull):
            if isinstance(result, ImagesError):
                self.failed[action.id] = result
            else:
                self.moved += result
                self._complete(action)

    def _pull_blobs(self, actions: Sequence[Pull]) -> None:
        content = self._host.content()
        blobs = {action.id: _manifest(action).moved_blobs() for action in actions}
        lacking = {at: {blob.digest for blob in wanted} for at, wanted in blobs.items()}
        wanted_by: dict[Digest, list[Pull]] = {}
        for action in actions:
            for digest in lacking[action.id]:
                wanted_by.setdefault(digest, []).append(action)
        origins = {action.id: action.resolved.reference for action in actions}
        sources = {at: self._registry(origin) for at, origin in origins.items()}
        copies = Copies(
            (BlobCopy(blob, sources[at], content, origins[at]) for at, wanted in blobs.items() for blob in wanted),
            patience=self._patience,
            mirrors=self._mirrors,
            watch=self._watch,
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
        elif isinstance(action, Write):
            self._attempt(action, lambda: self._write(action))
        else:
            self._attempt(action, lambda: self._host.perform(action))

    def raise_failures(self) -> None:
        """Raise what failed.

        Raises:
            ApplyError: something failed.
        """
        if not self.failed:
            return
        labels = {action.id: f"{action.kind} {action.reference}{action.where}" for action in self._plan.actions}
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
            self._complete(action)

    def _complete(self, action: Action) -> None:
        self.done.add(action.id)
        if self._watch is not None and isinstance(action, Pull):
            self._watch.end(action)

    def _name(self, action: Pull, content: ContentStore) -> None:
        manifest, resolved = _manifest(action), action.resolved
        index = resolved.index_raw
        if index is not None and self._host.keeps_index:
            # not by put_manifest: the images of other platforms are not there
            content.write(resolved.descriptor, lambda offset: io.BytesIO(index[offset:]))
        content.put_manifest(manifest.raw, manifest.descriptor)
        self._host.engine.tag(action.reference, identity=resolved.identity, platform=resolved.platform)

    def _build(self, action: Build) -> None:
        built = self._host.build(action.build.spec)
        self._tag(action.reference, built.identity)
        self.made[action.id] = built.identity
        self.builders[action.id] = built.builder
        self._at_registry.update(built.at_registry)

    def _tag(self, reference: Reference, identity: Identity) -> None:
        self._host.engine.tag(reference, identity=identity, platform=None)

    def _untag(self, action: Untag) -> None:
        self._host.engine.untag(action.reference, is_used=action.is_used, prunes=action.prunes)

    def _write(self, action: Write) -> None:
        self._host.write(action.output, name=action.reference, identity=self._identity(action.source))

    def _push(self, action: Push) -> None:
        if action.reference in self._at_registry:
            self.pushed[action.id] = self._at_registry[action.reference]
        elif self._daemon is not None:
            self.pushed[action.id] = self._daemon.push(action.reference, self._identity(action.source))
        else:
            self._push_content(action)

    def _push_content(self, action: Push) -> None:
        from .pushing import push_content

        digest = action.digest
        if isinstance(action.source, Pending):
            digest = self._identity(action.source).digest
        if digest is None:
            raise NotFoundError(
                f"The host has no image of {action.reference.familiar} to push",
                code="image-not-found",
                why="its index is there, and none of the images that the index lists",
                fix="pull it again, or push it from where it was built",
                subject=str(action.reference),
            )
        target = self._registry(action.reference, mount_from=action.mount_from)
        self.moved += push_content(
            digest, content=self._host.content(), target=target, reference=action.reference, patience=self._patience
        )

    def _identity(self, source: Identity | Pending) -> Identity:
        return self.made[source.made_by] if isinstance(source, Pending) else source


def _manifest(action: Pull) -> Manifest:
    if action.resolved.manifest is None:
        raise TypeError("a pull is planned with its manifest")
    return action.resolved.manifest


def _clear(plan: Plan, engine: Engine) -> tuple[int, tuple[str, ...]]:
    """Remove what the plan leaves behind; return the bytes that this freed and what went wrong.

    The images are as wanted by now: what cannot go yet is no failure, and goes with a later run that removes something.
    """
    try:
        for left in plan.leftovers:
            engine.untag(left.reference, is_used=left.is_used, prunes=left.prunes)
        return engine.reclaim(), ()
    except ImagesError as error:
        return 0, (f"The space of what was removed is not free yet: {error}",)


def _drops_content(plan: Plan) -> bool:
    """Whether content may have lost its last name: by removal, or by a name that moved."""
    return any(
        isinstance(action, Untag) or (action.kind not in ("push", "write") and action.before)
        for action in plan.actions
    )
