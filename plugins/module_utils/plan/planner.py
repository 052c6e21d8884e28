# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner: (desired, observed, answers) -> plan. Pure: the same inputs give the same plan, byte for byte."""

from __future__ import annotations

import contextlib
import typing as t

from ..model.errors import ImagesError, raise_problems
from ..model.host import Identity
from ..model.reference import ImageId, Reference
from .claims import claims_of, shown_name
from .draft import Draft, Told, digest_of
from .questions import (
    build_cause,
    can_be_tagged,
    damage_of,
    held_elsewhere,
    local_image,
    name_provided,
    names_made_by,
    need_of,
    question_for,
)
from .world import Pending, held

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.digest import Digest
    from ..model.host import LocalImage, Observed
    from ..model.resolved import Resolved
    from .desired import Desired, DesiredImage
    from .plan import Plan, Row
    from .questions import Answers, Need
    from .world import Held


def plan_images(desired: Desired, observed: Observed, *, answers: Answers) -> Plan:
    """Return what must be done so that the host holds what is ``desired``; nothing to do gives an empty plan.

    ``answers`` hold the answer to every question that ``questions.ask`` gives for the same inputs.

    Raises:
        ImagesError: an image cannot be had as wanted. With several such images an ApplyError that tells all of them.
    """
    draft = Draft(observed, prunes=desired.prunes)
    rows: dict[int, Row] = {}
    # What is wanted goes first: its bytes may be named anew before their old names go.
    for at, item in enumerate(desired.images):
        if item.is_present:
            with _problem_of(item, draft):
                rows[at] = _plan_present(draft, item, answers=answers)
            draft.made |= names_made_by(item)
    _keep_pins(draft, desired, rows=rows)
    if desired.removes_any:
        _plan_absent(draft, desired, rows=rows)
    raise_problems(draft.problems)
    draft.rows += (rows[at] for at in sorted(rows))
    if desired.removes_unlisted:
        from .removal import plan_unlisted  # compiled where something may go

        plan_unlisted(draft, desired)
    return draft.finished()


def _plan_absent(draft: Draft, desired: Desired, *, rows: dict[int, Row]) -> None:
    from .removal import plan_absent

    for at, item in enumerate(desired.images):
        if not item.is_present:
            with _problem_of(item, draft):
                rows[at] = plan_absent(draft, item, in_use=desired.in_use)


@contextlib.contextmanager
def _problem_of(item: DesiredImage, draft: Draft) -> Iterator[None]:
    """Keep why ``item`` cannot be planned: all such items are told together."""
    try:
        yield
    except ImagesError as error:
        draft.problems[item.path] = error


def _plan_present(draft: Draft, item: DesiredImage, *, answers: Answers) -> Row:
    first = len(draft.actions)
    name, target, previous, cause = _plan_content(draft, item, answers=answers)
    for tag in item.tags:
        _plan_tag(draft, tag, source=target, keeps_existing=item.keeps_existing_tags)
    for reference in item.push:
        _plan_push(draft, reference, source=target, remote=answers.remotes[reference])
    if item.outputs:
        from .outputs import plan_writes

        named = _reference(item).without_digest()
        plan_writes(draft, named, outputs=item.outputs, source=target, written=answers.written)
    draft.claims.update(dict.fromkeys(sorted(claims_of(draft, item), key=str), item.path))
    return draft.row(name, target=target, first=first, cause=cause, previous=previous)


class _Content(t.NamedTuple):
    """What a present item comes to: its name, what that holds afterwards and held before, and why so."""

    name: str
    target: Held
    previous: Digest | None
    cause: str


def _plan_content(draft: Draft, item: DesiredImage, *, answers: Answers) -> _Content:
    """Plan that the item's own name holds the wanted image: as it is, by another name's bytes, by build or by pull."""
    if item.build is not None:
        return _plan_build(draft, item)
    made = name_provided(item, draft.observed, made=draft.made)
    if made is not None and made in draft.world.names:
        return _provided(draft, made, item=item)
    image = local_image(item, draft.observed)
    if made is not None:
        _refuse_absent(item, image)
    need = need_of(item, draft.observed, made=set())
    if not need and image is not None and image.is_complete:
        return _as_it_is(shown_name(item, image), image, item=item)
    if item.pull == "never" or (not need and isinstance(item.wanted, ImageId)):
        _refuse_absent(item, image)
    elsewhere = held_elsewhere(item, draft.observed) if not need else None
    if elsewhere is not None:
        return _plan_name(draft, _reference(item).without_digest(), image=_led(elsewhere, item))
    return _plan_pull(draft, item, resolved=answers.images[question_for(item, draft.observed)], need=need)


