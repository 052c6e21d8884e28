# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what a host stores of its images is still what it was: every byte is read for it, and nothing is changed."""

from __future__ import annotations

import contextlib
import typing as t

from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.errors import NotFoundError, PeerError, UnsupportedError
from ..stores.rehash import Damage, damages, layer_name, parts_of, stored_digest

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..model.digest import Digest
    from ..model.host import LocalImage
    from ..stores.rehash import OpenBlob
    from ..wire.streams import ReadStream
    from .session import Session

    Params = Mapping[str, t.Any]


def damages_on(images: Sequence[LocalImage], *, params: Params, session: Session) -> list[list[dict[str, str]]]:
    """Return what is damaged of each of ``images``, in their order: rows with part, expected, found and why.

    What the engine keeps nowhere but unpacked cannot be checked; of that the session is warned.

    Raises:
        ImagesError: the engine does not answer, or its store cannot be read.
    """
    if session.archiver is not None:
        found = [_given(image, session) for image in images]
    elif images:
        found = _stored(images, open_blob=_opener(params, engine=session.engine.name), session=session)
    else:
        found = []
    return [[damage._asdict() for damage in rows] for rows in found]


def _opener(params: Params, *, engine: str) -> OpenBlob:
    """Return what opens stored content, not verified; nothing is made for it.

    Raises:
        ImagesError: the store cannot be read.
    """
    if engine == "containerd":
        return _containerd_opener(params)
    from pathlib import Path

    from ..stores.layout import LayoutStore
    from .engines import default_store

    store = LayoutStore(Path(params["store"] or default_store()))
    return lambda digest: store.open(Descriptor("", digest, UNKNOWN_SIZE))


def _containerd_opener(params: Params) -> OpenBlob:
    from ..stores.content_graph import blob_not_found
    from .engine_options import containerd_client

    ctr = containerd_client(params)
    held = ctr.content()

    def open_blob(digest: Digest) -> ReadStream:
        if str(digest) not in held:
            raise blob_not_found(Descriptor("", digest, UNKNOWN_SIZE))
        return ctr.open(digest)

    return open_blob


def _stored(images: Sequence[LocalImage], *, open_blob: OpenBlob, session: Session) -> list[list[Damage]]:
    """Check content by digest; what several images share is read once."""
    from .resolve import in_parallel

    parts = [parts_of(image.identity, open_blob=open_blob) for image in images]
    wanted = list(dict.fromkeys(part.expected for own in parts for part in own))
    parallel = session.parallel
    answers = in_parallel(wanted, lambda digest: stored_digest(digest, open_blob=open_blob), parallel=parallel)
    rows = []
    for image, own in zip(images, parts):
        gone = [part for part in own if image.is_complete and isinstance(answers[part.expected], NotFoundError)]
        if gone:  # the engine knows, and can do without them
            told = ", ".join(part.name for part in gone)
            session.warn(f"{_called(image)}: {told} cannot be checked: the engine keeps it unpacked alone")
        rows.append(list(damages((part for part in own if part not in gone), answers)))
    return rows


def _given(image: LocalImage, session: Session) -> list[Damage]:
    """Check what the engine gives out when it is asked for the whole image.

    Raises:
        PeerError: it cannot, and there is no room for it to do so.
        UnsupportedError: likewise.
    """
    from ..stores.rehash_archive import archive_damages

    if session.archiver is None:
        raise TypeError("this engine is read by digest")
    layers: Sequence[str] = ()
    try:
        layers = session.engine.describe(image).layers
        stream = session.archiver.archive(image.identity)
    except NotFoundError as error:
        session.warn(f"{_called(image)} cannot be checked: {error.what}")
        return []
    except (PeerError, UnsupportedError) as error:  # Docker says 500, podman says 400
        space = session.engine.space()
        if space is not None and space.free < 2 * image.size:
            raise
        return [_refused(image, layers, why=f"the engine cannot read it: {error.why}")]
    with contextlib.closing(stream):
        return archive_damages(stream, image.identity)


def _refused(image: LocalImage, layers: Sequence[str], *, why: str) -> Damage:
    """Return the damage that the engine itself found: of a layer, where it names one."""
    for at, layer in enumerate(layers):
        if layer in why:
            return Damage(layer_name(at, len(layers)), layer, why=why)
    return Damage("image", str(image.identity.config_digest or ""), why=why)


def _called(image: LocalImage) -> str:
    return str(image.names[0]) if image.names else image.id
