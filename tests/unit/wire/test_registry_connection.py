# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Below log-in: TLS or plain HTTP, redirects by hand, broken and refused connections."""

from __future__ import annotations

import socket
import ssl
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError, PeerError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support.certificates import Certificates, make_certificates
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply, client_for

if t.TYPE_CHECKING:
    from pathlib import Path

SCOPE = "repository:a:pull"
LOGIN = Credential("anna", "geheim-7731")


def status_of(host: str, settings: RegistrySettings, *, method: str = "GET", target: str = "/v2/") -> int:
    client = client_for(host, settings=settings._replace(retry=0))
    with client.request(method, target, scope=SCOPE) as answer:
        return answer.status


def code_of(host: str, settings: RegistrySettings, *, method: str = "GET", target: str = "/v2/") -> str:
    with pytest.raises(ImagesError) as caught:
        status_of(host, settings, method=method, target=target)
    return caught.value.code


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificates.server), str(certificates.server_key))
    return context


def redirecting(location: str, status: int = 307) -> t.Callable[[Asked], Reply]:
    def rule(asked: Asked) -> Reply:
        if asked.path == "/v2/":
            return Reply(status, (("Location", location.replace("HOST", asked.headers["host"])),))
        return Reply(body=b"there")

    return rule


def test_plain_http_is_spoken_to_loopback_after_tls_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with OddServer(lambda _asked: Reply()) as server:
        assert status_of(server.host, RegistrySettings()) == 200
        assert status_of(server.host, RegistrySettings(validate_certs=False)) == 200


def test_plain_http_is_not_spoken_to_who_wants_checked_certificates() -> None:
    with OddServer(lambda _asked: Reply()) as server:
        assert code_of(server.host, RegistrySettings(validate_certs=True)) == "tls-not-spoken"
        assert server.asked == []


def test_which_way_a_registry_speaks_is_found_out_once() -> None:
    with OddServer(lambda _asked: Reply()) as server:
        client = client_for(server.host)
        for _ in range(4):
            client.request("GET", "/v2/", scope=SCOPE).close()
        assert server.connections == 2  # the TLS one that failed, and one that is kept


def test_a_certificate_of_an_unknown_authority_is_refused_even_on_loopback(tls: ssl.SSLContext) -> None:
    with OddServer(lambda _asked: Reply(), tls=tls) as server:
        assert code_of(server.host, RegistrySettings()) == "tls-untrusted"
        assert code_of(server.host, RegistrySettings(validate_certs=True)) == "tls-untrusted"
        assert server.asked == []


def test_the_remedy_for_an_untrusted_certificate_names_both_options(tls: ssl.SSLContext) -> None:
    with OddServer(lambda _asked: Reply(), tls=tls) as server:
        with pytest.raises(PeerError) as caught:
            status_of(server.host, RegistrySettings())
        assert "registry_ca_path" in caught.value.fix
        assert "registry_validate_certs" in caught.value.fix
        assert not caught.value.retryable


def test_an_own_authority_is_trusted_when_it_is_named_by_file_or_folder(
    tls: ssl.SSLContext, certificates: Certificates, tmp_path: Path
) -> None:
    (tmp_path / "own.crt").write_bytes(certificates.authority.read_bytes())
    with OddServer(lambda _asked: Reply(), tls=tls) as server:
        assert status_of(server.host, RegistrySettings(ca_path=str(certificates.authority))) == 200
        assert status_of(server.host, RegistrySettings(ca_path=str(tmp_path))) == 200


def test_no_certificate_is_checked_when_the_task_says_so(tls: ssl.SSLContext) -> None:
    with OddServer(lambda _asked: Reply(), tls=tls) as server:
        assert status_of(server.host, RegistrySettings(validate_certs=False)) == 200


def test_certificates_of_the_environment_do_not_count(
    tls: ssl.SSLContext, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificates.authority))
    with OddServer(lambda _asked: Reply(), tls=tls) as server:
        assert code_of(server.host, RegistrySettings()) == "tls-untrusted"


def test_a_certificate_for_another_name_is_told_from_an_untrusted_one(
    tls: ssl.SSLContext, certificates: Certificates
) -> None:
    with OddServer(lambda _asked: Reply(), tls=tls, address="127.0.0.9") as server:
        assert code_of(server.host, RegistrySettings(ca_path=str(certificates.authority))) == "tls-wrong-host"


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{sock.getsockname()[1]}"
        with pytest.raises(UnavailableError) as caught:
            status_of(host, RegistrySettings())
    assert caught.value.code == "connection-refused"
    assert caught.value.retryable


def test_a_name_that_does_not_exist_is_told() -> None:
    with pytest.raises(UnavailableError) as caught:
        status_of("no-such-host.invalid", RegistrySettings())
    assert caught.value.code == "host-not-found"


def test_a_connection_that_breaks_before_the_answer_is_tried_again() -> None:
    with OddServer(lambda _asked: Reply()) as server:
        client = client_for(server.host, settings=RegistrySettings(retry=1))
        client.request("GET", "/v2/", scope=SCOPE).close()
        cuts = iter([0])
        server.drop_body_after = lambda _asked: next(cuts, None)
        client.request("GET", "/v2/", scope=SCOPE).close()
        assert len(server.asked) == 3


