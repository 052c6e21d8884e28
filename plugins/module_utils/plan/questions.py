# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be asked of registries before a plan can be made, and nothing more."""

from __future__ import annotations

import typing as t

from ..model.host import Look, Observed
from ..model.reference import ImageId, Reference

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.digest import Digest
    from ..model.host import Identity, LocalImage
    from ..model.output import Output, Written
    from ..model.platform import Platform
    from ..model.resolved import Resolved
    from .desired import Desired, DesiredBuild, DesiredImage


#: Why a registry must be asked: no image of that name, one that lost parts, one of the wrong platform, or the user
#: wants to know whether the tag moved. Empty: the host alone decides.
Need = t.Literal["", "absent", "damaged", "platform", "newer"]


class Question(t.NamedTuple):
    """Which image do the first of ``references`` that exists mean for ``platform``?

    If its digest is one of ``known``, the digest is answer enough. ``is_strict``: the user named the platform, so an
    image of another one is no answer; otherwise an image that exists for one platform only is taken as it is. Where the
    image is ``locked``, no other one is an answer.
    """

    references: tuple[Reference, ...]
    platform: Platform
    is_strict: bool
    known: frozenset[Digest]
    locked: Identity | None = None


class RemoteQuestion(t.NamedTuple):
    """Which image does ``reference`` name at its registry, if any?

    Its digest is answer enough, or, unless ``known`` is None, only one of ``known``: else its manifest and config are
    asked for too, because the host has an image of which it does not know the manifest.
    """

    reference: Reference
    known: frozenset[Digest] | None = None


class Questions(t.NamedTuple):
    """All that a plan must know: images to resolve, and references whose image at the registry matters for a push."""

    images: tuple[Question, ...]
    remotes: tuple[RemoteQuestion, ...]


class Answers(t.NamedTuple):
    """The answers; a remote's, by its reference, is None where the registry has no such tag.

    ``written`` is what the host's files and folders hold that items are written to, None for no image.
    """

    images: Mapping[Question, Resolved] = {}
    remotes: Mapping[Reference, Identity | None] = {}
    written: Mapping[Output, Written | None] = {}


def look_for(desired: Desired) -> Look:
    """Return what must be known of the host beside names and digests so that ``desired`` can be planned.

    Parents matter whenever something may go: an image that others were built on stays, pruned or not. Details matter
    for platforms, for the inputs of builds, and for a push, which needs the manifest; of a pinned image by any name.
    """
    detailed = (item for item in desired.images if item.is_present and (item.platform or item.build or item.push))
    names = (name for item in detailed for name in item.candidates)
    details = {form for name in names for form in _forms(name)}
    return Look(containers=desired.removes_any, parents=desired.removes_any, details_of=frozenset(details))


def _forms(name: Reference | ImageId) -> tuple[Reference | ImageId, ...]:
    """Return what finds the images that ``name`` may turn out to be: by name, pinned or not, and by its digest."""
    if isinstance(name, ImageId):
        return (name,)
    return (name, name.without_digest(), *((ImageId(name.digest.encoded),) if name.digest is not None else ()))


def ask(desired: Desired, observed: Observed) -> Questions:
    """Return what ``plan_images`` will look up for the same inputs; each question once, in the order of the items."""
    images: dict[Question, None] = {}
    remotes: dict[Reference, RemoteQuestion] = {}
    made: set[Reference] = set()
    for item in desired.images:
        if need_of(item, observed, made=made) and item.pull != "never":
            images[question_for(item, observed)] = None
        if item.is_present:
            known = _known_for_push(item, observed)
            remotes.update((reference, RemoteQuestion(reference, known)) for reference in item.push)
            made |= names_made_by(item)
    return Questions(tuple(images), tuple(remotes.values()))


def _known_for_push(item: DesiredImage, observed: Observed) -> frozenset[Digest] | None:
    """Return what tells that a registry has ``item`` already; None where any digest tells, because manifests stay."""
    if observed.abilities.sends_exact:
        return None
    image = local_image(item, observed)
    return image.identity.digests if image is not None else frozenset()


def names_of(item: DesiredImage) -> set[Reference]:
    """Return the names that ``item`` puts on a host, whichever meaning of a short name it takes."""
    return {name.without_digest() for name in item.candidates if isinstance(name, Reference)} | set(item.tags)


def names_made_by(item: DesiredImage) -> set[Reference]:
    """Return the names that are surely on the host once ``item`` is: not those of which it takes one."""
    return names_of(item) if len(item.candidates) == 1 else set(item.tags)


