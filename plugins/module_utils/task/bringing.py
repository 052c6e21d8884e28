# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images whose bytes are at hand into the host: by content where it has a store, else as archives to its engine."""

from __future__ import annotations

import functools
import io
import typing as t

from ..apply.archives import apply_plan
from ..apply.outcome import Outcome
from ..build.archive_writing import Packed, archive_pieces
from ..model.errors import InputError, UnsupportedError
from ..model.host import Identity, Look
from ..model.reference import ImageId
from ..plan.archives import Offered, lacking, plan_loads
from ..plan.questions import can_be_tagged
from .report import report

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..build.archive_reading import Archived
    from ..build.base import BaseImage
    from ..model.host import Observed
    from ..model.reference import Reference
    from ..plan.archives import Load
    from ..plan.plan import Plan
    from ..stores.base import ContentStore
    from .session import Session


class Brought(t.NamedTuple):
    """An image that is at hand, and the names that it gets."""

    names: tuple[Reference, ...]
    archived: Archived


def bring(
    images: Sequence[Brought],
    *,
    complete: Callable[[Archived], BaseImage],
    session: Session,
    action: type[Load],
    is_dry: bool,
    is_hollow: bool = False,
) -> tuple[dict[str, t.Any], list[str]]:
    """Let the host hold ``images`` by their names; return result and warnings. With ``is_dry`` what they would be.

    ``complete`` tells the manifest and the bytes of one that the host lacks; ``action`` is what plans call the work.
    ``is_hollow``: the bytes are elsewhere, so that names can be given and plans made, and nothing be brought.

    Raises:
        ImagesError: it cannot be planned (nothing was changed then), or not be carried out.
    """
    forms = {name for image in images for name in image.names}
    ids = {ImageId(image.archived.config.digest.encoded) for image in images}
    observed = session.engine.observe(Look(details_of=frozenset({*forms, *ids})))
    kept = [image._replace(names=_givable(image.names, observed)) for image in images]
    offered: list[Offered] = []
    bases: dict[Identity, tuple[Archived, BaseImage]] = {}
    for image in kept:
        one = _offered(image, None, observed=observed, session=session)
        if lacking(one, observed):
            base = complete(image.archived)
            one = _offered(image, base, observed=observed, session=session)
            bases[one.identity] = (image.archived, base)
        offered.append(one)
    plan = plan_loads(offered, observed, action=action)
    warnings: tuple[str, ...] = ()
    if not is_dry and is_hollow and any(planned.kind == action.kind for planned in plan.actions):
        raise _hollow()
    if not is_dry and not plan.is_empty:
        warnings = _carry_out(plan, bases, session=session)
    result = report(plan, outcome=Outcome(), engine=session.engine)
    result["image_names"] = [str(name) for image in kept for name in image.names]
    return result, [*plan.warnings, *warnings, *session.warnings()]


def _hollow() -> UnsupportedError:
    return UnsupportedError(
        "The archive tells of images, and does not hold them",
        code="archive-hollow",
        fix="run image_load as a task of its own name, not through another action",
        subject="path",
    )


def _givable(names: tuple[Reference, ...], observed: Observed) -> tuple[Reference, ...]:
    """Return those names that the engine lets an image have: by digest alone some give a name to what they pull only.

    Raises:
        InputError: archive-without-names: none is left.
    """
    left = tuple(name for name in names if can_be_tagged(name, observed))
    if not left:
        raise InputError(
            f"{observed.engine} cannot call the image {names[0]}",
            code="archive-without-names",
            why="it gives a name by digest only to what it pulls by that",
            fix="say in repository what to call it",
            subject="repository",
        )
    return left


def _offered(image: Brought, base: BaseImage | None, *, observed: Observed, session: Session) -> Offered:
    """Return the image with the digests that the host will know it by; without ``base`` only some of them."""
    archived = image.archived
    manifest = base.manifest if base is not None else archived.manifest
    digest = manifest.descriptor.digest if manifest is not None else None
    index = archived.index_digest if session.archiver is None else None
    if session.keeps_index and archived.document is None:
        index = None
    identity = Identity(digest, archived.config.digest, index)
    if session.archiver is not None and observed.abilities.ids == "config":
        identity = Identity(None, archived.config.digest)  # the engine may make its manifest anew
    image_id = archived.config.digest if observed.abilities.ids == "config" else index or digest
    size = sum(part.size for part in _parts(archived, base) if part.digest not in observed.blobs) if base else 0
    return Offered(image.names, identity, str(image_id or ""), size)


def _parts(archived: Archived, base: BaseImage) -> list[t.Any]:
    manifests = (base.manifest, *archived.siblings)
    return list({part.digest: part for manifest in manifests for part in manifest.moved_blobs()}.values())


def _carry_out(
    plan: Plan, bases: dict[Identity, tuple[Archived, BaseImage]], *, session: Session
) -> tuple[str, ...]:
    from ..apply.verify import verify

    def step(actions: Sequence[Load]) -> None:
        chosen = [bases[action.source] for action in actions if isinstance(action.source, Identity)]
        if session.archiver is not None:
            single = [functools.partial(archive_pieces, [Packed((), base)]) for _archived, base in chosen]
            whole = [Packed((), base) for _archived, base in chosen]
            session.archiver.load(single, whole=lambda: archive_pieces(whole))
            return
        for archived, base in chosen:
            _store(archived, base, content=session.content(), session=session)

    warnings = apply_plan(plan, engine=session.engine, bring=step, is_together=session.archiver is not None)
    verify(plan, outcome=Outcome(), observed=session.engine.observe())
    return warnings


def _store(archived: Archived, base: BaseImage, *, content: ContentStore, session: Session) -> None:
    """Put an image into the store, and its index where that is at hand.

    Raises:
        IntegrityError: digest-mismatch: it is not what its digest promised.
        ImagesError: it cannot be read, or not be stored.
    """
    from ..apply.transfer import BlobCopy, Copies

    source = t.cast("ContentStore", base.source)  # only ever opened
    copies = Copies((BlobCopy(part, source, content) for part in _parts(archived, base)), patience=session.patience())
    copies.run(lambda _digest: None)
    for error in copies.failed.values():
        raise error
    for manifest in (*archived.siblings, base.manifest):
        content.put_manifest(manifest.raw, manifest.descriptor)
    index = archived.document
    if index is not None:
        # not by put_manifest: the images of other platforms need not be there
        content.write(index.descriptor, lambda offset: io.BytesIO(index.raw[offset:]))
