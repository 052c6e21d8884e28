# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests to a registry on loopback that behaves well, oddly or badly; log-in, refusals, and what is told of them."""

from __future__ import annotations

import json
import typing as t
from base64 import b64encode

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    AuthError,
    ImagesError,
    NotFoundError,
    PeerError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.plugins.module_utils.wire.transport import Body
from ansible_collections.fleet.images.tests.unit.wire.odd_server import (
    Asked,
    OddServer,
    Patience,
    Reply,
    bearer_challenge,
    client_for,
)

if t.TYPE_CHECKING:
    from pathlib import Path

SCOPE = "repository:team/app:pull"
LOGIN = Credential("anna", "geheim-7731")
BASIC = "Basic " + b64encode(b"anna:geheim-7731").decode()
WANTS_BASIC = Reply(401, (("WWW-Authenticate", 'Basic realm="registry"'),))


def errors(code: str, message: str = "", detail: object = None) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


def raised_by(rule: t.Callable[[Asked], Reply], *, login: Credential | None = None, retry: int = 0) -> ImagesError:
    with OddServer(rule) as server:
        client = client_for(server.host, login=login, settings=RegistrySettings(retry=retry))
        with pytest.raises(ImagesError) as caught:
            client.request("GET", "/v2/team/app/manifests/1", scope=SCOPE, subject="team/app:1")
    return caught.value


class TokenRegistry:
    """A registry and its token server in one: wants the token that its token server gave last."""

    def __init__(self, *, user: str = "", needs: str = SCOPE) -> None:
        self.user = user
        self.needs = needs
        self.given = 0
        self.grants: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/token":
            return self._give(asked)
        token = asked.login.partition("Bearer ")[2]
        if self.needs in self.grants.get(token, "").split():
            return Reply(body=b"welcome")
        error = {"error": "insufficient_scope"} if token in self.grants else {}
        realm = f"http://{asked.headers['host']}/token"
        return Reply(401, bearer_challenge(realm, service="odd", scope=self.needs, **error))

    def revoke(self) -> None:
        self.grants.clear()

    def _give(self, asked: Asked) -> Reply:
        if self.user and asked.login != self.user:
            return Reply(401, body=errors("UNAUTHORIZED"))
        self.given += 1
        token = f"token-{self.given}"
        self.grants[token] = " ".join(asked.query.get("scope", []))
        return Reply(body=json.dumps({"token": token}).encode())


def test_an_anonymous_token_is_fetched_when_the_request_itself_is_challenged() -> None:
    registry = TokenRegistry()
    with OddServer(registry) as server:
        with client_for(server.host).request("GET", "/v2/team/app/manifests/1", scope=SCOPE) as answer:
            assert answer.body(100) == b"welcome"
        assert [asked.path for asked in server.asked] == [
            "/v2/team/app/manifests/1",
            "/token",
            "/v2/team/app/manifests/1",
        ]
        assert server.asked_for(path="/token")[0].query == {"service": ["odd"], "scope": [SCOPE]}


def test_the_second_request_for_a_scope_brings_its_token_without_being_asked() -> None:
    with OddServer(TokenRegistry()) as server:
        client = client_for(server.host)
        for _ in range(3):
            client.request("GET", "/v2/x", scope=SCOPE).close()
        assert [asked.path for asked in server.asked] == ["/v2/x", "/token", "/v2/x", "/v2/x", "/v2/x"]


def test_a_token_that_is_refused_is_renewed_once_and_the_request_succeeds() -> None:
    registry = TokenRegistry()
    with OddServer(registry) as server:
        client = client_for(server.host)
        client.request("GET", "/v2/x", scope=SCOPE).close()
        registry.revoke()
        client.request("GET", "/v2/x", scope=SCOPE).close()
        assert registry.given == 2


def test_the_wider_scope_that_a_refusal_names_is_asked_for_once_more() -> None:
    registry = TokenRegistry(needs="repository:team/app:delete,pull")
    with OddServer(registry) as server:
        client = client_for(server.host)
        registry.grants["token-0"] = ""
        registry.needs = SCOPE
        client.request("GET", "/v2/x", scope=SCOPE).close()
        registry.needs = "repository:team/app:pull,delete"
        client.request("GET", "/v2/x", scope=SCOPE).close()
        assert server.asked_for(path="/token")[-1].query["scope"] == ["repository:team/app:pull,delete"]
        assert registry.given == 2


