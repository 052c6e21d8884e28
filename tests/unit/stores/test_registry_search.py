# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Searches: by what a registry has for it, else through its catalogue."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError
from ansible_collections.fleet.images.plugins.module_utils.stores.registry_search import (
    Findings,
    Found,
    search_repositories,
)
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply, client_for

JSON = (("Content-Type", "application/json"),)


def found(server: OddServer, term: str = "app", *, limit: int = 25) -> Findings:
    return search_repositories(client_for(server.host), term, limit=limit)


def reply(document: t.Any, *headers: tuple[str, str]) -> Reply:
    return Reply(200, (*JSON, *headers), json.dumps(document).encode())


def with_catalog(*paths: str, search: Reply) -> t.Callable[[Asked], Reply]:
    """Return the rule of a registry that answers ``search`` to searches, and has a catalogue of ``paths``."""

    def rule(asked: Asked) -> Reply:
        return search if asked.target.startswith("/v1/search") else reply({"repositories": list(paths)})

    return rule


def test_a_search_of_its_own_tells_more_than_names() -> None:
    row = {"name": "team/app", "description": "An app", "star_count": 7, "is_official": True, "is_automated": False}
    bare = {"name": "app", "description": None}
    with OddServer(lambda _asked: reply({"num_results": 90, "results": [row, bare]})) as server:
        assert found(server, "a b") == Findings((Found("team/app", "An app", 7, True), Found("app")), is_all=False)
        assert [asked.target for asked in server.asked] == ["/v1/search?q=a+b&n=25"]


def test_all_is_told_where_the_registry_tells_the_number() -> None:
    with OddServer(lambda _asked: reply({"num_results": 1, "results": [{"name": "app"}]})) as server:
        assert found(server).is_all
    with OddServer(lambda _asked: reply({"results": [{"name": "app"}, {"name": "app2"}]})) as server:
        assert found(server, limit=1) == Findings((Found("app"),), is_all=False)


@pytest.mark.parametrize(
    "search", [Reply(404, (), b""), Reply(405, (), b""), Reply(200, (("Content-Type", "text/html"),), b"<html>")]
)
def test_without_a_search_every_path_of_the_catalogue_that_has_the_word_is_found(search: Reply) -> None:
    with OddServer(with_catalog("team/app", "team/other", "apps/x", search=search)) as server:
        assert found(server, "APP") == Findings((Found("team/app"), Found("apps/x")), is_all=True)
        assert found(server, "APP", limit=1) == Findings((Found("team/app"),), is_all=False)


def test_without_a_word_the_whole_catalogue_is_read_page_by_page() -> None:
    def rule(asked: Asked) -> Reply:
        if "last=b" in asked.target:
            return reply({"repositories": ["c"]})
        return reply({"repositories": ["a", "b"]}, ("Link", '</v2/_catalog?last=b>; rel="next"'))

    with OddServer(rule) as server:
        assert [row.path for row in found(server, "").rows] == ["a", "b", "c"]
        assert len(server.asked) == 2
        assert [row.path for row in found(server, "", limit=1).rows] == ["a"]
        assert len(server.asked) == 3, "no page is read that nobody will see"


def test_a_registry_that_has_neither_is_told_with_what_can_be_done() -> None:
    with OddServer(lambda _asked: Reply(404, (), b"404 page not found\n")) as server:
        with pytest.raises(ImagesError) as caught:
            found(server)
        assert caught.value.code == "search-unsupported"
        assert "list_tags" in caught.value.fix


def test_a_catalogue_without_an_end_is_an_error() -> None:
    def rule(asked: Asked) -> Reply:
        if asked.target.startswith("/v1"):
            return Reply(404, (), b"")
        return reply({"repositories": ["a"]}, ("Link", f'<{asked.target}>; rel="next"'))

    with OddServer(rule) as server:
        with pytest.raises(ImagesError) as caught:
            found(server, "a", limit=100)
        assert caught.value.code == "pages-in-circles"