def _provided(draft: Draft, name: Reference, *, item: DesiredImage) -> _Content:
    """Return what an earlier item lets ``name`` hold.

    Raises:
        InputError: lock-conflict: the lock says that it holds another image.
    """
    if item.locked is not None and not draft.world.names[name].is_same_image(item.locked):
        from .locked import lock_conflict

        raise lock_conflict(item, item.locked, name=name)
    before = draft.observed.by_name.get(name)
    previous = before.identity.digest if before is not None else None
    return _Content(str(name), draft.world.names[name], previous, "an earlier item of this task provides it")


def _plan_pull(draft: Draft, item: DesiredImage, *, resolved: Resolved, need: Need) -> _Content:
    name = _named_like(resolved.reference, item).without_digest()
    planned = draft.world.names.get(name)
    if planned is not None and planned.made_by and planned.is_same_image(resolved.identity):
        return _provided(draft, name, item=item)
    image = draft.observed.by_name.get(name) or draft.observed.pinned(name)
    is_locked = item.locked is not None
    if image is not None and _is_wanted(resolved, image, need=need, is_locked=is_locked, observed=draft.observed):
        return _as_it_is(str(name), image, item=item, digest=resolved.descriptor.digest)
    if resolved.manifest is None:  # its digest is enough: the host has it by another meaning of the short name
        same = local_image(item, draft.observed)
    else:
        alike = draft.observed.with_digest(resolved.descriptor.digest) if can_be_tagged(name, draft.observed) else ()
        same = next((other for other in alike if _is_complete_match(resolved, other, observed=draft.observed)), None)
    if same is not None:
        is_vague = resolved.manifest is not None and same.identity.is_known_by_index_alone
        image = same._replace(identity=resolved.identity) if is_vague else same
        return _plan_name(draft, name, image=_led(image, item, digest=resolved.descriptor.digest))
    _refuse_other_platform(item, draft.observed)
    cause = _pull_cause(item, image, draft=draft, need=need)
    previous = image.identity.digest if image is not None else None
    told = Told()
    if image is not None and not image.is_complete:
        told = Told(before=" (damaged)")
    elif image is not None and need == "platform":
        told = Told(f" ({image.platform or 'another platform'})", f" ({item.platform or draft.observed.platform})")
    return _Content(str(name), draft.pull(name, resolved=resolved, cause=cause, told=told), previous, cause)


def _as_it_is(name: str, image: LocalImage, *, item: DesiredImage, digest: Digest | None = None) -> _Content:
    """Leave what is there; of several digests that registries know it by, ``digest`` is shown, or what is pinned."""
    there = _led(image, item, digest=digest)
    return _Content(name, held(there), there.identity.digest, "present")


def _led(image: LocalImage, item: DesiredImage, *, digest: Digest | None = None) -> LocalImage:
    """Return ``image`` with ``digest``, or the pinned one, as the digest to show, if it is known by it.

    A locked image has the lock's digest, also where its engine does not know it, as from a mirror.
    """
    digest, identity = digest or _pin_of(item), image.identity
    if item.locked is not None and digest is not None and digest not in identity.digests:
        identity = identity._replace(known_as=(digest, *identity.known_as))
    return image._replace(identity=identity.led_by(digest))


def _pin_of(item: DesiredImage) -> Digest | None:
    pins = (name.digest for name in item.candidates if isinstance(name, Reference))
    return next((digest for digest in pins if digest is not None), None)


def _refuse_other_platform(item: DesiredImage, observed: Observed) -> None:
    wanted, own = item.platform, observed.platform
    if observed.abilities.chooses_platform or wanted is None:
        return
    if (wanted.os, wanted.architecture) == (own.os, own.architecture):  # what such an engine takes anyway
        return
    from .refusals import other_platform

    raise other_platform(item, observed)


def _is_wanted(
    resolved: Resolved, image: LocalImage, *, need: Need, is_locked: bool, observed: Observed
) -> bool:
    """Tell whether the image that is there under the name is what the registry has for it.

    An index decides what is for a platform: its image stays, whatever platform the image says of itself.
    """
    if need == "platform" or is_locked:
        return _is_complete_match(resolved, image, observed=observed)
    return need in ("absent", "newer") and image.is_complete and resolved.is_on(image)


def _is_complete_match(resolved: Resolved, image: LocalImage, *, observed: Observed) -> bool:
    """The same bytes from the same index: then a further name is all that lacks, and the next run finds it so.

    Where the host tells the index alone, the parts that are there tell whether this image of it is.
    """
    if not image.is_complete or resolved.descriptor.digest not in image.identity.digests:
        return False
    if resolved.manifest is None or not image.identity.is_known_by_index_alone:
        return resolved.identity.is_same_image(image.identity)
    parts = (resolved.manifest.descriptor, *resolved.manifest.moved_blobs())
    return all(part.digest in observed.blobs for part in parts)


def _pull_cause(item: DesiredImage, image: LocalImage | None, *, draft: Draft, need: Need) -> str:
    if image is None:
        return "not on the host"
    if not image.is_complete:
        return damage_of(image)
    if need == "platform":
        there = f"its platform is {image.platform}" if image.platform is not None else "it is for another platform"
        return f"{there}, {item.platform or draft.observed.platform} is wanted"
    if item.locked is not None:
        return "another digest is locked"
    return "the tag moved" if need == "newer" else "another digest is pinned"


