# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to what is desired. Each reader raises one InputError that tells all problems."""

from __future__ import annotations

import typing as t

from ..model.reference import ImageId, Reference
from ..plan.desired import Desired, DesiredBuild, DesiredImage, Share
from .reader import Reader, entries, is_no, pull_policy

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.digest import Digest
    from ..model.output import Output
    from ..model.platform import Platform
    from ..plan.desired import InUse

    Params = Mapping[str, t.Any]

_KEEP_ONE = "keep one of the two"


def read_state(params: Params) -> Desired:
    """Return what ``image_state`` wants."""
    reader = Reader(params)
    rows = params["images"] or ()
    items = [_read_item(reader, row, path=f"images[{at}]", params=params) for at, row in enumerate(rows)]
    images = _without_contradictions(reader, [item for item in items if item is not None])
    _tell_shared_outputs(reader, images)
    reader.finish()
    removes = params["unlisted"] == "remove"
    return Desired(tuple(images), removes, tuple(params["protect"]), params["in_use"], params["prune"])


def read_pull(params: Params) -> Desired:
    """Return what ``image_pull`` wants."""
    reader = Reader(params)
    platform, policy = reader.platform(params["platform"], "platform"), pull_policy(params["pull"])
    items = [
        DesiredImage(path, reader.names(text, path), pull=policy, platform=platform)
        for path, text in entries(params["name"], "name")
    ]
    images = _without_contradictions(reader, items)
    reader.finish()
    return Desired(tuple(images))


def read_tag(params: Params) -> Desired:
    """Return what ``image_tag`` wants."""
    reader = Reader(params)
    source = reader.image(params["name"], "name")
    tags = reader.new_names(params["repository"], "repository")
    reader.finish()
    keeps = params["existing_images"] == "keep"
    return Desired((DesiredImage("name", source, pull="never", tags=tags, keeps_existing_tags=keeps),))


def read_push(params: Params) -> Desired:
    """Return what ``image_push`` wants."""
    reader = Reader(params)
    targets = reader.new_names(params["repository"], "repository")
    if targets and len(params["name"]) > 1:
        reader.problem(
            "repository", "it is for one image, and name lists several", fix="use a task or an images[] entry for each"
        )
    items = []
    for path, text in entries(params["name"], "name"):
        source = reader.image(text, path)
        own = () if targets else reader.own_name(source, path)
        if source and not (targets or own):
            reader.problem(path, f"{text!r} is an image ID, and it is not said where to push it", fix="set repository")
        items.append(DesiredImage(path, source, pull="never", tags=targets, push=targets or own))
    images = items if targets else _without_contradictions(reader, items)
    reader.finish()
    return Desired(tuple(images))


def read_rmi(params: Params) -> Desired:
    """Return what ``image_rmi`` wants."""
    reader = Reader(params)
    named = entries(params["name"], "name")
    items = [DesiredImage(path, reader.image(text, path), is_present=False) for path, text in named]
    in_use: InUse = params["in_use"] or ("untag" if params["force"] else "fail")
    if params["force"] and in_use != "untag":
        reader.problem("force", f"it means in_use: untag, and in_use is {in_use}", fix=_KEEP_ONE)
    reader.finish()
    return Desired(tuple(items), in_use=in_use, prunes=params["prune"])


def read_build(params: Params) -> Desired:
    """Return what ``image_build`` wants."""
    reader = Reader(params)
    names = reader.names(params["name"], "name")[:1]
    _refuse_pin(reader, names, path="name")
    platforms = reader.platforms(params["platform"], "platform")
    item = DesiredImage(
        "name",
        names,
        platform=_one(platforms),
        tags=reader.new_names(params["repository"], "repository"),
        build=_read_build(reader, params, path="", platforms=platforms),
        push=reader.pushes(params["push"], "push", own=names),
        outputs=_read_outputs(reader, params, path="outputs"),
    )
    _tell_shared_outputs(reader, [item])
    reader.finish()
    return Desired((item._replace(push=item.push + (item.tags if params["push"] is True else ())),))


def _read_item(reader: Reader, row: Params, *, path: str, params: Params) -> DesiredImage | None:
    is_present = row["state"] == "present"
    names: tuple[Reference | ImageId, ...]
    names = reader.names(row["image"], f"{path}.image") if is_present else reader.image(row["image"], f"{path}.image")
    given = [key for key in ("pull", "tags", "build", "push") if row[key] and not is_no(row[key])]
    if not is_present and given:
        reader.problem(f"{path}.{given[0]}", "an absent image has none", fix="remove it, or set state: present")
        return None
    platform_text, platform_path = row["platform"], f"{path}.platform"
    if not platform_text:
        platform_text, platform_path = params["platform"], "platform"
    build, platforms = None, t.cast("tuple[Platform, ...]", ())
    if row["build"] is not None:
        names = names[:1]
        _refuse_pin(reader, names, path=f"{path}.image")
        platforms = reader.platforms(platform_text, platform_path)
        build = _read_build(reader, row["build"], path=f"{path}.build.", platforms=platforms)
    item = DesiredImage(
        path,
        names,
        is_present=is_present,
        pull=pull_policy(row["pull"] or params["pull"]),
        platform=_one(platforms) if build is not None else reader.platform(platform_text, platform_path),
        tags=reader.new_names(row["tags"], f"{path}.tags"),
        build=build,
        push=reader.pushes(row["push"], f"{path}.push", own=names),
        outputs=_read_outputs(reader, row["build"] or {}, path=f"{path}.build.outputs"),
    )
    return item if names else None