def test_a_silent_server_is_given_up_after_the_time_out() -> None:
    with OddServer(lambda _asked: Reply()) as server:

        def wait(_asked: Asked) -> Reply:
            server.released.wait(60)
            return Reply()

        server.rule = wait
        assert code_of(server.host, RegistrySettings(timeout=0.3)) == "timed-out"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_follows_every_redirect_with_the_same_method(status: int, method: str) -> None:
    with OddServer(redirecting("/other?state=a%2Db%7E", status)) as server:
        assert status_of(server.host, RegistrySettings(), method=method) == 200
        assert [(asked.method, asked.target) for asked in server.asked][1:] == [(method, "/other?state=a%2Db%7E")]


@pytest.mark.parametrize("status", [307, 308])
def test_writing_follows_redirects_that_keep_the_method_and_sends_the_body_again(status: int) -> None:
    with OddServer(redirecting("/other", status)) as server:
        client_for(server.host).request("PUT", "/v2/", scope=SCOPE, body=b"bytes").close()
        assert [(asked.method, asked.path, asked.body) for asked in server.asked] == [
            ("PUT", "/v2/", b"bytes"),
            ("PUT", "/other", b"bytes"),
        ]


@pytest.mark.parametrize("status", [301, 302, 303])
def test_writing_never_turns_into_reading(status: int) -> None:
    with OddServer(redirecting("/other", status)) as server:
        with pytest.raises(PeerError) as caught:
            client_for(server.host).request("PUT", "/v2/", scope=SCOPE, body=b"bytes")
        assert caught.value.code == "unexpected-answer"
        assert len(server.asked) == 1


def test_the_log_in_does_not_follow_to_another_server() -> None:
    with OddServer(lambda _asked: Reply(body=b"content")) as network, OddServer(lambda _asked: Reply()) as server:

        def rule(asked: Asked) -> Reply:
            if not asked.login:
                return Reply(401, (("WWW-Authenticate", 'Basic realm="r"'),))
            return Reply(307, (("Location", f"{network.url}/blob?sig=1"),))

        server.rule = rule
        client = client_for(server.host, login=LOGIN)
        with client.request("GET", "/v2/blob", scope=SCOPE, headers={"Range": "bytes=5-"}) as answer:
            assert answer.body(100) == b"content"
        (asked,) = network.asked
        assert "authorization" not in asked.headers
        assert asked.headers["range"] == "bytes=5-"
        assert asked.target == "/blob?sig=1"


def test_the_log_in_stays_with_the_registry_when_it_redirects_to_itself() -> None:
    def rule(asked: Asked) -> Reply:
        if not asked.login:
            return Reply(401, (("WWW-Authenticate", 'Basic realm="r"'),))
        return Reply(307, (("Location", "/moved"),)) if asked.path == "/v2/" else Reply()

    with OddServer(rule) as server:
        client_for(server.host, login=LOGIN).request("GET", "/v2/", scope=SCOPE).close()
        assert server.asked[-1].path == "/moved"
        assert server.asked[-1].login.startswith("Basic ")


@pytest.mark.parametrize("page", [b"AccessDenied signature-4711", b'{"errors": [{"code": "signature-4711"}]}'])
def test_a_refusal_by_another_server_is_no_reason_to_log_in_and_is_not_quoted(page: bytes) -> None:
    challenge = (("WWW-Authenticate", 'Basic realm="r"'), ("Content-Type", "text/plain"))
    with OddServer(lambda _asked: Reply(401, challenge, page)) as network, OddServer(lambda _asked: Reply()) as server:
        server.rule = redirecting(f"{network.url}/blob?sig=signature-4711")
        with pytest.raises(ImagesError) as caught:
            client_for(server.host, login=LOGIN).request("GET", "/v2/", scope=SCOPE)
        assert len(network.asked) == 1
    assert "signature-4711" not in str(caught.value)


def test_a_redirect_from_tls_to_plain_http_is_refused(tls: ssl.SSLContext, certificates: Certificates) -> None:
    with OddServer(redirecting("http://HOST/other"), tls=tls) as server:
        assert code_of(server.host, RegistrySettings(ca_path=str(certificates.authority))) == "redirect-downgrade"
        assert len(server.asked) == 1


def test_redirects_in_circles_end() -> None:
    with OddServer(redirecting("/v2/")) as server:
        assert code_of(server.host, RegistrySettings()) == "too-many-redirects"
        assert len(server.asked) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[::1", "http://h:99999/", "gopher://h/"])
def test_a_redirect_to_no_web_address_is_refused(location: str) -> None:
    with OddServer(redirecting(location)) as server:
        assert code_of(server.host, RegistrySettings()) == "bad-address"


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with OddServer(lambda _asked: Reply(body=b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        client = client_for("registry.invalid:80", settings=RegistrySettings(validate_certs=False, retry=0))
        client._connection._scheme = "http"
        with client.request("GET", "/v2/", scope=SCOPE) as answer:
            assert answer.body(100) == b"by proxy"
        assert proxy.asked[0].target == "http://registry.invalid:80/v2/"
