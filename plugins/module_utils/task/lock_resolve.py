# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the images of a lock are at their registries: one request by tag for each name, and each child at most once."""

from __future__ import annotations

import typing as t

from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.errors import ImagesError, InputError, NotFoundError, raise_problems
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.lock import ANY_PLATFORM, LockedImage, LockedPlatform
from ..model.manifest import parse_image_manifest, parse_manifest
from ..model.media_types import is_config, is_index, is_manifest
from ..model.platform import Platform
from ..plan.locking import Found, added_bytes, hold_reason, moment_of
from .resolve import in_parallel

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from ..model.digest import Digest
    from ..model.lock import Lock
    from ..model.manifest import Manifest
    from ..model.reference import Reference
    from ..plan.locking import Declared
    from ..signatures.verifier import Verifier
    from ..stores.registry import RegistryStore


class LockRules(t.NamedTuple):
    """What may be locked: for which platforms (none: all there are), how old at least at ``now``, signed by whom."""

    now: datetime
    least_age: timedelta | None = None
    platforms: tuple[Platform, ...] = ()
    verifier: Verifier | None = None


class _Tip(t.NamedTuple):
    """What a reference points at. ``document`` is None where the entry before says all that is to be known of it."""

    reference: Reference
    descriptor: Descriptor
    document: Manifest | Index | None = None
    needed: tuple[Platform, ...] = ()


class _Child(t.NamedTuple):
    """An image of an index, or one without; ``key`` is the platform that it says itself.

    ``layers`` are the compressed bytes of each diff ID, ``rest`` what is fetched beside them; nothing of what the lock
    before has.
    """

    key: str
    locked: LockedPlatform
    created: datetime | None = None
    layers: Mapping[Digest, int] = {}
    rest: int = 0


class LockResolver:
    """Asks registries what images mean now. What the lock before says by digest is not asked again."""

    def __init__(self, old: Lock, *, rules: LockRules, registry: Callable[[Reference], RegistryStore]) -> None:
        """``registry`` opens the repository of a reference, at its origin and never at a mirror."""
        self._old = old
        self._rules = rules
        self._registry = registry
        self._known = {
            row.manifest: _Child(key, row)
            for image in old.images.values()
            for key, row in image.platforms.items()
            if rules.least_age is None  # ages are in no lock
        }

    def find(self, declared: Sequence[Declared], *, parallel: int) -> list[Found]:
        """Return what each image means, each reference once; ``parallel`` questions at a time.

        Raises:
            NotFoundError: image-not-found; platform-missing.
            InputError: image-too-young, and the lock has no entry that could stay.
            ImagesError: a registry cannot be asked, or signatures are not as the rules want. With several images an
                ApplyError that tells all.
        """
        tips = _merged(_all(in_parallel(declared, self._tip, parallel=parallel), of=lambda each: each.candidates[0]))
        wanted: dict[Digest, tuple[Reference, Descriptor]] = {}
        for tip in tips.values():
            wanted.update((child.digest, (tip.reference, child)) for child in self._chosen(tip))
        missing = [digest for digest in wanted if digest not in self._known]
        documents = {tip.descriptor.digest: tip.document for tip in tips.values()}

        def child(digest: Digest) -> _Child:
            reference, descriptor = wanted[digest]
            return self._child(reference, descriptor, document=documents.get(digest))

        self._known.update(_all(in_parallel(missing, child, parallel=parallel), of=lambda each: wanted[each][0]))
        found = in_parallel(list(tips), lambda name: self._found(tips[name]), parallel=parallel)
        return list(_all(found, of=lambda name: name).values())

    def _tip(self, declared: Declared) -> _Tip:
        missing: NotFoundError | None = None
        for reference in declared.candidates:
            try:
                return self._tip_of(reference, declared.platforms)
            except NotFoundError as error:
                if error.code != "image-not-found":
                    raise
                missing = missing or error
        raise missing or TypeError("an image has at least one name")

    def _tip_of(self, reference: Reference, needed: tuple[Platform, ...]) -> _Tip:
        store, at = self._registry(reference), reference
        previous = self._old.images.get(str(reference))
        if previous is not None and _is_whole(previous, self._wanted(needed)):
            digest = reference.digest or store.resolve(reference).digest
            if digest == previous.digest:
                return _Tip(reference, Descriptor(previous.media_type, digest, UNKNOWN_SIZE), needed=needed)
            at = reference.with_digest(digest)
        raw, descriptor = store.fetch_manifest(at)
        document = parse_manifest(raw, media_type=descriptor.media_type, subject=str(reference))
        return _Tip(reference, document.descriptor, document, needed)

    def _wanted(self, needed: tuple[Platform, ...]) -> tuple[Platform, ...]:
        """Return the platforms to lock of an image that must exist for those ``needed``; none means all there are."""
        return tuple(dict.fromkeys((*self._rules.platforms, *needed))) if self._rules.platforms else ()

    def _chosen(self, tip: _Tip) -> list[Descriptor]:
        """Return the images to lock of what ``tip`` points at, in the order of its index.

        Raises:
            NotFoundError: platform-missing.
        """
        if not isinstance(tip.document, Index):
            return [tip.descriptor] if tip.document is not None else []
        for platform in tip.needed:
            if tip.document.choose(platform) is None:
                raise _platform_missing(tip.reference, [platform], there=tip.document)
        wanted = self._wanted(tip.needed)
        best = [tip.document.choose(platform) for platform in wanted]
        chosen = [
            entry
            for entry in tip.document.images()
            if (any(entry is each for each in best) if wanted else is_manifest(entry.media_type))
        ]
        if not chosen:
            raise _platform_missing(tip.reference, wanted, there=tip.document)
        return chosen

    def _child(self, reference: Reference, descriptor: Descriptor, *, document: Manifest | Index | None) -> _Child:
        store, subject = self._registry(reference), str(reference.with_digest(descriptor.digest))
        if document is None or isinstance(document, Index):
            document = parse_image_manifest(store.read(descriptor), media_type=descriptor.media_type, subject=subject)
        size, config = document.size + len(document.raw), document.config
        rest, layers = size, {}
        if not is_config(config.media_type):  # no image at all, or none that says for which platform it is
            return _Child(ANY_PLATFORM, LockedPlatform(descriptor.digest, config.digest, size))
        made = parse_config(store.read(config), subject=subject)
        for diff_id, layer in zip(made.diff_ids, document.layers):
            layers[diff_id] = layer.size
            rest -= layer.size
        locked = LockedPlatform(descriptor.digest, config.digest, size, made.diff_ids)
        return _Child(_key(made.platform), locked, moment_of(made.created), layers, rest)

    def _found(self, tip: _Tip) -> Found:
        reference, previous = tip.reference, self._old.images.get(str(tip.reference))
        if tip.document is None and previous is not None:
            _check_platforms(reference, previous, needed=tip.needed)
            return Found(reference, self._verified(tip, previous))
        chosen = self._chosen(tip)
        children = [self._known[descriptor.digest] for descriptor in chosen]
        held = self._held(tip, previous, children=children)
        if held is not None:
            return held
        platforms: dict[str, LockedPlatform] = {}
        for descriptor, child in zip(chosen, children):
            platforms.setdefault(_key(descriptor.platform) if descriptor.platform else child.key, child.locked)
        image = LockedImage(tip.descriptor.digest, tip.descriptor.media_type, platforms)
        _check_platforms(reference, image, needed=tip.needed)
        added = max(added_bytes(child.layers, rest=child.rest, old=self._old) for child in children)
        return Found(reference, self._verified(tip, image), added)

    def _held(self, tip: _Tip, previous: LockedImage | None, *, children: Sequence[_Child]) -> Found | None:
        if self._rules.least_age is None or (previous is not None and previous.digest == tip.descriptor.digest):
            return None
        moments = [child.created for child in children]
        reason = hold_reason(moments, least=self._rules.least_age, now=self._rules.now)
        if not reason:
            return None
        if previous is None:
            raise InputError(
                f"{tip.reference} is too young to be locked",
                code="image-too-young",
                why=reason,
                fix="wait, name an older tag or digest, or lock this image in a task without min_age",
                subject=str(tip.reference),
            )
        if self._rules.verifier is not None:
            before = Descriptor(previous.media_type, previous.digest, UNKNOWN_SIZE)
            previous = self._verified(tip._replace(descriptor=before), previous)
        return Found(tip.reference, previous, is_held=True, cause=f"the tag moved to {tip.descriptor.digest}: {reason}")

    def _verified(self, tip: _Tip, image: LockedImage) -> LockedImage:
        """Return ``image`` with the keys that signed it; each of its platforms must be."""
        signers: set[str] = set()
        if self._rules.verifier is not None:
            repository = self._registry(tip.reference)
            for row in image.platforms.values():
                signers.update(
                    self._rules.verifier.check(
                        tip.reference,
                        descriptor=tip.descriptor,
                        manifest_digest=row.manifest,
                        repository=repository,
                    )
                )
        return image._replace(verified_by=tuple(sorted(signers)))