def test_a_scope_that_is_never_granted_ends_in_an_error_and_not_in_a_loop() -> None:
    registry = TokenRegistry(user=BASIC)

    def grant_nothing(asked: Asked) -> Reply:
        reply = registry(asked)
        registry.grants = dict.fromkeys(registry.grants, "")
        return reply

    with OddServer(grant_nothing) as server:
        client = client_for(server.host, login=LOGIN)
        with pytest.raises(AuthError) as caught:
            client.request("GET", "/v2/x", scope=SCOPE)
        assert caught.value.code == "access-denied"
        assert [asked.path for asked in server.asked] == ["/v2/x", "/token", "/v2/x"]


def test_a_token_server_that_refuses_the_password_is_told_from_one_that_wants_one() -> None:
    assert raised_by(TokenRegistry(user="Basic other"), login=LOGIN).code == "auth-refused"
    assert raised_by(TokenRegistry(user="Basic other")).code == "auth-required"


def test_basic_credentials_are_sent_when_asked_for_and_from_then_on_at_once() -> None:
    with OddServer(lambda asked: Reply() if asked.login == BASIC else WANTS_BASIC) as server:
        client = client_for(server.host, login=LOGIN)
        client.request("GET", "/v2/a", scope=SCOPE).close()
        client.request("GET", "/v2/b", scope=SCOPE).close()
        assert [asked.login for asked in server.asked] == ["", BASIC, BASIC]


def test_refused_basic_credentials_are_not_sent_again() -> None:
    with OddServer(lambda _asked: WANTS_BASIC) as server:
        with pytest.raises(AuthError) as caught:
            client_for(server.host, login=LOGIN).request("GET", "/v2/a", scope=SCOPE)
        assert caught.value.code == "auth-refused"
        assert "anna" in str(caught.value)
        assert len(server.asked) == 2


def test_who_needs_credentials_is_told_where_they_were_looked_for() -> None:
    error = raised_by(lambda _asked: WANTS_BASIC)
    assert isinstance(error, AuthError)
    assert error.code == "auth-required"
    assert "looked for in" in error.fix
    assert "config.json" in error.fix


def test_a_forbidden_request_is_no_matter_of_the_password() -> None:
    error = raised_by(lambda _asked: Reply(403, body=errors("DENIED", "no rights")), login=LOGIN)
    assert isinstance(error, AuthError)
    assert error.code == "access-denied"
    assert "DENIED: no rights" in error.why


def test_a_forbidden_request_is_not_sent_again_with_another_log_in() -> None:
    with OddServer(lambda _asked: WANTS_BASIC._replace(status=403)) as server:
        with pytest.raises(AuthError):
            client_for(server.host, login=LOGIN).request("GET", "/v2/a", scope=SCOPE)
        assert len(server.asked) == 1


def test_a_body_is_not_sent_again_after_a_refused_token_but_the_next_request_has_a_new_one() -> None:
    import io

    registry = TokenRegistry()
    with OddServer(registry) as server:
        client = client_for(server.host)
        client.request("GET", "/v2/x", scope=SCOPE).close()
        registry.revoke()
        body = Body(lambda: io.BytesIO(b"bytes"), 5)
        client.request("PATCH", "/v2/x", scope=SCOPE, body=body, expect=(401,)).close()
        client.request("PATCH", "/v2/x", scope=SCOPE, body=body).close()
        assert [asked.login for asked in server.asked_for("PATCH")] == ["Bearer token-1", "Bearer token-2"]


