# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of an archive into the host."""

from __future__ import annotations

import typing as t

from ..model.errors import ImagesError, InputError, NotFoundError, UnsupportedError, raise_problems
from ..model.platform import choose
from ..model.reference import ImageId, Reference
from ..plan.archives import Load
from .archive_files import check_path, reading, spool_folder
from .bringing import Brought, bring
from .reader import Reader, entries
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..build.archive_reading import Archived
    from ..model.platform import Platform

    Params = Mapping[str, t.Any]
    _Named = tuple[str, str, tuple[Reference | ImageId, ...]]


class _Asked(t.NamedTuple):
    """What the options ask for: images (path of the option, text, meanings; None for all), new names, a platform."""

    names: list[_Named] | None
    repository: tuple[Reference, ...]
    platform: Platform | None


class _Group(t.NamedTuple):
    """An image of the archive: one for each platform that it is there for, and the names to load it by."""

    names: tuple[Reference, ...]
    images: tuple[Archived, ...]

    @property
    def shown(self) -> str:
        return ", ".join(str(name) for name in self.names) or f"the image {self.images[0].config.digest}"


def load_images(params: Params, *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Let the host hold what the options of ``image_load`` name. See Work."""
    asked = _read(params)
    session = Session(params)
    try:
        with reading(params["path"]) as reader:
            platform = asked.platform or session.engine.observe().platform
            selected = _selected(asked, reader.archived(), path=params["path"])
            found = [
                Brought(group.names, _for_platform(group, platform, is_strict=asked.platform is not None))
                for group in selected
            ]
            return bring(
                [_as_asked(image, asked) for image in found],
                complete=lambda archived: reader.complete(archived, folder=spool_folder()),
                session=session,
                action=Load,
                is_dry=is_dry,
                is_hollow=bool(reader.listed),
            )
    finally:
        session.close()


def _read(params: Params) -> _Asked:
    """Return what the options ask for.

    Raises:
        InputError: they are wrong.
        UnsupportedError: control-node-only.
    """
    if not params["remote_src"]:
        raise UnsupportedError(
            "An archive of the control node did not come to the host",
            code="control-node-only",
            fix="run image_load as a task of its own name, not through another action",
            subject="remote_src",
        )
    reader = Reader(params)
    check_path(reader, params["path"], option="path")
    named = [(path, text, reader.image(text, path)) for path, text in entries(params["name"], "name")]
    asked = _Asked(
        None if params["name"] is None else named,
        reader.new_names(params["repository"], "repository"),
        reader.platform(params["platform"], "platform"),
    )
    if asked.repository and len(named) > 1:
        reader.problem("repository", "it is for one image, and name lists several", fix="use a task for each")
    reader.finish()
    return asked


def _selected(asked: _Asked, archived: Sequence[Archived], *, path: str) -> list[_Group]:
    """Return the images to load, by the names to load them by.

    Raises:
        NotFoundError: archive-lacks-image, of those named or at all.
        InputError: archive-holds-several, archive-without-names. With several such images all are told.
    """
    if not archived:
        raise NotFoundError(
            f"The archive {path} holds no image",
            code="archive-lacks-image",
            fix="save it again, or correct the path",
            subject="path",
        )
    grouped: dict[object, list[Archived]] = {}
    for image in archived:
        grouped.setdefault(image.names or image.index_digest or image.config.digest, []).append(image)
    groups = [_Group(images[0].names, tuple(images)) for images in grouped.values()]
    if asked.names is not None:
        groups = _named(asked.names, groups, path=path)
    if asked.repository:
        if len(groups) > 1:
            raise InputError(
                f"The archive {path} holds several images, and repository is for one",
                code="archive-holds-several",
                why="; ".join(group.shown for group in groups),
                fix="name the one that is meant in name",
                subject="repository",
            )
        return [group._replace(names=asked.repository) for group in groups]
    problems: dict[str, ImagesError] = {group.shown: _without_names(group, path) for group in groups if not group.names}
    raise_problems(problems)
    return groups


def _named(asked: Sequence[_Named], groups: list[_Group], *, path: str) -> list[_Group]:
    found: dict[int, _Group] = {}
    problems: dict[str, ImagesError] = {}
    for option, text, candidates in asked:
        matches = [
            (at, names) for wanted in candidates for at, group in enumerate(groups) if (names := _match(wanted, group))
        ]
        if not matches:
            held = "; ".join(group.shown for group in groups)
            problems[option] = _lacks(text, path, held=held, option=option)
            continue
        at, names = matches[0]
        before = found[at].names if at in found else ()
        found[at] = groups[at]._replace(names=tuple(dict.fromkeys([*before, *(name for name in names if name)])))
    raise_problems(problems)
    return [found[at] for at in sorted(found)]


def _match(wanted: Reference | ImageId, group: _Group) -> tuple[Reference | None, ...]:
    """Return the names that ``wanted`` means of the image, (None,) for an image without names; () if it is another."""
    digests = {digest for image in group.images for digest in _digests(image)}
    if isinstance(wanted, ImageId):
        if wanted.name in group.names:
            return (wanted.name,)
        is_meant = any(str(digest).partition(":")[2].startswith(wanted.prefix) for digest in digests)
        return (group.names or (None,)) if is_meant else ()
    if wanted.digest is not None and wanted.digest not in digests:
        return ()
    name = wanted.without_digest() if wanted.tag is not None else wanted
    return (name,) if name in group.names else ()


def _digests(image: Archived) -> list[object]:
    own = [image.config.digest, image.index_digest, image.manifest.descriptor.digest if image.manifest else None]
    return [digest for digest in own if digest is not None]


def _for_platform(group: _Group, wanted: Platform, *, is_strict: bool) -> Archived:
    """Return the image for a platform; the only one there is, unless the user named the platform.

    Raises:
        NotFoundError: platform-missing.
    """
    at = choose([image.config.platform for image in group.images], wanted)
    if at is None and (is_strict or len(group.images) > 1):
        raise NotFoundError(
            f"The archive does not hold {group.shown} for {wanted}",
            code="platform-missing",
            why="it is there for " + ", ".join(str(image.config.platform) for image in group.images),
            fix="set platform to one of these, or save it on a host that has it for this platform",
            subject="platform",
        )
    return group.images[at or 0]


def _as_asked(image: Brought, asked: _Asked) -> Brought:
    """Leave the other images of an index out where one platform was asked for."""
    if asked.platform is None:
        return image
    return image._replace(archived=image.archived._replace(document=None, siblings=()))


def _lacks(text: str, path: str, *, held: str, option: str) -> NotFoundError:
    return NotFoundError(
        f"The archive {path} does not hold {text}",
        code="archive-lacks-image",
        why=f"it holds {held}" if held else "it holds no image",
        fix="correct the name, or save that image too",
        subject=option,
    )


def _without_names(group: _Group, path: str) -> InputError:
    return InputError(
        f"{group.shown} has no name in the archive {path}",
        code="archive-without-names",
        fix="say in repository what to call it, and in name which it is, if there are several",
        subject="repository",
    )
