# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers a plan's questions at the registries: in parallel, with no request that is not needed."""

from __future__ import annotations

import typing as t

from ..apply.sources import NO_MIRRORS
from ..model.errors import ImagesError, IntegrityError, NotFoundError, raise_problems
from ..model.host import Identity
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_image_manifest, parse_manifest
from ..model.resolved import Resolved
from ..plan.questions import Answers

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..apply.sources import Mirrors, Repository
    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.manifest import Manifest
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..plan.questions import Question, Questions, RemoteQuestion

    OpenRegistry = Callable[[Reference], Repository]

_Q = t.TypeVar("_Q")
_A = t.TypeVar("_A")


def resolve(
    questions: Questions, *, registry: OpenRegistry, parallel: int, mirrors: Mirrors = NO_MIRRORS
) -> Answers:
    """Return an answer to each question; ``registry`` opens the repository of a reference.

    One request for a digest the host may know, one or two for an image it does not hold; no layer is touched. Where a
    tag points to, the origin says; what a digest names is asked of ``mirrors`` first.

    Raises:
        ImagesError: an image cannot be resolved. With several an ApplyError that tells all.
    """
    images = in_parallel(
        questions.images,
        lambda question: resolve_image(question, registry=registry, mirrors=mirrors),
        parallel=parallel,
    )
    remotes = in_parallel(questions.remotes, lambda remote: remote_image(remote, registry=registry), parallel=parallel)
    raise_problems(
        {
            **{str(question.references[0]): got for question, got in images.items() if isinstance(got, ImagesError)},
            **{str(asked.reference): got for asked, got in remotes.items() if isinstance(got, ImagesError)},
        }
    )
    return Answers(
        {question: got for question, got in images.items() if not isinstance(got, ImagesError)},
        {asked.reference: got for asked, got in remotes.items() if not isinstance(got, ImagesError)},
    )


def resolve_image(question: Question, *, registry: OpenRegistry, mirrors: Mirrors = NO_MIRRORS) -> Resolved:
    """Return what the first existing reference of ``question`` means for its platform.

    Raises:
        NotFoundError: none exists, or not for the platform (platform-missing; ``why`` lists the ones there are).
        ImagesError: the registry cannot be asked, or answers with what is no image.
    """
    missing: NotFoundError | None = None
    for reference in question.references:
        try:
            return _resolve(_Asked(reference, registry(reference), mirrors), question)
        except NotFoundError as error:
            if error.code != "image-not-found":
                raise  # it exists, and another meaning of the name must not stand in for it
            missing = missing or error
    raise missing or TypeError("a question names at least one reference")


def remote_image(asked: RemoteQuestion, *, registry: OpenRegistry) -> Identity | None:
    """Return the image that a tag names at its registry, None if there is no such tag or repository.

    Of an index no manifest is asked for: what an engine pushes is none.

    Raises:
        ImagesError: the registry cannot be asked.
    """
    digest = remote_digest(asked.reference, registry=registry)
    if digest is None or asked.known is None or digest in asked.known:
        return Identity(known_as=(digest,)) if digest is not None else None
    raw, descriptor = registry(asked.reference).fetch_manifest(asked.reference.with_digest(digest))
    document = parse_manifest(raw, media_type=descriptor.media_type, subject=str(asked.reference))
    return Identity(index_digest=digest) if isinstance(document, Index) else Identity(digest, document.config.digest)


def remote_digest(reference: Reference, *, registry: OpenRegistry) -> Digest | None:
    """Return the digest that ``reference`` has at its registry, None if there is no such tag or repository.

    Raises:
        ImagesError: the registry cannot be asked.
    """
    try:
        return registry(reference).resolve(reference).digest
    except NotFoundError:
        return None


def in_parallel(
    questions: Sequence[_Q], answer: Callable[[_Q], _A], *, parallel: int
) -> dict[_Q, _A | ImagesError]:
    """Return each question's answer, or the error that stands in its place; ``parallel`` at a time."""

    def attempt(question: _Q) -> _A | ImagesError:
        try:
            return answer(question)
        except ImagesError as error:
            return error

    if len(questions) < 2:
        return {question: attempt(question) for question in questions}
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=min(parallel, len(questions)), thread_name_prefix="resolve") as pool:
        return dict(zip(questions, pool.map(attempt, questions)))


