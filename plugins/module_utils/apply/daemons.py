# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Letting a daemon move images: from where, how often, and what the registry says when the daemon could not."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..model.descriptor import Descriptor
from ..model.errors import ImagesError, NotFoundError, PeerError
from .transfer import Timer, patiently

if t.TYPE_CHECKING:
    from ..engines.base import Daemon, Heard
    from ..model.digest import Digest
    from ..model.host import Identity
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..model.resolved import Resolved
    from ..plan.actions import Pull
    from .sources import Mirrors, OpenRepository, Repository
    from .transfer import Patience


class DaemonTransfers:
    """Images on their way between one daemon and registries. Thread-safe.

    A daemon tells why it failed in words for people. So the registry is asked by our own client, which knows what may
    pass and waits as the registry wants; only when it finds nothing wrong the daemon tries again.
    """

    def __init__(
        self,
        daemon: Daemon,
        *,
        registry: OpenRepository,
        mirrors: Mirrors,
        patience: Patience,
        heard: Heard | None = None,
    ) -> None:
        """``heard`` is told how far pulls are."""
        self._daemon = daemon
        self._registry = registry
        self._mirrors = mirrors
        self._patience = patience
        self._heard = heard

    def pull(self, action: Pull) -> int:
        """Let the daemon fetch and name what ``action`` says; return the bytes that it fetched.

        Raises:
            ImagesError: no mirror and not the origin could give it, or the deadline passed.
        """
        resolved, timer = action.resolved, Timer(self._patience, str(action.reference))
        source, platform = _pinned(resolved)

        def fetch(name: Reference, store: Repository) -> int:
            try:
                return self._daemon.pull(
                    action.reference, source=name, platform=platform, deadline=timer.left(), heard=self._heard
                )
            except PeerError as error:
                if error.code == "engine-pull-failed":
                    _explain(error, lambda: _confirm_has(store, resolved, name=name))
                raise

        def fetch_patiently() -> int:
            return patiently(lambda: fetch(source, self._registry(source)), self._patience)

        return self._mirrors.first(
            source, lambda mirror: fetch(mirror.reference, mirror.store), origin=fetch_patiently
        )

    def push(self, reference: Reference, identity: Identity) -> Digest:
        """Let the daemon push ``identity``; return the digest that ``reference`` has at its registry then.

        Raises:
            PeerError: promise-broken: the registry does not have what the daemon says to have pushed.
            ImagesError: the daemon could not push it, or the deadline passed.
        """
        timer, store = Timer(self._patience, str(reference)), self._registry(reference)

        def send() -> None:
            try:
                self._daemon.push(reference, identity=identity, deadline=timer.left())
            except PeerError as error:
                if error.code == "engine-push-failed":
                    _explain(error, lambda: _confirm_writable(store))
                raise

        patiently(send, self._patience)
        try:
            return patiently(lambda: store.resolve(reference), self._patience).digest
        except NotFoundError as error:
            raise PeerError(
                f"The registry does not have {reference}, which was pushed",
                code="promise-broken",
                why=error.why,
                fix="push again; if it happens again, look for a garbage collection or a stale cache in the registry",
                subject=str(reference),
            ) from error


def _pinned(resolved: Resolved) -> tuple[Reference, Platform | None]:
    """Return what to pull: the index, so that the host knows the digest that a tag has, where it may be chosen from."""
    if resolved.manifest is None:
        raise TypeError("a pull is planned with its manifest")
    if resolved.is_index and resolved.platform is not None:
        return resolved.reference.with_digest(resolved.descriptor.digest), resolved.platform
    return resolved.reference.with_digest(resolved.manifest.descriptor.digest), None


def _explain(error: PeerError, ask: t.Callable[[], None]) -> None:
    """Raise what the registry says about a daemon's failure; if nothing is wrong there, another try may help."""
    try:
        ask()
    except ImagesError as found:
        found.why = "; ".join(part for part in (found.why, error.why) if part)
        raise
    error.retryable = True


def _confirm_has(store: Repository, resolved: Resolved, *, name: Reference) -> None:
    """Ask for all parts of an image, without fetching any.

    Raises:
        NotFoundError: image-not-found, blob-not-found.
        ImagesError: the registry refuses, or cannot be asked.
    """
    if resolved.manifest is None:
        raise TypeError("a pull is planned with its manifest")
    store.resolve(name)
    for part in (resolved.manifest.descriptor, *resolved.manifest.moved_blobs()):
        if not store.has(part):
            raise NotFoundError(
                f"A part of {name} is not in the registry",
                code="blob-not-found",
                why=f"{part.digest}, {part.size} bytes of type {part.media_type}, is not there",
                fix="push the image again",
                subject=str(name),
            )


class _MayWriteError(Exception):
    """Ends an upload that was begun to see whether it may be."""


def _confirm_writable(store: Repository) -> None:
    """Begin an upload and give it up: only so a registry tells whether we may push. No content stays there.

    Raises:
        ImagesError: the registry refuses, or cannot be asked.
    """

    def stop(_offset: int) -> t.NoReturn:
        raise _MayWriteError

    content = os.urandom(32)
    with contextlib.suppress(_MayWriteError):
        store.write(Descriptor.of(content, "application/octet-stream"), stop)
