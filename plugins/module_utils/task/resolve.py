# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers a plan's questions at the registries: in parallel, with no request that is not needed."""

from __future__ import annotations

import typing as t

from ..model.errors import ImagesError, NotFoundError, raise_problems
from ..model.host import Identity
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_image_manifest, parse_manifest
from ..model.resolved import Resolved
from ..plan.questions import Answers

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model.digest import Digest
    from ..model.platform import Platform
    from ..model.reference import Reference
    from ..plan.questions import Question, Questions, RemoteQuestion
    from ..stores.registry import RegistryStore

    OpenRegistry = Callable[[Reference], RegistryStore]

_Q = t.TypeVar("_Q")
_A = t.TypeVar("_A")


def resolve(questions: Questions, *, registry: OpenRegistry, parallel: int) -> Answers:
    """Return an answer to each question; ``registry`` opens the repository of a reference.

    One request for a digest the host may know, one or two for an image it does not hold; no layer is touched.

    Raises:
        ImagesError: an image cannot be resolved. With several an ApplyError that tells all.
    """
    images = in_parallel(
        questions.images, lambda question: resolve_image(question, registry=registry), parallel=parallel
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


def resolve_image(question: Question, *, registry: OpenRegistry) -> Resolved:
    """Return what the first existing reference of ``question`` means for its platform.

    Raises:
        NotFoundError: none exists, or not for the platform (platform-missing; ``why`` lists the ones there are).
        ImagesError: the registry cannot be asked, or answers with what is no image.
    """
    missing: NotFoundError | None = None
    for reference in question.references:
        try:
            return _resolve(reference, question=question, store=registry(reference))
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


def _resolve(reference: Reference, *, question: Question, store: RegistryStore) -> Resolved:
    if question.known:
        head = store.resolve(reference)
        if head.digest in question.known:
            return Resolved(reference, head)
    raw, descriptor = store.fetch_manifest(reference)
    document = parse_manifest(raw, media_type=descriptor.media_type, subject=str(reference))
    if isinstance(document, Index):
        chosen = document.choose(question.platform)
        if chosen is None:
            there = [entry.platform for entry in document.images()]
            raise _platform_missing(reference, question.platform, there=there)
        subject = str(reference.with_digest(chosen.digest))
        child = parse_image_manifest(store.read(chosen), media_type=chosen.media_type, subject=subject)
        return Resolved(reference, document.descriptor, child, chosen.platform)
    platform = question.platform if question.is_strict else None
    if platform is not None:
        actual = parse_config(store.read(document.config), subject=str(reference)).platform
        if not actual.satisfies(platform):
            raise _platform_missing(reference, platform, there=[actual])
        platform = actual
    return Resolved(reference, document.descriptor, document, platform)


def _platform_missing(reference: Reference, wanted: Platform, *, there: Sequence[Platform | None]) -> NotFoundError:
    names = ", ".join(sorted({str(platform) for platform in there if platform is not None})) or "none with a platform"
    return NotFoundError(
        f"{reference} does not exist for {wanted}",
        code="platform-missing",
        why=f"it exists for: {names}",
        fix="set platform to one of these, or push the image for this platform",
        subject=str(reference),
    )