class _Asked(t.NamedTuple):
    """A reference that is looked up at its origin, or, as far as digests name things, at its mirrors."""

    reference: Reference
    origin: Repository
    mirrors: Mirrors

    def head(self) -> Descriptor:
        return self._first(self.reference, lambda store, name: store.resolve(name))

    def document(self) -> Manifest | Index:
        def fetch(store: Repository, name: Reference) -> Manifest | Index:
            raw, descriptor = store.fetch_manifest(name)
            return parse_manifest(raw, media_type=descriptor.media_type, subject=str(name))

        return self._first(self.reference, fetch)

    def read(self, descriptor: Descriptor) -> bytes:
        return self._first(self.reference.with_digest(descriptor.digest), lambda store, name: store.read(descriptor))

    def _first(self, reference: Reference, ask: Callable[[Repository, Reference], _A]) -> _A:
        return self.mirrors.first(
            reference,
            lambda mirror: ask(mirror.store, mirror.reference),
            origin=lambda: ask(self.origin, reference),
        )


def _resolve(asked: _Asked, question: Question) -> Resolved:
    reference = asked.reference
    if question.known:
        head = asked.head()
        if head.digest in question.known:
            return Resolved(reference, head)
    document = asked.document()
    if isinstance(document, Index):
        chosen = _chosen(document, question, reference=reference)
        subject = str(reference.with_digest(chosen.digest))
        child = parse_image_manifest(asked.read(chosen), media_type=chosen.media_type, subject=subject)
        resolved = Resolved(reference, document.descriptor, child, chosen.platform, document.raw)
        return _as_locked(resolved, question.locked)
    platform = question.platform if question.is_strict else None
    if platform is not None:
        actual = parse_config(asked.read(document.config), subject=str(reference)).platform
        if not actual.satisfies(platform):
            raise _platform_missing(reference, platform, there=[actual])
        platform = actual
    return _as_locked(Resolved(reference, document.descriptor, document, platform), question.locked)


def _chosen(index: Index, question: Question, *, reference: Reference) -> Descriptor:
    """Return the locked image of ``index``, or without a lock the one that suits the platform best."""
    images, locked = index.images(), question.locked
    if locked is None:
        chosen = index.choose(question.platform)
        if chosen is None:
            raise _platform_missing(reference, question.platform, there=[entry.platform for entry in images])
        return chosen
    for entry in images:
        if entry.digest == locked.manifest_digest:
            return entry
    raise _not_as_locked(reference, locked, why="its index does not list this manifest")


def _as_locked(resolved: Resolved, locked: Identity | None) -> Resolved:
    """Return ``resolved`` if it is the locked image, or none is locked."""
    found = resolved.identity
    if locked is not None and found[:2] != locked[:2]:
        why = f"its manifest is {found.manifest_digest}, its config {found.config_digest}"
        raise _not_as_locked(resolved.reference, locked, why=why)
    return resolved


def _not_as_locked(reference: Reference, locked: Identity, *, why: str) -> IntegrityError:
    return IntegrityError(
        f"{reference} is not the image that the lock says",
        code="lock-mismatch",
        why=f"{why}; locked are manifest {locked.manifest_digest} and config {locked.config_digest}",
        fix="lock it again with fleet.images.image_lock",
        subject=str(reference),
    )


def _platform_missing(reference: Reference, wanted: Platform, *, there: Sequence[Platform | None]) -> NotFoundError:
    names = ", ".join(sorted({str(platform) for platform in there if platform is not None})) or "none with a platform"
    return NotFoundError(
        f"{reference} does not exist for {wanted}",
        code="platform-missing",
        why=f"it exists for: {names}",
        fix="set platform to one of these, or push the image for this platform",
        subject=str(reference),
    )