def test_a_netrc_file_does_not_change_who_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login mallory password other\ndefault login mallory password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with OddServer(lambda asked: Reply() if asked.login == BASIC else WANTS_BASIC) as server:
        client_for(server.host, login=LOGIN).request("GET", "/v2/", scope=SCOPE).close()
        assert [asked.login for asked in server.asked] == ["", BASIC]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, PeerError, "unexpected-answer"),
        (404, NotFoundError, "not-found"),
        (408, UnavailableError, "timed-out"),
        (416, PeerError, "unexpected-answer"),
        (429, UnavailableError, "rate-limited"),
        (500, UnavailableError, "server-failed"),
        (501, UnavailableError, "server-failed"),
        (201, PeerError, "unexpected-answer"),
    ],
)
def test_each_unexpected_status_has_its_error(status: int, kind: type[ImagesError], code: str) -> None:
    error = raised_by(lambda _asked: Reply(status, body=errors("SOME_CODE", "some words", {"Tag": "1"})))
    assert type(error) is kind
    assert error.code == code
    assert error.subject == "team/app:1"
    assert f"answered with {status}" in error.why
    assert 'SOME_CODE: some words: {"Tag": "1"}' in error.why
    assert error.retryable == (status in (408, 429, 500))


def test_an_expected_status_is_an_answer_even_if_it_is_an_error() -> None:
    with OddServer(lambda _asked: Reply(404)) as server:
        answer = client_for(server.host).request("GET", "/v2/", scope=SCOPE, expect=(404,))
        assert answer.status == 404
        answer.close()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_tried_again_and_each_attempt_is_counted(status: int) -> None:
    answers = iter([Reply(status), Reply(status), Reply(body=b"ok")])
    with OddServer(lambda _asked: next(answers)) as server:
        patience = Patience()
        client = client_for(server.host, settings=RegistrySettings(retry=2), sleep=patience)
        client.request("GET", "/v2/", scope=SCOPE).close()
        assert len(server.asked) == 3
        first, second = patience.pauses
        assert 0.5 <= first <= 1.0 <= second <= 2.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_what_will_not_pass_is_asked_once(status: int) -> None:
    with OddServer(lambda _asked: Reply(status)) as server:
        with pytest.raises(ImagesError):
            client_for(server.host, settings=RegistrySettings(retry=5)).request("GET", "/v2/", scope=SCOPE)
        assert len(server.asked) == 1


def test_the_registry_says_how_long_to_wait() -> None:
    answers = iter([Reply(429, (("Retry-After", "17"),), b"Too many requests"), Reply()])
    with OddServer(lambda _asked: next(answers)) as server:
        patience = Patience()
        client_for(server.host, sleep=patience).request("GET", "/v2/", scope=SCOPE).close()
        assert 17.0 <= patience.pauses[0] <= 18.0


def test_a_token_server_under_load_is_waited_for_too() -> None:
    registry, refusals = TokenRegistry(), iter([Reply(429, (("Retry-After", "5"),))])
    with OddServer(
        lambda asked: next(refusals, None) or registry(asked) if asked.path == "/token" else registry(asked)
    ) as server:
        patience = Patience()
        client_for(server.host, sleep=patience).request("GET", "/v2/", scope=SCOPE).close()
        assert 5.0 <= patience.pauses[0] <= 6.0


def test_attempts_and_pauses_of_one_exchange_end_at_its_deadline_and_the_next_has_its_own() -> None:
    now, settings = [100.0], RegistrySettings(deadline=30.0, retry=9, retry_delay=0.0)

    def reply(_asked: object) -> Reply:
        now[0] += 9.0
        return Reply(503)

    with OddServer(reply) as server:
        client = client_for(server.host, settings=settings, clock=lambda: now[0])
        for exchanges in (1, 2):
            with pytest.raises(UnavailableError) as caught:
                client.request("GET", "/v2/", scope=SCOPE)
            assert caught.value.code == "server-failed"
            assert len(server.asked) == 4 * exchanges


def test_after_the_deadline_nothing_is_sent() -> None:
    with OddServer(lambda _asked: Reply()) as server:
        client = client_for(server.host, settings=RegistrySettings(deadline=0.0))
        with pytest.raises(UnavailableError) as caught:
            client.request("GET", "/v2/", scope=SCOPE)
        assert caught.value.code == "deadline-passed"
        assert not caught.value.retryable
        assert server.asked == []