def _one(platforms: Sequence[Platform]) -> Platform | None:
    """Return the platform that an image is for; None for the host's own, or where there are several."""
    return platforms[0] if len(platforms) == 1 else None


def _read_build(reader: Reader, options: Params, *, path: str, platforms: Sequence[Platform]) -> DesiredBuild:
    """Return the build as it was asked for; its key is known when its bases are."""
    from .build_problems import build_problems

    for problem in build_problems(options, path=path, defaults=reader.defaults):
        reader.problem(*problem[:2], fix=problem.fix)
    share = reader.repository(options["share"], f"{path}share") if options["share"] else None
    several = tuple(platforms) if len(platforms) > 1 else ()
    if several and share is not None:
        reader.problem(f"{path}share", "an image for several platforms cannot be shared", fix="push it, or name one")
    shared = Share(share) if share is not None else None
    return DesiredBuild("", "", dict(options), options["rebuild"], platforms=several, share=shared)


def _read_outputs(reader: Reader, options: Params, *, path: str) -> tuple[Output, ...]:
    if not options.get("outputs"):
        return ()
    from .output_options import read_outputs

    return read_outputs(reader, options["outputs"], path=path)


def _tell_shared_outputs(reader: Reader, items: Sequence[DesiredImage]) -> None:
    if any(item.outputs for item in items):
        from .output_options import tell_shared

        tell_shared(reader, items)


def _refuse_pin(reader: Reader, names: Sequence[Reference | ImageId], *, path: str) -> None:
    for name in names:
        if isinstance(name, Reference) and name.is_pinned:
            reader.problem(path, "a build's digest follows from its inputs", fix="leave out '@' and what follows")


def _without_contradictions(reader: Reader, items: Sequence[DesiredImage]) -> list[DesiredImage]:
    """Return ``items`` less exact repetitions; keep a problem for each name that two of them want otherwise."""
    kept: list[DesiredImage] = []
    owners: dict[object, DesiredImage] = {}
    tagged: dict[Reference, DesiredImage] = {}
    pushed: dict[Reference, DesiredImage] = {}
    for item in items:
        name = _key(item)
        other = owners.get(name)
        if other is not None and other._replace(path=item.path) == item:
            continue
        if other is not None:
            what = f"{_shown(item)} {_conflict(other, item)} at {other.path}"
            reader.problem(item.path, what, fix=_KEEP_ONE)
        maker = tagged.get(name) if isinstance(name, Reference) else None
        is_decided = item.build is not None or not item.is_present or _pin(item) is not None
        if maker is not None and is_decided:
            reader.problem(item.path, f"{_shown(item)} is given by {maker.path}.tags too", fix=_KEEP_ONE)
        for tag in item.tags:
            taker = tagged.setdefault(tag, item)
            if taker is not item or (tag in owners and owners[tag] is not item):
                where = taker.path if taker is not item else owners[tag].path
                reader.problem(f"{item.path}.tags", f"{tag.familiar} is wanted for {where} too", fix=_KEEP_ONE)
        for reference in item.push:
            taker = pushed.setdefault(reference, item)
            if taker is not item:
                reader.problem(f"{item.path}.push", f"{taker.path} goes to {reference.familiar} too", fix=_KEEP_ONE)
        owners[name] = item
        kept.append(item)
    return kept


def _key(item: DesiredImage) -> object:
    wanted = item.candidates[0] if item.candidates else item.path
    return wanted.without_digest() if isinstance(wanted, Reference) else wanted


def _conflict(one: DesiredImage, other: DesiredImage) -> str:
    if one.is_present != other.is_present:
        return "is present here and absent" if other.is_present else "is absent here and present"
    digests = {_pin(one), _pin(other)} - {None}
    return "is pinned to another digest" if len(digests) > 1 else "is listed with other options"


def _pin(item: DesiredImage) -> Digest | None:
    wanted = item.candidates[0] if item.candidates else None
    return wanted.digest if isinstance(wanted, Reference) else None


def _shown(item: DesiredImage) -> str:
    wanted = item.wanted
    return wanted.familiar if isinstance(wanted, Reference) else str(wanted)
