# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists of tags: pages by link, whatever the registry does about their order and number."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError
from ansible_collections.fleet.images.plugins.module_utils.stores.registry import RegistryStore
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply, client_for


def tags(server: OddServer) -> list[str]:
    return RegistryStore(client_for(server.host), "team/app").tags()


def page(names: object, link: str = "") -> Reply:
    headers = (("Link", link),) if link else ()
    return Reply(200, headers, json.dumps({"name": "team/app", "tags": names}).encode())


@pytest.mark.parametrize(
    "link",
    [
        '</v2/team/app/tags/list?n=1&last=b>; rel="next"',
        "</v2/team/app/tags/list?n=1&last=b>;rel=next",
        '<list?n=1&last=b>; title="x, y"; rel="next"',
        '<http://HOST/v2/team/app/tags/list?n=1&last=b>; rel="prefetch NEXT"',
        '</first>; rel="first", </v2/team/app/tags/list?n=1&last=b>; rel="next"',
    ],
)
def test_the_link_to_the_next_page_is_followed_as_it_is_written(link: str) -> None:
    def rule(asked: Asked) -> Reply:
        if asked.query:
            return page(["a", "b"])
        return page(["c", "b"], link.replace("HOST", asked.headers["host"]))

    with OddServer(rule) as server:
        assert tags(server) == ["a", "b", "c"]
        assert server.asked[1].target == "/v2/team/app/tags/list?n=1&last=b"


@pytest.mark.parametrize("link", ['</x>; rel="prev"', '</x>; rel="nextish"', "</x>", "nonsense", '</x>; title="next"'])
def test_other_links_lead_nowhere(link: str) -> None:
    with OddServer(lambda _asked: page(["a"], link)) as server:
        assert tags(server) == ["a"]
        assert len(server.asked) == 1


@pytest.mark.parametrize("names", [None, []])
def test_no_tags_are_an_empty_list(names: object) -> None:
    with OddServer(lambda _asked: page(names)) as server:
        assert tags(server) == []


def test_an_absent_repository_has_no_tags() -> None:
    with OddServer(lambda _asked: Reply(404, (), b"404 page not found\n")) as server:
        assert tags(server) == []


def test_pages_in_circles_end_in_an_error() -> None:
    def rule(asked: Asked) -> Reply:
        after = {"": "?p=1", "p=1": "?p=2", "p=2": "?p=1"}[asked.target.partition("?")[2]]
        return page(["a"], f'</v2/team/app/tags/list{after}>; rel="next"')

    with OddServer(rule) as server:
        with pytest.raises(ImagesError) as caught:
            tags(server)
        assert caught.value.code == "pages-in-circles"
        assert len(server.asked) <= 4


@pytest.mark.parametrize(("body", "code"), [(b"<html>", "not-json"), (b'{"tags": "a"}', "wrong-shape")])
def test_what_is_no_list_of_tags_is_an_error(body: bytes, code: str) -> None:
    with OddServer(lambda _asked: Reply(body=body)) as server, pytest.raises(ImagesError) as caught:
        tags(server)
    assert caught.value.code == code
