# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that builds start from: on the host, at their registries, or on their way by the same task."""

from __future__ import annotations

import typing as t

from ..build.base import BaseImage
from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.errors import NotFoundError
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_manifest, stored_manifest
from ..model.reference import Reference, parse_reference
from ..plan.questions import Question, local_image, names_made_by, question_for
from .resolve import resolve_image

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..build.base import Base
    from ..model.digest import Digest
    from ..model.host import LocalImage, Observed
    from ..model.image_config import ImageConfig
    from ..model.reference import Defaults
    from ..model.resolved import Resolved
    from ..plan.desired import DesiredImage, Pins
    from ..plan.questions import Answers
    from .session import Session


class Bases:
    """Finds bases. Items of the same task are told in their order: what is behind an item does not serve it."""

    def __init__(self, observed: Observed, *, session: Session, pins: Pins | None = None) -> None:
        """Look on the host as ``observed``, and at the registries of ``session``; ``pins`` go before both."""
        self._observed = observed
        self._session = session
        self._pins = pins
        self._given: set[Reference] = set()
        self._building: set[Reference] = set()
        self._arriving: dict[Reference, Resolved] = {}

    def give(self, names: set[Reference]) -> None:
        """Take in that an item of the task provides ``names``, whether or not there is anything to do for it."""
        self._given |= names

    def expect_build(self, names: set[Reference]) -> None:
        """Take in that ``names`` will be built: what they hold is known only then."""
        self._building |= names

    def expect_pull(self, item: DesiredImage, *, answers: Answers) -> None:
        """Take in what ``item``, which has no build, will bring by a pull."""
        if item.is_present:
            self.give(names_made_by(item))
        resolved = answers.images.get(question_for(item, self._observed)) if item.is_present else None
        image = local_image(item, self._observed)
        if resolved is not None and resolved.manifest is not None and not (image is not None and resolved.is_on(image)):
            self._arriving.update(dict.fromkeys(names_made_by(item), resolved))

    def name_of(self, base: Base) -> Reference:
        """Return the name that ``base`` has on a host. Without a tag it is latest, as Dockerfiles mean it."""
        return self._reference(base).without_digest()

    def is_pending(self, base: Base) -> bool:
        """Tell whether ``base`` is built by the same task, before what starts from it."""
        return self.name_of(base) in self._building and not self._reference(base).is_pinned

    def digest(self, base: Base, *, asks_registry: bool = False) -> Digest:
        """Return what ``base`` means: by a lock, this task, on the host unless ``asks_registry``, or at its registry.

        Raises:
            NotFoundError: base-not-found.
            ImagesError: a lock does not serve it, or the registry cannot be asked.
        """
        reference = self._reference(base)
        if reference.digest is not None:
            self._check(base, reference.digest)
            return reference.digest
        if self._pins is not None:
            locked = self._pins.base(reference, platform=base.platform, is_given=reference in self._given)
            if locked is not None and locked.digest is not None:
                return locked.digest
        arriving = self._arriving.get(reference)
        if arriving is not None:
            return arriving.descriptor.digest
        image = None if asks_registry else self._local(base)
        digest = image and (image.identity.digest or image.identity.config_digest)
        if not digest and not asks_registry:
            of_index = self._of_index(base)
            digest = of_index and of_index.digest
        if digest:  # the config's, when it was built here and no registry knows it
            return digest
        try:
            digest = self._session.registry(reference).resolve(reference).digest
        except NotFoundError as error:
            raise NotFoundError(
                f"The base image {base.reference} is neither on the host nor at its registry",
                code="base-not-found",
                why=error.why,
                fix="check the spelling, or build or pull it before",
                subject=base.reference,
            ) from error
        self._check(base, digest)
        return digest

    def digests(self, wanted: Sequence[Base], *, asks_registry: bool) -> dict[Base, Digest]:
        """Return what each base means; one that is ``wanted`` for several platforms means one index for all of them.

        Raises:
            ImagesError: as ``digest``.
        """
        names = [base.reference for base in wanted]
        found: dict[Base, Digest] = {}
        shared: dict[str, Digest] = {}
        for base in sorted(wanted, key=lambda base: self._local(base) is None):  # what is on the host goes first
            digest = shared.get(base.reference)
            if digest is None:
                digest = self.digest(base, asks_registry=asks_registry)
            else:
                self._check(base, digest)
            if names.count(base.reference) > 1 and (asks_registry or self._serves_all(base, digest)):
                shared[base.reference] = digest
            found[base] = digest
        return {base: found[base] for base in wanted}

    def _serves_all(self, base: Base, digest: Digest) -> bool:
        """Tell whether ``digest`` is what a tag means whatever the platform: an index, or what the registry told."""
        image = self._local(base)
        return image is None or image.identity.index_digest == digest

    def image(self, base: Base, digest: Digest, *, is_strict: bool) -> BaseImage:
        """Return the base of exactly ``digest``: its tag may have moved since the key was made.

        ``is_strict``: an image that exists for one platform only must be for the base's; else it is taken as it is.

        Raises:
            ImagesError: it cannot be read, or does not exist for the base's platform.
        """
        image = self._local(base)
        if image is not None and image.identity.digest == digest and image.identity.manifest_digest is not None:
            content = self._session.content()
            manifest = stored_manifest(image.identity.manifest_digest, read=content.read)
            return BaseImage(digest, manifest, parse_config(content.read(manifest.config)), content)
        of_index = self._of_index(base)
        if of_index is not None and of_index.digest == digest:
            return of_index
        resolved, config = self.remote(base, digest, is_strict=is_strict)
        if resolved.manifest is None:
            raise TypeError("a question that knows no digest is answered with a manifest")
        return BaseImage(digest, resolved.manifest, config, self._session.registry(resolved.reference))

    def _of_index(self, base: Base) -> BaseImage | None:
        """Return the base out of the index that its name on the host came from, where this store holds it whole."""
        image = self._observed.find(self._reference(base))
        if image is None or image.identity.index_digest is None or self._session.daemon is not None:
            return None
        content, digest = self._session.content(), image.identity.index_digest
        try:
            index = parse_manifest(content.read(Descriptor("", digest, UNKNOWN_SIZE)), subject=base.reference)
            chosen = index.choose(base.platform) if isinstance(index, Index) else None
            manifest = stored_manifest(chosen.digest, read=content.read) if chosen is not None else None
        except NotFoundError:
            return None
        if manifest is None or not all(content.has(part) for part in manifest.moved_blobs()):
            return None
        return BaseImage(digest, manifest, parse_config(content.read(manifest.config)), content)

    def remote(self, base: Base, digest: Digest, *, is_strict: bool) -> tuple[Resolved, ImageConfig]:
        """Return what the registry has for the base under ``digest``: its manifest is known, and its config.

        ``is_strict`` as for ``image``.

        Raises:
            ImagesError: it cannot be read, or does not exist for the base's platform.
        """
        resolved = self._resolved(base, digest, is_strict=is_strict)
        if resolved.manifest is None:
            raise TypeError("a question that knows no digest is answered with a manifest")
        return resolved, parse_config(self._session.registry(resolved.reference).read(resolved.manifest.config))

    def held(self, base: Base, digest: Digest) -> LocalImage | None:
        """Return the base of exactly ``digest``, if the host holds it under its name or by its digest."""
        image = self._local(base)
        if image is None or digest not in image.identity.digests:
            image = self._usable(self._observed.pinned(self._pinned(base, digest)), base)
        return image

    def is_pinned(self, base: Base, digest: Digest) -> bool:
        """Tell whether the host knows the base, which it holds, by the name ``repository@digest``."""
        return self._observed.pinned(self._pinned(base, digest)) is not None

    def has_triggers(self, image: LocalImage) -> bool:
        """Tell whether an image of the host has ONBUILD triggers, as far as its engine tells.

        Raises:
            ImagesError: the engine cannot be asked.
        """
        return bool(self._session.engine.describe(image).config.get("OnBuild"))

    def _resolved(self, base: Base, digest: Digest, *, is_strict: bool) -> Resolved:
        question = Question((self._pinned(base, digest),), base.platform, is_strict=is_strict, known=frozenset())
        return resolve_image(question, registry=self._session.registry, mirrors=self._session.mirrors)

    def _check(self, base: Base, digest: Digest) -> None:
        """Do nothing if a base that a registry will be asked for may be used, by the rules of the task.

        Raises:
            ImagesError: it may not.
        """
        checks = self._session.checks
        if checks is None or self.held(base, digest) is not None or self._is_locked(base):
            return
        of_index = self._of_index(base)
        if of_index is not None and of_index.digest == digest:
            return
        resolved = self._resolved(base, digest, is_strict=False)
        checks.check_image(resolved._replace(reference=self._reference(base)), session=self._session)

    def _is_locked(self, base: Base) -> bool:
        """Tell whether a lock names the base: it was checked when the lock was written."""
        named = self._pins and self._pins.base(self._reference(base), platform=base.platform, is_given=True)
        return named is not None

    def _pinned(self, base: Base, digest: Digest) -> Reference:
        return self._reference(base).with_digest(digest)

    def _reference(self, base: Base) -> Reference:
        return base_reference(base, self._session.defaults)

    def _local(self, base: Base) -> LocalImage | None:
        return self._usable(self._observed.find(self._reference(base)), base)

    def _usable(self, image: LocalImage | None, base: Base) -> LocalImage | None:
        is_other = image is not None and image.platform is not None and not image.platform.satisfies(base.platform)
        return image if image is not None and image.is_complete and not is_other else None


def base_reference(base: Base, defaults: Defaults) -> Reference:
    """Return what ``base`` names: without a tag it is latest, as Dockerfiles mean it, whatever the task's default."""
    return parse_reference(base.reference, defaults._replace(tag="latest"))
