# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a registry's refusal, in every form it comes."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.refusals import Refusal
from ansible_collections.fleet.images.tests.unit.wire.odd_server import OddServer, Reply, client_for


def refusal(body: bytes, *, content_type: str = "application/json", status: int = 400) -> Refusal:
    with OddServer(lambda _asked: Reply(status, (("Content-Type", content_type),), body)) as server:
        client = client_for(server.host)
        answer = client.request("GET", "/v2/a?sig=1", scope="repository:a:pull", expect=(status,))
        found = client.refusal(answer)
        return found._replace(why=found.why.replace(server.host, "HOST"))


def told(body: bytes, *, content_type: str = "application/json") -> str:
    return refusal(body, content_type=content_type).why.removeprefix("GET http://HOST/v2/a was answered with 400")


def test_every_error_of_the_registry_is_told_with_code_message_and_detail() -> None:
    rows = [
        {"code": "NAME_INVALID", "message": "invalid name", "detail": {"name": "A"}},
        {"code": "TAG_INVALID", "message": "", "detail": None},
    ]
    found = refusal(json.dumps({"errors": rows}).encode())
    assert found.status == 400
    assert found.codes == ("NAME_INVALID", "TAG_INVALID")
    assert found.why == (
        'GET http://HOST/v2/a was answered with 400: NAME_INVALID: invalid name: {"name": "A"}; TAG_INVALID'
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"details": "incorrect username or password"}', ": incorrect username or password"),
        (b'{"error": "invalid_grant", "error_description": "expired"}', ": invalid_grant: expired"),
        (b'{"errors": null, "message": "no"}', ": no"),
        (b'{"errors": [5, null, {"code": 7, "message": "odd"}]}', ": 7: odd"),
        (b"[]", ": []"),
        (b"\xff\xfe\x00\x01", ""),
        (b"", ""),
        (b"<html><title>413</title>", ": a web page, which is not what a registry answers"),
    ],
)
def test_other_forms_are_told_as_far_as_they_can_be_read(body: bytes, words: str) -> None:
    assert told(body) == words


def test_plain_text_is_told_on_one_line_and_shortened() -> None:
    assert told(b"Too many\r\n\x1b[31m requests", content_type="text/plain") == ": Too many [31m requests"
    assert len(told(b"x" * 100_000, content_type="text/plain")) <= 402


def test_an_html_type_is_a_web_page_whatever_it_holds() -> None:
    assert (
        told(b"hello", content_type="text/html; charset=utf-8") == ": a web page, which is not what a registry answers"
    )


def test_addresses_in_texts_lose_their_queries() -> None:
    assert "4711" not in told(b"see https://u:4711@h/p?token=4711 or /x?sig=4711", content_type="text/plain")


def test_json_that_nests_without_end_is_no_trouble() -> None:
    assert told(b"[" * 60_000) == ": " + "[" * 400
