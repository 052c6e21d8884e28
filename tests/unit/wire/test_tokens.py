# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bearer tokens from a token server on loopback, and which token servers are trusted."""

from __future__ import annotations

import json
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import AuthError, PeerError
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_connection import RegistryConnection
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.plugins.module_utils.wire.tokens import (
    LIMIT,
    Tokens,
    Wanted,
    basic,
    refuse_realm,
)
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Patience, Reply

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SCOPES = ("repository:a/b:pull", "repository:c:pull,push")
LOGIN = Credential("anna", "geheim-7731")


class Desk(t.NamedTuple):
    """A token server, what asks it, and a clock that only the test moves."""

    server: OddServer
    tokens: Tokens
    now: list[float]

    def get(self, credential: Credential | None = None, realm: str = "/token") -> str:
        return self.tokens.get(Wanted(self.server.url + realm, "some service", SCOPES), credential)


@pytest.fixture
def desk() -> Iterator[Desk]:
    now = [1000.0]
    with OddServer(lambda _asked: Reply(body=b'{"token": "t-1"}')) as server:
        connection = RegistryConnection("r", settings=RegistrySettings(retry=1), sleep=Patience())
        yield Desk(
            server,
            Tokens(
                connection.exchange_elsewhere,
                refused=lambda answer: AuthError(f"{answer.status}", code="auth-refused"),
                clock=lambda: now[0],
            ),
            now,
        )
        connection.close()


def answer_with(desk: Desk, **fields: object) -> None:
    desk.server.rule = lambda _asked: Reply(body=json.dumps(fields).encode())


def test_a_token_is_asked_for_with_service_and_every_scope_and_the_realms_own_query(desk: Desk) -> None:
    assert desk.get(realm="/token?tenant=7#part") == "t-1"
    (asked,) = desk.server.asked
    assert asked.method == "GET"
    assert asked.query == {"tenant": ["7"], "service": ["some service"], "scope": list(SCOPES)}
    assert asked.login == ""


def test_a_login_is_sent_as_basic_and_named_as_account(desk: Desk) -> None:
    desk.get(LOGIN)
    (asked,) = desk.server.asked
    assert asked.login == basic(LOGIN)
    assert asked.query["account"] == ["anna"]


def test_an_access_token_is_a_token_too(desk: Desk) -> None:
    answer_with(desk, access_token="a-1", expires_in=300)
    assert desk.get() == "a-1"


@pytest.mark.parametrize(
    ("expires_in", "good_for", "renewed_after"),
    [(None, 44, 46), (5, 44, 46), ("soon", 44, 46), (300, 269, 271), (100.5, 74, 76)],
)
def test_a_token_is_used_until_shortly_before_it_expires(
    desk: Desk, expires_in: object, good_for: float, renewed_after: float
) -> None:
    answer_with(desk, token="t", expires_in=expires_in, issued_at="1970-01-01T00:00:00Z")
    desk.get()
    desk.now[0] = 1000.0 + good_for
    desk.get()
    assert len(desk.server.asked) == 1
    desk.now[0] = 1000.0 + renewed_after
    desk.get()
    assert len(desk.server.asked) == 2


def test_many_threads_that_want_one_token_make_one_request(desk: Desk) -> None:
    started = threading.Barrier(8)

    def rule(_asked: Asked) -> Reply:
        return Reply(body=json.dumps({"token": f"t-{len(desk.server.asked)}"}).encode())

    desk.server.rule = rule

    def ask(_number: int) -> str:
        started.wait(30)
        return desk.get(LOGIN)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {"t-1"}
    assert len(desk.server.asked) == 1


def test_another_login_gets_another_token(desk: Desk) -> None:
    desk.get()
    desk.get(LOGIN)
    assert len(desk.server.asked) == 2


def test_a_dropped_token_is_fetched_again_and_others_are_kept(desk: Desk) -> None:
    desk.get()
    desk.tokens.drop("unknown")
    desk.get()
    assert len(desk.server.asked) == 1
    desk.tokens.drop("t-1")
    desk.get()
    assert len(desk.server.asked) == 2