def name_provided(item: DesiredImage, observed: Observed, *, made: set[Reference]) -> Reference | None:
    """Return the name by which earlier items, which put ``made`` on the host, provide the image that ``item`` wants.

    None when they do not, or when the host has an image for a better meaning of the name.
    """
    for name in item.candidates if item.build is None else ():
        if not isinstance(name, Reference):
            return None
        if name.without_digest() in made:
            return name.without_digest()
        if observed.find(name) is not None:
            return None
    return None


def need_of(item: DesiredImage, observed: Observed, *, made: set[Reference]) -> Need:
    """Return why a registry must be asked for ``item``; ``made`` are names that earlier items put on the host."""
    if not item.is_present or item.build is not None or name_provided(item, observed, made=made) is not None:
        return ""
    references = [name for name in item.candidates if isinstance(name, Reference)]
    if not references:
        return ""
    image = local_image(item, observed)
    if image is None:
        if held_elsewhere(item, observed) is not None:
            return ""
        return "platform" if _is_sibling_there(item, observed) else "absent"
    if not image.is_complete:
        return "damaged"
    if item.locked is None and is_wrong_platform(item, image, observed=observed):
        return "platform"
    return "newer" if item.pull in ("newer", "always") and not references[0].is_pinned else ""


def local_image(item: DesiredImage, observed: Observed) -> LocalImage | None:
    """Return the image that the host has for the first meaning of ``item``'s name that it has one for.

    Under the name of a locked image only that very image counts.
    """
    if item.locked is not None:
        from .locked import under_its_name

        return under_its_name(item, item.locked, observed=observed)
    found = (observed.find(name) for name in item.candidates)
    return next((image for image in found if image is not None), None)


def held_elsewhere(item: DesiredImage, observed: Observed) -> LocalImage | None:
    """Return the image with ``item``'s pinned digest that the host holds under other names only.

    One of which only the index is known may be for another platform: its registry must be asked.
    """
    for name in item.candidates:
        if not isinstance(name, Reference) or name.digest is None or not can_be_tagged(name, observed):
            continue
        if item.locked is not None:
            from .locked import under_other_names

            return under_other_names(item.locked, observed=observed)
        for image in observed.with_digest(name.digest):
            is_sure = image.is_complete and not image.identity.is_known_by_index_alone
            if is_sure and not is_wrong_platform(item, image, observed=observed):
                return image
    return None


def _is_sibling_there(item: DesiredImage, observed: Observed) -> bool:
    if item.locked is None:
        return False
    from .locked import is_sibling_there

    return is_sibling_there(item, item.locked, observed=observed)


def can_be_tagged(name: Reference, observed: Observed) -> bool:
    """Tell whether an image that is there can get this name without its registry."""
    return name.tag is not None or not observed.abilities.pins_by_pull


def is_wrong_platform(item: DesiredImage, image: LocalImage, *, observed: Observed) -> bool:
    """Tell whether ``image`` is for another platform although the wanted one can be had.

    Unless the user named a platform, an image that did not come from an index, is pinned by a digest of its own and not
    by its index's, or may not be pulled, is taken as it is.
    """
    index = image.identity.index_digest
    pins = {name.digest for name in item.candidates if isinstance(name, Reference) and name.is_pinned}
    is_other_to_be_had = item.pull != "never" and index is not None and (not pins or index in pins)
    if image.platform is None or (item.platform is None and not is_other_to_be_had):
        return False
    return not image.platform.satisfies(item.platform or observed.platform)


def build_cause(build: DesiredBuild, image: LocalImage | None, *, observed: Observed) -> str:
    """Return why ``build`` must be carried out where the host has ``image`` under its name, or "" when it need not."""
    if image is None:
        return "not on the host"
    if not image.is_complete:
        return damage_of(image)
    if build.rebuild == "always":
        return "rebuild: always"
    if image.labels.get(build.key_label) == build.key:
        is_whole = not build.platforms or observed.whole_index(image.identity) is not None
        return "" if is_whole else "images of its other platforms are missing or damaged"
    if build.rebuild == "never":
        return ""
    return f"its inputs changed: {build.change}" if build.change else "its inputs changed"


def damage_of(image: LocalImage) -> str:
    """Return what is wrong with an image that is not complete."""
    count = len(image.missing)
    return f"{count} of its parts {'is' if count == 1 else 'are'} missing or damaged"


def question_for(item: DesiredImage, observed: Observed) -> Question:
    """Return the question that decides ``item``."""
    image = local_image(item, observed)
    fits = image is not None and image.is_complete and not is_wrong_platform(item, image, observed=observed)
    return Question(
        references=tuple(name for name in item.candidates if isinstance(name, Reference)),
        platform=item.platform or observed.platform,
        is_strict=item.platform is not None,
        known=image.identity.digests if image is not None and fits and item.locked is None else frozenset(),
        locked=item.locked,
    )