def test_a_body_is_sent_with_its_length_and_never_repeated() -> None:
    with OddServer(lambda _asked: Reply(503)) as server:
        import io

        opened = []

        def source() -> io.BytesIO:
            opened.append(io.BytesIO(b"x" * 3_000_000))
            return opened[-1]

        client = client_for(server.host, settings=RegistrySettings(retry=5, validate_certs=False))
        client.request("GET", "/v2/", scope=SCOPE, expect=(503,)).close()
        with pytest.raises(UnavailableError):
            client.request("PUT", "/upload", scope=SCOPE, body=Body(source, 3_000_000))
        (asked,) = server.asked_for("PUT")
        assert asked.headers["content-length"] == "3000000"
        assert "transfer-encoding" not in asked.headers
        assert asked.body == b"x" * 3_000_000
        assert [stream.closed for stream in opened] == [True]


def test_every_request_says_who_asks_and_wants_the_stored_bytes() -> None:
    with OddServer(lambda _asked: Reply()) as server:
        client_for(server.host).request("GET", "/v2/", scope=SCOPE, headers={"Accept": "a/b"}).close()
        (asked,) = server.asked
        assert asked.headers["user-agent"].startswith("fleet.images/")
        assert asked.headers["accept-encoding"] == "identity"
        assert asked.headers["accept"] == "a/b"


def test_content_in_another_encoding_is_refused() -> None:
    error = raised_by(lambda _asked: Reply(200, (("Content-Encoding", "gzip"),), b"\x1f\x8b"))
    assert isinstance(error, PeerError)
    assert error.code == "content-encoded"


def test_warnings_for_people_are_kept_once_each() -> None:
    headers = (("Warning", '299 - "old, please move"'), ("Warning", '299 - "second"'), ("Warning", '110 - "stale"'))
    with OddServer(lambda _asked: Reply(200, headers)) as server:
        client = client_for(server.host)
        client.request("GET", "/v2/", scope=SCOPE).close()
        client.request("GET", "/v2/", scope=SCOPE).close()
        assert client.warnings == ["old, please move", "second"]


def test_cookies_are_not_kept() -> None:
    with OddServer(lambda _asked: Reply(200, (("Set-Cookie", "sid=1; Path=/"),))) as server:
        client = client_for(server.host)
        client.request("GET", "/v2/", scope=SCOPE).close()
        client.request("GET", "/v2/", scope=SCOPE).close()
        assert all("cookie" not in asked.headers for asked in server.asked)


def test_docker_hub_has_another_host_for_its_registry() -> None:
    from ansible_collections.fleet.images.plugins.module_utils.wire.registry_connection import RegistryConnection

    connection = RegistryConnection("docker.io", settings=RegistrySettings())
    assert connection.host == "registry-1.docker.io"


SECRETS = ["geheim-7731", b64encode(b"anna:geheim-7731").decode(), "signature-4711"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_no_secret_and_no_query_gets_into_an_error(status: int) -> None:
    def tell_all(asked: Asked) -> Reply:
        if not asked.login and status != 401:
            return WANTS_BASIC
        body = f"you sent {asked.login} and geheim-7731 to http://h/p?sig=signature-4711 and {asked.target}"
        return Reply(status, (*WANTS_BASIC.headers, ("Content-Type", "text/plain")), body.encode())

    with OddServer(tell_all) as server:
        client = client_for(server.host, login=LOGIN, settings=RegistrySettings(retry=0))
        with pytest.raises(ImagesError) as caught:
            client.request("GET", "/v2/a?sig=signature-4711", scope=SCOPE)
        told = json.dumps(caught.value.to_json()) + str(caught.value)
        assert "you sent" in told
        assert not [secret for secret in SECRETS if secret in told]


def test_a_web_page_instead_of_an_error_is_named_and_not_quoted() -> None:
    error = raised_by(lambda _asked: Reply(404, (("Content-Type", "text/html"),), b"<html><h1>nginx</h1></html>"))
    assert "a web page" in error.why
    assert "nginx" not in error.why


def test_an_endless_error_page_is_read_only_to_a_limit() -> None:
    error = raised_by(lambda _asked: Reply(404, (("Content-Type", "text/plain"),), b"words " * 2_000_000))
    assert error.code == "not-found"
    assert len(error.why) < 1000