_Q = t.TypeVar("_Q")
_A = t.TypeVar("_A")


def _all(answers: Mapping[_Q, _A | ImagesError], *, of: Callable[[_Q], object]) -> dict[_Q, _A]:
    """Return the answers if there is no error among them; ``of`` names what a question was about."""
    raise_problems({str(of(asked)): got for asked, got in answers.items() if isinstance(got, ImagesError)})
    return {asked: got for asked, got in answers.items() if not isinstance(got, ImagesError)}


def _merged(answers: Mapping[Declared, _Tip]) -> dict[Reference, _Tip]:
    """Return each reference once: two names may mean one image, and then all their platforms are needed."""
    tips: dict[Reference, _Tip] = {}
    for tip in answers.values():
        other = tips.get(tip.reference)
        if other is not None:
            whole = tip if other.document is None else other
            tip = whole._replace(needed=tuple(dict.fromkeys((*other.needed, *tip.needed))))
        tips[tip.reference] = tip
    return tips


def _is_whole(previous: LockedImage, wanted: Sequence[Platform]) -> bool:
    """Tell whether an entry has all that is wanted of its digest. Only its index tells what else there would be."""
    if not is_index(previous.media_type):
        return True
    return bool(wanted) and set(previous.platforms) == {str(platform) for platform in wanted}


def _key(platform: Platform | None) -> str:
    text = str(platform or "")
    try:
        return text if str(Platform.parse(text)) == text else ANY_PLATFORM
    except InputError:
        return ANY_PLATFORM


def _check_platforms(reference: Reference, image: LockedImage, *, needed: Sequence[Platform]) -> None:
    for platform in needed:
        if image.identity(platform) is None:
            raise _platform_missing(reference, [platform], there=image)


def _platform_missing(reference: Reference, wanted: Sequence[Platform], *, there: Index | LockedImage) -> NotFoundError:
    if isinstance(there, Index):
        names = [str(entry.platform) for entry in there.images() if entry.platform]
    else:
        names = list(there.platforms)
    return NotFoundError(
        f"{reference} does not exist for {' or '.join(str(platform) for platform in wanted)}",
        code="platform-missing",
        why=f"it exists for: {', '.join(sorted(set(names))) or 'none with a platform'}",
        fix="name one of these, or push the image for this platform",
        subject=str(reference),
    )
