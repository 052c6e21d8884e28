# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searching registries, from options to a list. Only image_search ships this."""

from __future__ import annotations

import typing as t

from ..model.reference import DOCKER_HUB, Reference, is_registry
from .reader import Reader
from .registries import credentials_of, open_registries

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..stores.registries import Registries
    from ..stores.registry_search import Found
    from .options import Spec

    Params = Mapping[str, t.Any]

SEARCH: Spec = {
    "term": {"type": "str", "default": "", "aliases": ["name", "query"]},
    "registry": {"type": "str"},
    "limit": {"type": "int", "default": 25},
    "list_tags": {"type": "bool", "default": False},
}

_HUB_SEARCH = "index.docker.io"  # another server than that of its images


class _Asked(t.NamedTuple):
    """Where to look, what for, and for a list of tags in which repository."""

    registry: str
    term: str
    repository: Reference | None


def search(params: Params, *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Return result and warnings of a search, which changes nothing, ``is_dry`` or not.

    Raises:
        InputError: the options are wrong.
        ImagesError: the registry cannot be asked, or cannot be searched.
    """
    asked, limit = _read(params), params["limit"]
    with open_registries(params, credentials=credentials_of(params, served={asked.registry})) as registries:
        if asked.repository is not None:
            images, is_all = _tags(asked.repository, registries, limit=limit)
        else:
            images, is_all = _repositories(asked, registries, limit=limit)
        told = {"registry": asked.registry, "images": images, "complete": is_all}
        return {"changed": False, **told}, registries.warnings


def _read(params: Params) -> _Asked:
    reader = Reader(params)
    term, registry = params["term"].strip(), params["registry"] or ""
    first, slash, rest = term.partition("/")
    has_registry = bool(slash) and (first == "localhost" or "." in first or ":" in first) and is_registry(first)
    if has_registry and registry and first != registry:
        reader.problem("registry", f"term names {first} already", fix="keep one of the two")
    if registry and not is_registry(registry):
        reader.problem("registry", f"{registry!r} is not a registry host", fix="write it like quay.io")
    if params["limit"] < 1:
        reader.problem("limit", f"{params['limit']} is too little", fix="give 1 or more")
    registry = first if has_registry else registry or reader.defaults.registry
    term = rest if has_registry else term
    repository = None
    if params["list_tags"]:
        names = reader.names(f"{registry}/{term}" if has_registry or params["registry"] else term, "term")
        repository = names[0].without_digest() if names else None
    elif not term and registry == DOCKER_HUB:
        reader.problem("term", f"{DOCKER_HUB} has too many images to list", fix="say what to look for")
    reader.finish()
    return _Asked(repository.registry if repository is not None else registry, term, repository)


def _tags(repository: Reference, registries: Registries, *, limit: int) -> tuple[list[dict[str, t.Any]], bool]:
    tags = registries.store(repository).tags()
    rows = [{"name": repository.repository, "tag": tag} for tag in tags[:limit]]
    return rows, len(tags) <= limit


def _repositories(asked: _Asked, registries: Registries, *, limit: int) -> tuple[list[dict[str, t.Any]], bool]:
    from ..stores.registry_search import search_repositories

    is_hub = asked.registry == DOCKER_HUB
    client = registries.client(_HUB_SEARCH if is_hub else asked.registry)
    found = search_repositories(client, asked.term, limit=limit)
    return [_row(row, registry=asked.registry) for row in found.rows], found.is_all


def _row(found: Found, *, registry: str) -> dict[str, t.Any]:
    path = f"library/{found.path}" if registry == DOCKER_HUB and "/" not in found.path else found.path
    return {
        "name": f"{registry}/{path}",
        "description": found.description,
        "stars": found.stars,
        "official": found.is_official,
    }