def test_an_identity_token_is_posted_and_never_in_an_address(desk: Desk) -> None:
    desk.get(Credential("<token>", "", "identity-99"))
    (asked,) = desk.server.asked
    assert asked.method == "POST"
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["refresh_token"],
        "service": ["some service"],
        "client_id": ["fleet.images"],
        "scope": [" ".join(SCOPES)],
        "refresh_token": ["identity-99"],
    }
    assert "identity-99" not in asked.target
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("status", [404, 405])
def test_a_token_server_without_post_is_asked_by_get(desk: Desk, status: int) -> None:
    desk.server.rule = lambda asked: Reply(status) if asked.method == "POST" else Reply(body=b'{"token": "by-get"}')
    credential = Credential("<token>", "", "identity-99")
    assert desk.get(credential) == "by-get"
    assert [asked.method for asked in desk.server.asked] == ["POST", "GET"]
    assert desk.server.asked[1].login == basic(credential)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_told_and_nothing_is_kept(desk: Desk, status: int) -> None:
    desk.server.rule = lambda _asked: Reply(status)
    with pytest.raises(AuthError):
        desk.get()
    answer_with(desk, token="later")
    assert desk.get() == "later"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html>log in</html>", "not-json"),
        (b'{"token": "cut', "not-json"),
        (b"[]", "no-token"),
        (b"{}", "no-token"),
        (b'{"token": ""}', "no-token"),
        (b'{"token": 5}', "no-token"),
        (b'{"token": "two\\r\\nX-Header: lines"}', "no-token"),
    ],
)
def test_what_is_no_token_is_an_error_without_the_body(desk: Desk, body: bytes, code: str) -> None:
    desk.server.rule = lambda _asked: Reply(body=body)
    with pytest.raises(PeerError) as caught:
        desk.get()
    assert caught.value.code == code
    assert "cut" not in str(caught.value)


def test_a_life_of_any_number_is_taken(desk: Desk) -> None:
    desk.server.rule = lambda _asked: Reply(body=b'{"token": "t", "expires_in": 1' + b"0" * 400 + b"}")
    assert desk.get() == "t"


def test_an_endless_answer_is_not_read_to_its_end(desk: Desk) -> None:
    desk.server.rule = lambda _asked: Reply(body=b" " * (LIMIT + 1))
    with pytest.raises(PeerError) as caught:
        desk.get()
    assert caught.value.code == "too-large"


def test_a_redirect_of_a_token_server_is_not_followed(desk: Desk) -> None:
    desk.server.rule = lambda _asked: Reply(307, (("Location", "/elsewhere"),))
    with pytest.raises(AuthError):
        desk.get(LOGIN)
    assert len(desk.server.asked) == 1


@pytest.mark.parametrize(
    ("realm", "host", "is_insecure"),
    [
        ("https://auth.docker.io/token", "registry-1.docker.io", False),
        ("http://auth.example.com/token", "registry.example.com", True),
        ("http://127.0.0.1:5001/token", "127.0.0.1", True),
        ("http://localhost:5001/token", "127.0.0.1", True),
        ("https://10.0.0.5/token", "10.0.0.5", False),
    ],
)
def test_a_realm_that_an_honest_registry_may_name_is_accepted(realm: str, host: str, is_insecure: bool) -> None:
    refuse_realm(realm, host=host, is_insecure=is_insecure)


@pytest.mark.parametrize(
    ("realm", "host", "is_insecure"),
    [
        ("http://auth.example.com/token", "registry.example.com", False),
        ("https://127.0.0.1/token", "registry.example.com", False),
        ("https://localhost/token", "registry.example.com", True),
        ("https://[::1]/token", "registry.example.com", False),
        ("http://169.254.169.254/latest/meta-data", "registry.example.com", True),
        ("https://10.0.0.6/token", "10.0.0.5", False),
        ("https://192.168.1.1/token", "127.0.0.1", False),
        ("https://[fe80::1]/token", "registry.example.com", False),
        ("file:///etc/passwd", "registry.example.com", True),
        ("/token", "registry.example.com", True),
        ("https:///token", "registry.example.com", True),
        ("https://[bad/token", "registry.example.com", False),
        ("https://a\uff03b/token", "registry.example.com", False),
    ],
)
def test_a_realm_that_only_we_could_reach_is_refused(realm: str, host: str, is_insecure: bool) -> None:
    with pytest.raises(PeerError) as caught:
        refuse_realm(realm, host=host, is_insecure=is_insecure)
    assert caught.value.code == "realm-refused"