def _plan_name(draft: Draft, name: Reference, *, image: LocalImage) -> _Content:
    """Plan a further name instead of a download."""
    previous, source = digest_of(draft.world.names.get(name)), held(image)
    draft.tag(name, source=source, cause="the host holds these bytes under another name")
    return _Content(str(name), source, previous, "")


def _plan_build(draft: Draft, item: DesiredImage) -> _Content:
    build, name = item.build, _reference(item)
    if build is None:
        raise TypeError("only an item with a build is planned here")
    image = draft.observed.by_name.get(name)
    previous = image.identity.digest if image is not None else None
    cause = build_cause(build, image, observed=draft.observed)
    if image is not None and not cause:
        reason = "rebuild: never" if build.rebuild == "never" else "its inputs did not change"
        return _Content(str(name), held(image), previous, reason)
    bases = [base for base in build.bases if base in draft.world.names]
    waited_for = next((base for base in bases if isinstance(draft.world.names[base].identity, Pending)), None)
    if waited_for is not None and image is not None and build.rebuild == "changed" and image.is_complete:
        cause = f"its base {waited_for.familiar} is built in this run"
    share = build.share
    if share is not None and share.found is not None:
        cause = f"built before in the fleet ({cause})"
        return _Content(str(name), draft.pull(name, resolved=share.found, cause=cause), previous, cause)
    target = draft.build(name, build=build, cause=cause)
    if share is not None and share.reference.tag is not None:  # without one its key is not known yet
        draft.push(share.reference, source=target, remote=share.former, cause="shared with the fleet")
    return _Content(str(name), target, previous, cause)


def _plan_tag(draft: Draft, tag: Reference, *, source: Held, keeps_existing: bool) -> None:
    current = draft.world.names.get(tag)
    if current is not None and current.is_same_image(source.identity):
        return
    if current is not None and keeps_existing:
        draft.warnings.append(f"{tag.familiar} points at another image and is kept (existing_images: keep)")
        return
    draft.tag(tag, source=source, cause="wanted as a further name" if current is None else "it named another image")


def _plan_push(draft: Draft, reference: Reference, *, source: Held, remote: Identity | None) -> None:
    identity = source.identity
    if not isinstance(identity, Identity):
        draft.push(reference, source=source, remote=remote, cause="built in this run")
    elif remote is None:
        draft.push(reference, source=source, remote=None, cause="not at the registry")
    elif not _is_at_registry(identity, remote, observed=draft.observed):
        draft.push(reference, source=source, remote=remote, cause="the registry has another image under this tag")


def _is_at_registry(identity: Identity, remote: Identity, *, observed: Observed) -> bool:
    """Tell whether a push would leave ``remote`` as it is.

    An engine that makes manifests anew keeps the config only: any digest that the host knows this config by tells it.
    """
    index = observed.whole_index(identity)
    if index is not None:
        return remote.digest == index
    if remote.digest in identity.digests:
        return True
    if observed.abilities.sends_exact or remote.digest is None:
        return False
    if remote.config_digest is not None and remote.config_digest == identity.config_digest:
        return True
    return any(image.identity.is_same_image(identity) for image in observed.with_digest(remote.digest))


def _keep_pins(draft: Draft, desired: Desired, *, rows: dict[int, Row]) -> None:
    """Give a digest that is wanted without a tag a name of its own where all its other names move to other images."""
    for at, item in enumerate(desired.images):
        if at not in rows or not item.is_present:
            continue
        pins = [name for name in item.candidates if isinstance(name, Reference) and name.tag is None]
        draft.claims.update((name, item.path) for name in pins if name in draft.world.names)
        for name in pins:
            image = None if name in draft.world.names else draft.observed.pinned(name)
            if image is None:
                continue
            same = (other for other, there in draft.world.names.items() if draft.world.is_same(there, held(image)))
            if all(other.repository != name.repository for other in same):
                draft.tag(name, source=held(image), cause="its other names move to other images")
                draft.claims[name] = item.path
                rows[at] = draft.row_with(rows[at], draft.actions[-1])
            break


def _reference(item: DesiredImage) -> Reference:
    wanted = item.wanted
    if isinstance(wanted, ImageId):
        from .refusals import id_not_a_name

        raise id_not_a_name(item)
    return wanted


def _named_like(resolved: Reference, item: DesiredImage) -> Reference:
    """Return the candidate that was resolved, with its tag: a registry is asked by digest where there is one."""
    for name in item.candidates:
        if isinstance(name, Reference) and name.repository == resolved.repository:
            return name
    return resolved


def _refuse_absent(item: DesiredImage, image: LocalImage | None) -> t.NoReturn:
    from .refusals import not_on_host

    raise not_on_host(item, image)
