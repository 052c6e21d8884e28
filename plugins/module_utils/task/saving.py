# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of the host into one archive."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..apply.outcome import Outcome
from ..build.archive_writing import Packed, archive_pieces
from ..build.base import BaseImage
from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.errors import ImagesError, InputError, NotFoundError, raise_problems
from ..model.host import Identity, Look
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_manifest, stored_manifest
from ..model.reference import ImageId, Reference
from ..plan.archives import Contained, Wanted, plan_save
from ..plan.questions import damage_of
from .archive_files import check_folder, check_path, check_right, not_an_archive, reading, replace
from .reader import Reader, entries
from .report import report
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..model.digest import Digest
    from ..model.host import LocalImage, Observed
    from ..model.platform import Platform
    from ..stores.base import ContentStore

    Params = Mapping[str, t.Any]
    ReadDocument = Callable[[Descriptor], bytes]
    Asked = tuple[str, str, tuple[Reference | ImageId, ...]]


def save_images(params: Params, *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Let the archive hold what the options of ``image_save`` name. See Work."""
    asked, platform = _read(params)
    session = Session(params)
    try:
        return _save(asked, platform, params=params, session=session, is_dry=is_dry)
    finally:
        session.close()


def _read(params: Params) -> tuple[list[Asked], Platform | None]:
    """Return what the options ask for: path of the option, its text and what it may mean; and for which platform.

    Raises:
        InputError: they are wrong.
    """
    reader = Reader(params)
    check_path(reader, params["path"], option="path")
    asked = [(path, text, reader.image(text, path)) for path, text in entries(params["name"], "name")]
    if not asked:
        reader.problem("name", "it lists no image, and an archive holds some", fix="name at least one")
    platform = reader.platform(params["platform"], "platform")
    reader.finish()
    return asked, platform


def _save(
    asked: list[Asked], platform: Platform | None, *, params: Params, session: Session, is_dry: bool
) -> tuple[dict[str, t.Any], list[str]]:
    path = params["path"]
    check_folder(path)
    candidates = frozenset(name for _path, _text, names in asked for name in names)
    observed = session.engine.observe(Look(details_of=candidates))
    documents = _documents(params, session=session) if platform is not None else None
    wanted = _wanted(asked, observed, platform=platform, documents=documents)
    plan = plan_save(wanted, observed, dest=path, there=_there(path, params["force"]), is_forced=params["force"])
    if not plan.is_empty:
        check_right(path)
    if not is_dry and not plan.is_empty:
        replace(path, archive_pieces(_packed(wanted, session=session, folder=os.path.dirname(os.path.realpath(path)))))
    return report(plan, outcome=Outcome(), engine=session.engine), [*plan.warnings, *session.warnings()]


def _documents(params: Params, *, session: Session) -> ReadDocument | None:
    """Return what reads documents of the engine's content, and makes nothing for it; None where it keeps them."""
    if session.archiver is not None:
        return None
    if session.engine.name == "containerd":
        from .engine_options import containerd_client

        ctr = containerd_client(params)
        return lambda descriptor: ctr.document(descriptor.digest)
    from pathlib import Path

    from ..stores.layout import LayoutStore

    return lambda descriptor: LayoutStore(Path(session.engine.place)).read(descriptor)


def _wanted(
    asked: list[Asked], observed: Observed, *, platform: Platform | None, documents: ReadDocument | None
) -> list[Wanted]:
    """Return the images asked for, each once, with all names that it goes by.

    Raises:
        NotFoundError: not-on-host.
        InputError: image-without-name. With several such images all are told.
    """
    found: dict[tuple[str, Identity], Wanted] = {}
    problems: dict[str, ImagesError] = {}
    for path, text, names in asked:
        try:
            wanted = _find(text, names, observed=observed, path=path)
            if platform is not None:
                wanted = _for_platform(wanted, platform, observed=observed, documents=documents, path=path)
        except ImagesError as error:
            problems[path] = error
            continue
        key = (wanted.image.id, wanted.image.identity)
        before = found.get(key, wanted._replace(names=()))
        found[key] = wanted._replace(names=tuple(dict.fromkeys([*before.names, *wanted.names])))
    raise_problems(problems)
    return list(found.values())


def _find(text: str, names: Sequence[Reference | ImageId], *, observed: Observed, path: str) -> Wanted:
    for wanted in names:
        image = observed.find(wanted)
        if image is None:
            continue
        own = _names(wanted, image, observed=observed)
        if not own:
            raise InputError(
                f"The image {text} has no name on the host",
                code="image-without-name",
                why="what it is loaded from again would not say what to call it",
                fix="give it a name first (image_tag), and save it by that",
                subject=path,
            )
        if not image.is_complete:
            raise _not_on_host(text, damage_of(image), path=path)
        return Wanted(own, image, observed.whole_index(image.identity) is not None)
    raise _not_on_host(text, "no image of that name, digest or ID is there", path=path)


def _names(wanted: Reference | ImageId, image: LocalImage, *, observed: Observed) -> tuple[Reference, ...]:
    """Return by which names an image goes: those that were meant, and all it has where an ID was given."""
    if isinstance(wanted, ImageId):
        meant = wanted.name
        return (meant,) if meant is not None and observed.find(meant) is image else image.names
    return (wanted.without_digest() if wanted.tag is not None else wanted,)


def _for_platform(
    wanted: Wanted, platform: Platform, *, observed: Observed, documents: ReadDocument | None, path: str
) -> Wanted:
    """Return what is ``wanted`` for one platform: the image as it is, or another one of its index.

    Raises:
        NotFoundError: not-on-host.
    """
    image, index = wanted.image, wanted.image.identity.index_digest
    same = [other for other in observed.images if wanted.names[0] in (*other.names, *other.digest_names)]
    for other in [image, *same]:
        if other.platform is not None and other.platform.satisfies(platform):
            return Wanted(wanted.names, other)
    if wanted.is_whole and index is not None and documents is not None:
        document = parse_manifest(documents(Descriptor("", index, UNKNOWN_SIZE)), subject=str(index))
        entry = document.choose(platform) if isinstance(document, Index) else None
        if entry is not None:
            manifest = stored_manifest(entry.digest, read=documents)
            config = manifest.config.digest
            identity = Identity(entry.digest, config, index)
            image_id = str(config) if observed.abilities.ids == "config" else image.id
            return Wanted(wanted.names, image._replace(id=image_id, identity=identity, platform=entry.platform))
    raise _not_on_host(str(wanted.names[0]), f"it is not there for {platform}", path=path)


def _there(path: str, is_forced: bool) -> dict[Reference, Contained] | None:
    """Return which images the archive has by their names; None where there is no archive.

    Raises:
        ConflictError: archive-in-the-way: a folder, or a file that is no archive of images, unless ``is_forced``.
        UnavailableError: archive-unreadable.
    """
    contained: dict[Reference, Contained] = {}
    try:
        with reading(path) as reader:
            for image in reader.archived():
                manifest = image.manifest.descriptor.digest if image.manifest is not None else None
                identity = Identity(manifest, image.config.digest, image.index_digest)
                contained.update(dict.fromkeys(image.names, Contained(identity, bool(image.siblings))))
    except NotFoundError:
        return None
    except ImagesError as error:
        if error.code in ("archive-in-the-way", "archive-unreadable"):
            raise
        if is_forced or not os.path.getsize(path):
            return None
        raise not_an_archive(path, error.why or error.what) from error
    return contained


def _packed(images: Sequence[Wanted], *, session: Session, folder: str) -> Iterator[Packed]:
    """Yield each image with its content; where its engine has to pack it, that lies in ``folder`` meanwhile."""
    for wanted in images:
        if session.archiver is None:
            yield _from_content(wanted, content=session.content(), session=session)
            continue
        with _from_engine(wanted.image.identity, session=session, folder=folder) as image:
            yield Packed(wanted.names, image)


def _from_content(wanted: Wanted, *, content: ContentStore, session: Session) -> Packed:
    identity = wanted.image.identity
    index = _index(identity.index_digest, content=content)
    manifest_digest = identity.manifest_digest
    siblings: list[Digest] = []
    if index is not None and wanted.is_whole:
        meant = index.choose(session.engine.observe().platform) or index.manifests[0]
        manifest_digest = meant.digest
        siblings = [entry.digest for entry in index.manifests if entry.digest != meant.digest]
    if manifest_digest is None:
        raise TypeError("an image whose details were asked for is known by its manifest")
    manifest = stored_manifest(manifest_digest, read=content.read)
    config = parse_config(content.read(manifest.config), subject=str(wanted.names[0]))
    others = tuple(stored_manifest(digest, read=content.read) for digest in siblings)
    image = BaseImage(manifest_digest, manifest, config, content)
    return Packed(wanted.names, image, identity.index_digest, index, others)


def _index(digest: Digest | None, *, content: ContentStore) -> Index | None:
    """Return the index if it is here: of an image that was pulled, it may have stayed at the registry."""
    if digest is None:
        return None
    with contextlib.suppress(NotFoundError):
        document = parse_manifest(content.read(Descriptor("", digest, UNKNOWN_SIZE)), subject=str(digest))
        return document if isinstance(document, Index) else None
    return None


@contextlib.contextmanager
def _from_engine(identity: Identity, *, session: Session, folder: str) -> Iterator[BaseImage]:
    from ..build.image_archives import ImageArchive
    from ..build.spools import spooling
    from ..wire.streams import pieces

    if session.archiver is None:
        raise TypeError("the content of this engine can be read")
    with contextlib.closing(session.archiver.archive(identity)) as stream, spooling(folder) as spool:
        for chunk in pieces(stream):
            spool.write(chunk)
    with contextlib.closing(spool.file):
        yield ImageArchive(spool.file).image(identity)[0]


def _not_on_host(text: str, why: str, *, path: str) -> NotFoundError:
    return NotFoundError(
        f"{text} is not on the host",
        code="not-on-host",
        why=why,
        fix="pull or build it first, and name it as the host does",
        subject=path,
    )
