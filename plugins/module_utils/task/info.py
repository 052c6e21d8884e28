# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading a host's images, and what their names mean at the registries, without changing anything."""

from __future__ import annotations

import typing as t

from ..model.errors import NotFoundError
from ..model.host import Look
from ..model.reference import ImageId, Reference
from .reader import Reader
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.host import LocalImage, Observed
    from .options import Spec

INFO: Spec = {
    "name": {"type": "list", "elements": "str", "aliases": ["image", "names"]},
    "tag": {"type": "str"},
    "detail": {"type": "bool", "default": False},
    "deep": {"type": "bool", "default": False},
    "remote": {"type": "bool", "default": False},
}


class Asked(t.NamedTuple):
    """One name that the user asked for: its text and what it may mean."""

    text: str
    candidates: tuple[Reference | ImageId, ...]


def info(params: Mapping[str, t.Any], *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Read what the options of ``image_info`` ask for, which changes nothing, ``is_dry`` or not. See Work."""
    asked = read_names(params)
    session = Session(params)
    try:
        return {"changed": False, **inform(asked, params=params, session=session)}, session.warnings()
    finally:
        session.close()


def read_names(params: Mapping[str, t.Any]) -> list[Asked]:
    """Return what the option ``name`` asks for; empty means every image.

    Raises:
        InputError: entries that are neither names nor IDs.
    """
    reader = Reader(params)
    texts = params["name"] or []
    asked = [Asked(text, reader.image(text, f"name[{at}]")) for at, text in enumerate(texts)]
    reader.finish()
    return asked


def inform(asked: list[Asked], *, params: Mapping[str, t.Any], session: Session) -> dict[str, t.Any]:
    """Return the rows of the images asked for, the names the host does not have, and what registries say.

    Raises:
        ImagesError: the host cannot be read, an ID is ambiguous, or a registry cannot be asked.
    """
    observed = _observe(asked, is_detailed=params["detail"] or params["deep"], session=session)
    found, missing = _select(asked, observed)
    result: dict[str, t.Any] = {
        "engine": session.engine.name,
        "platform": str(observed.platform),
        "images": [_row(image, is_detailed=params["detail"], session=session) for image in found],
        "missing": missing,
    }
    if params["deep"]:
        from .deep import damages_on

        for row, damages in zip(result["images"], damages_on(found, params=params, session=session)):
            row["corrupt"] = damages
    if params["remote"]:
        result["remotes"] = _remotes(asked, found, session=session)
    return result


def _observe(asked: list[Asked], *, is_detailed: bool, session: Session) -> Observed:
    """Return the host; in detail with the containers that use images, and all there is to know of those to be shown."""
    if not is_detailed:
        return session.engine.observe()
    wanted = {name for _text, candidates in asked for name in candidates}
    if not asked:
        wanted = {_handle(image) for image in session.engine.observe().images}
    return session.engine.observe(Look(containers=True, details_of=frozenset(wanted)))


def _handle(image: LocalImage) -> Reference | ImageId:
    """Return what finds ``image`` on its host."""
    return image.names[0] if image.names else ImageId(image.id.rpartition(":")[2])


def _select(asked: list[Asked], observed: Observed) -> tuple[list[LocalImage], list[str]]:
    """Return the images asked for, each once, and the texts of the names that the host does not have."""
    if not asked:
        return sorted(observed.images, key=lambda image: [str(name) for name in image.names]), []
    found: dict[str, LocalImage] = {}
    missing = []
    for text, candidates in asked:
        matches = [image for image in (observed.find(name) for name in candidates) if image is not None]
        found.update((f"{image.id} {image.identity}", image) for image in matches[:1])
        if not matches:
            missing.append(text)
    return list(found.values()), missing


def _row(image: LocalImage, *, is_detailed: bool, session: Session) -> dict[str, t.Any]:
    identity = image.identity
    row: dict[str, t.Any] = {
        "id": image.id,
        "names": [str(name) for name in image.names],
        "digest": str(identity.digest or ""),
        "manifest_digest": str(identity.manifest_digest or ""),
        "config_digest": str(identity.config_digest or ""),
        "index_digest": str(identity.index_digest or ""),
        "platform": str(image.platform or ""),
        "size": image.size,
        "created": image.created,
        "labels": dict(image.labels),
        "complete": image.is_complete,
    }
    if is_detailed:
        row["digests"] = sorted(str(digest) for digest in identity.digests)
        row["used_by"] = sorted(container.name for container in image.used_by)
    if is_detailed and image.is_complete:
        row.update(_described(image, session=session))
    return row


def _described(image: LocalImage, *, session: Session) -> dict[str, t.Any]:
    """Return what the engine tells of an image beside the list; nothing, and a warning, where it cannot.

    Such are the lists of manifests that podman makes; and what goes while we look is no failure of a look either.
    """
    try:
        description = session.engine.describe(image)
    except NotFoundError as error:
        session.warn(f"{_handle(image)} comes without config, history and layers: {error.what}")
        return {}
    return {
        "config": dict(description.config),
        "history": [dict(step) for step in description.history],
        "layers": list(description.layers),
    }


def _remotes(asked: list[Asked], found: list[LocalImage], *, session: Session) -> dict[str, str]:
    """Return the digest that each name asked for, or found, has at its registry now; "" where it is not there."""
    from ..model.errors import ImagesError, raise_problems
    from .resolve import in_parallel, remote_digest

    wanted = [name for _text, candidates in asked for name in candidates[:1] if isinstance(name, Reference)]
    references = list(dict.fromkeys(wanted or [name for image in found for name in image.names]))
    session.use_registries({reference.registry for reference in references})
    got = in_parallel(
        references, lambda name: remote_digest(name, registry=session.registry), parallel=session.parallel
    )
    problems = {str(name): answer for name, answer in got.items() if isinstance(answer, ImagesError)}
    if asked:
        raise_problems(problems)
    # Of a whole host some names are local only, and nobody asked for their registries.
    for name, problem in problems.items():
        session.warn(f"What {name} is at its registry is not known: {problem}")
    return {str(name): str(answer or "") for name, answer in got.items() if str(name) not in problems}
