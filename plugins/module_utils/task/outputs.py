# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs as tasks see them: what they hold, and how an image gets there from the engine's content, or through it."""

from __future__ import annotations

import contextlib
import os
import typing as t

from ..build.base import BaseImage
from ..build.outputs import write_output, written
from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.errors import ConflictError, ImagesError, NotFoundError, raise_problems
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_manifest, stored_manifest
from .build_options import cache_folder

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.digest import Digest
    from ..model.host import Identity
    from ..model.output import Output, Written
    from ..model.reference import Reference
    from ..plan.desired import Desired
    from .session import Session


def written_now(desired: Desired) -> dict[Output, Written | None]:
    """Return which image each output of ``desired`` holds, None for none.

    Raises:
        ConflictError: output-in-the-way: it cannot be where it is wanted, as another one is to be there by a link.
        ImagesError: it cannot be read. With several such outputs all are told.
    """
    found: dict[Output, Written | None] = {}
    problems: dict[str, ImagesError] = {}
    places: dict[str, str] = {}
    for output in (output for item in desired.images for output in item.outputs):
        try:
            other = places.setdefault(os.path.realpath(output.dest), output.dest)
            if other != output.dest:  # each run would write both
                raise ConflictError(
                    f"Something else is to be at {output.dest}",
                    code="output-in-the-way",
                    why=f"it is the same place as {other}, by a symbolic link",
                    fix="name another dest",
                    subject=output.dest,
                )
            found[output] = written(output, records=cache_folder())
        except ImagesError as error:
            problems[output.dest] = error
    raise_problems(problems)
    return found


def write(output: Output, *, name: Reference, identity: Identity, session: Session) -> None:
    """Write the image ``identity``, which the host holds, to ``output``, under its ``name``.

    Raises:
        ImagesError: as ``write_output``, or the engine does not give the image.
    """
    with _image(identity, name=name, session=session, folder=os.path.dirname(output.dest)) as image:
        index = _whole_index(identity.index_digest, session=session) if output.form == "oci" else None
        write_output(output, image, name=str(name), records=cache_folder(), index=index)


@contextlib.contextmanager
def _image(identity: Identity, *, name: Reference, session: Session, folder: str) -> Iterator[BaseImage]:
    """Yield an image of the host; where its engine has to pack it, that lies in ``folder`` meanwhile."""
    if session.archiver is None:
        content = session.content()
        digest = identity.manifest_digest or _chosen(identity.index_digest, name=name, session=session)
        manifest = stored_manifest(digest, read=content.read)
        config = parse_config(content.read(manifest.config), subject=str(name))
        yield BaseImage(digest, manifest, config, content)
        return
    from ..build.image_archives import ImageArchive
    from ..build.spools import spooling
    from ..wire.streams import pieces

    with contextlib.closing(session.archiver.archive(identity)) as stream, spooling(folder) as spool:
        for chunk in pieces(stream):
            spool.write(chunk)
    with contextlib.closing(spool.file):
        yield ImageArchive(spool.file).image(identity)[0]


def _whole_index(digest: Digest | None, *, session: Session) -> Index | None:
    """Return an index if all its images are here, as those of a build for several platforms are."""
    if digest is None or session.archiver is not None:
        return None
    content = session.content()
    try:
        index = parse_manifest(content.read(Descriptor("", digest, UNKNOWN_SIZE)), subject=str(digest))
        if not isinstance(index, Index):
            return None
        manifests = [stored_manifest(entry.digest, read=content.read) for entry in index.manifests]
    except NotFoundError:
        return None
    return index if all(content.has(blob) for manifest in manifests for blob in manifest.blobs()) else None


def _chosen(index: Digest | None, *, name: Reference, session: Session) -> Digest:
    """Return the manifest for this host of an image of which only the index is known."""
    content = session.content()
    document = None
    if index is not None:
        document = parse_manifest(content.read(Descriptor("", index, UNKNOWN_SIZE)), subject=str(index))
    entry = document.choose(session.engine.observe().platform) if isinstance(document, Index) else None
    if entry is None:
        raise NotFoundError(
            f"The host has no image of {name.familiar} to write",
            code="image-not-found",
            why="its index is there, and no image of the index for this host",
            fix="build or pull it again",
            subject=str(name),
        )
    return entry.digest
