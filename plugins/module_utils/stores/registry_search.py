# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which repositories a registry has for a word: by its own search, or by looking through its catalogue."""

from __future__ import annotations

import typing as t
from urllib.parse import urlencode

from ..model.errors import NotFoundError, PeerError, UnsupportedError
from ..model.fields import Fields
from ..wire.redact import redact_url
from .registry_tags import MOST_PAGES, PAGE_LIMIT, in_circles, next_page

if t.TYPE_CHECKING:
    from ..wire.registry_client import RegistryClient

MOST_ASKED = 100  # what one search may be asked for; Docker Hub refuses more
_CATALOG_PAGE = 1000
_NO_SEARCH = (400, 404, 405, 410, 501)


class Found(t.NamedTuple):
    """A repository by its path, and what the registry tells people of it: a line, its stars, whether it is official."""

    path: str
    description: str = ""
    stars: int = 0
    is_official: bool = False


class Findings(t.NamedTuple):
    """What was found, best first as the registry has it; ``is_all``: there is no more, as far as the registry tells."""

    rows: tuple[Found, ...]
    is_all: bool


def search_repositories(client: RegistryClient, term: str, *, limit: int) -> Findings:
    """Return at most ``limit`` repositories that the registry finds for ``term``.

    A registry without a search of its own is asked for its catalogue, and each path in it that has ``term`` is found.

    Raises:
        UnsupportedError: search-unsupported: it has no catalogue either.
        ImagesError: it cannot be asked, or its answer is no list.
    """
    found = _by_search(client, term, limit=limit) if term else None
    return found if found is not None else _by_catalog(client, term, limit=limit)


def _by_search(client: RegistryClient, term: str, *, limit: int) -> Findings | None:
    """Return what the registry's own search finds, None where it has none.

    Source: docker/docker registry/search_session.go; containers/image docker_client.go, SearchRegistry.
    """
    wanted = min(limit, MOST_ASKED)
    address = "/v1/search?" + urlencode({"q": term, "n": wanted})
    with client.request("GET", address, scope="", expect=(200, *_NO_SEARCH), subject=term) as answer:
        is_json = any("json" in kind for kind in answer.header_values("Content-Type"))
        if answer.status != 200 or not is_json:  # some have a page for people under every address
            return None
        fields = Fields.of_bytes(answer.body(PAGE_LIMIT), what=f"answer to the search for {term}")
    rows = tuple(_found(row) for row in fields.objects("results"))
    count = fields.integer("num_results") if fields.has("num_results") else len(rows)
    return Findings(rows[:limit], count <= min(len(rows), limit))


def _found(row: Fields) -> Found:
    stars = row.values.get("star_count")
    return Found(
        row.text("name"),
        row.optional_text("description"),
        stars if isinstance(stars, int) else 0,
        row.values.get("is_official") is True,
    )


def _by_catalog(client: RegistryClient, term: str, *, limit: int) -> Findings:
    """Source: Docker Registry HTTP API V2, "Listing Repositories"; not every registry has it."""
    rows: list[Found] = []
    address, seen = f"/v2/_catalog?n={_CATALOG_PAGE}", set[str]()
    while address:
        if address in seen or len(seen) >= MOST_PAGES:
            raise in_circles(address, len(seen))
        seen.add(address)
        try:
            answer = client.request("GET", address, scope="registry:catalog:*", subject=client.registry)
        except (NotFoundError, PeerError) as error:
            if error.code not in ("not-found", "unexpected-answer"):
                raise
            raise _unsupported(client.registry, error.why) from error
        with answer:
            address = next_page(answer)
            fields = Fields.of_bytes(answer.body(PAGE_LIMIT), what=f"catalogue of {redact_url(answer.url)}")
        rows += (Found(path) for path in fields.texts("repositories") if term.lower() in path)
        if len(rows) > limit:
            return Findings(tuple(rows[:limit]), is_all=False)
    return Findings(tuple(rows), is_all=True)


def _unsupported(registry: str, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"{registry} cannot be searched",
        code="search-unsupported",
        why=why,
        fix="name the repository, and set list_tags: true to see what it has; or look on the registry's own pages",
        subject=registry,
    )
