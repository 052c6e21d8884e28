# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engine connections against real servers on unix sockets: well-behaved, stale, broken and mute ones."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    AuthError,
    ConflictError,
    ImagesError,
    InputError,
    NotFoundError,
    PeerError,
    UnavailableError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import EngineConnection, EngineEndpoint
from ansible_collections.fleet.images.tests.unit.wire.daemon import (
    PATIENCE,
    Daemon,
    Request,
    Start,
    answer_bytes,
    answer_json,
    sending,
)

SILENCE = 0.2


@pytest.mark.parametrize(
    ("text", "endpoint", "shown"),
    [
        ("unix:///var/run/docker.sock", ("unix", "/var/run/docker.sock", 0), "unix:///var/run/docker.sock"),
        ("unix://var/run/docker.sock", ("unix", "/var/run/docker.sock", 0), "unix:///var/run/docker.sock"),
        ("/run/podman/podman.sock", ("unix", "/run/podman/podman.sock", 0), "unix:///run/podman/podman.sock"),
        ("tcp://192.0.2.1:2375", ("tcp", "192.0.2.1", 2375), "tcp://192.0.2.1:2375"),
        ("tcp://192.0.2.1", ("tcp", "192.0.2.1", 0), "tcp://192.0.2.1"),
        ("http://engine.example.com:80", ("http", "engine.example.com", 80), "http://engine.example.com:80"),
        ("https://[2001:db8::1]:2376", ("https", "2001:db8::1", 2376), "https://[2001:db8::1]:2376"),
    ],
)
def test_an_address_is_read_and_written(text: str, endpoint: tuple[str, str, int], shown: str) -> None:
    assert EngineEndpoint.parse(text) == endpoint
    assert str(EngineEndpoint.parse(text)) == shown
    assert EngineEndpoint.parse(shown) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docker",
        "unix://",
        "tcp://",
        "tcp://h:port",
        "tcp://h:99999",
        "tcp://[::1",
        "ftp://h",
        "tcp://u:hunter2@h:1",
    ],
)
def test_what_is_no_address_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError) as caught:
        EngineEndpoint.parse(text)
    assert caught.value.code == "bad-engine-address"
    assert "hunter2" not in f"{caught.value} {caught.value.to_json()}"


@pytest.mark.parametrize("text", ["ssh://root@host", "npipe:////./pipe/docker_engine", "fd://"])
def test_addresses_of_other_kinds_are_named_unsupported(text: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        EngineEndpoint.parse(text)
    assert caught.value.code == "engine-address-unsupported"


def test_a_request_carries_query_headers_and_json(start: Start) -> None:
    daemon, connection = start(
        sending(answer_bytes(b'{"Id": "x"}', status="201 Created", headers="Api-Version: 1.41\r\n"))
    )
    status, parsed, headers = connection.request_json(
        "POST",
        "/v1.41/containers/a b/commit",
        query={"repo": "x/y", "change": ["CMD a", "ENV b=c"]},
        body={"Image": "x"},
        headers={"X-Registry-Auth": "e30="},
    )
    assert (status, parsed, headers["api-version"]) == (201, {"Id": "x"}, "1.41")
    (request,) = daemon.requests
    assert request.line == "POST /v1.41/containers/a%20b/commit?repo=x%2Fy&change=CMD+a&change=ENV+b%3Dc HTTP/1.1"
    assert request.headers["host"].startswith("localhost")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-registry-auth"] == "e30="
    assert json.loads(request.body) == {"Image": "x"}


@pytest.mark.parametrize("raw", [b"HTTP/1.1 204 No Content\r\n\r\n", answer_bytes(b"")])
def test_an_empty_answer_is_none(start: Start, raw: bytes) -> None:
    daemon, connection = start(sending(raw))
    assert [connection.request_json("DELETE", "/x")[1] for _ in range(2)] == [None, None]
    assert daemon.connections == 1


def test_a_head_request_gives_headers_without_waiting_for_a_body(start: Start) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nApi-Version: 1.41\r\n\r\n"
    _daemon, connection = start(sending(head))
    status, parsed, headers = connection.request_json("HEAD", "/_ping")
    assert (status, parsed, headers["api-version"]) == (200, None, "1.41")


def test_requests_share_a_connection(start: Start) -> None:
    daemon, connection = start(sending(answer_json({})))
    for _ in range(3):
        connection.request_json("GET", "/info")
    assert (daemon.connections, len(daemon.requests)) == (1, 3)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("400 Bad Request", UnsupportedError, "engine-refused"),
        ("401 Unauthorized", AuthError, "engine-permission"),
        ("403 Forbidden", AuthError, "engine-permission"),
        ("404 Not Found", NotFoundError, "engine-not-found"),
        ("405 Method Not Allowed", UnsupportedError, "engine-refused"),
        ("409 Conflict", ConflictError, "engine-conflict"),
        ("429 Too Many Requests", UnavailableError, "engine-unavailable"),
        ("500 Internal Server Error", PeerError, "engine-failed"),
        ("501 Not Implemented", PeerError, "engine-failed"),
        ("503 Service Unavailable", UnavailableError, "engine-unavailable"),
    ],
)
def test_a_refusal_tells_status_and_the_daemons_words(
    start: Start, status: str, kind: type[ImagesError], code: str
) -> None:
    daemon, connection = start(sending(answer_json({"message": "no such image: x"}, status=status)))
    for _ in range(2):
        with pytest.raises(kind) as caught:
            connection.request_json("GET", "/images/x/json")
        assert caught.value.code == code
        assert caught.value.why == f"GET /images/x/json: status {status[:3]}: no such image: x"
        assert caught.value.subject == str(connection.endpoint)
    assert daemon.connections == 1


def test_a_refusal_without_json_shows_its_text_without_secrets(start: Start) -> None:
    text = "cannot pull https://u:hunter2@registry.example.com/v2/?token=hunter2 now"
    _daemon, connection = start(sending(answer_bytes(text.encode(), status="500 Oops")))
    with pytest.raises(PeerError) as caught:
        connection.request_json("POST", "/images/create", query={"token": "hunter2"})
    assert caught.value.why.endswith("cannot pull https://registry.example.com/v2/ now")
    assert "hunter2" not in str(caught.value)


def test_an_expected_status_is_an_answer(start: Start) -> None:
    _daemon, connection = start(sending(answer_json({"message": "gone"}, status="404 Not Found")))
    status, parsed, _headers = connection.request_json("GET", "/images/x/json", expect=(200, 404))
    assert (status, parsed) == (404, {"message": "gone"})


def test_an_answer_that_is_no_json_is_a_peer_error(start: Start) -> None:
    _daemon, connection = start(sending(answer_bytes(b"<html>")))
    with pytest.raises(PeerError) as caught:
        connection.request_json("GET", "/info")
    assert caught.value.code == "engine-not-json"


def test_a_server_that_does_not_speak_http_is_a_peer_error(start: Start) -> None:
    _daemon, connection = start(sending(b"SSH-2.0-OpenSSH_9.2\r\n", ends=True))
    with pytest.raises(PeerError) as caught:
        connection.request_json("GET", "/info")
    assert caught.value.code == "engine-not-http"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_the_daemon_closed_is_replaced(start: Start, method: str) -> None:
    closed = threading.Event()

    def answer(_daemon: Daemon, sock: socket.socket, _request: Request) -> None:
        sock.sendall(answer_json({}))
        sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    daemon, connection = start(answer)
    for _ in range(3):
        closed.clear()
        connection.request_json(method, "/x")
        assert closed.wait(PATIENCE)
    assert (daemon.connections, len(daemon.requests)) == (3, 3)


def closing_on_the_second_request(daemon: Daemon, sock: socket.socket, _request: Request) -> None:
    if len(daemon.requests) == 2:
        sock.shutdown(socket.SHUT_RDWR)
    else:
        sock.sendall(answer_json({"request": len(daemon.requests)}))


def test_a_get_that_fails_on_a_kept_connection_is_sent_once_more(start: Start) -> None:
    daemon, connection = start(closing_on_the_second_request)
    answers = [connection.request_json("GET", "/x")[1] for _ in range(2)]
    assert answers == [{"request": 1}, {"request": 3}]
    assert daemon.connections == 2


def test_a_post_that_fails_on_a_kept_connection_is_not_repeated(start: Start) -> None:
    daemon, connection = start(closing_on_the_second_request)
    connection.request_json("POST", "/x")
    with pytest.raises(UnavailableError) as caught:
        connection.request_json("POST", "/x", query={"auth": "hunter2"})
    assert caught.value.code == "engine-connection-lost"
    assert "hunter2" not in str(caught.value)
    assert len(daemon.requests) == 2


def test_a_get_that_fails_on_a_new_connection_is_not_repeated(start: Start) -> None:
    daemon, connection = start(sending(b"", ends=True))
    with pytest.raises(UnavailableError) as caught:
        connection.request_json("GET", "/x")
    assert (caught.value.code, caught.value.retryable) == ("engine-connection-lost", True)
    assert len(daemon.requests) == 1


def waiting(daemon: Daemon, _sock: socket.socket, _request: Request) -> None:
    daemon.released.wait(PATIENCE)


def test_silence_ends_in_a_time_out(start: Start) -> None:
    daemon, connection = start(waiting, timeout=SILENCE)
    with pytest.raises(UnavailableError) as caught:
        connection.request_json("GET", "/x")
    assert caught.value.code == "engine-timeout"
    assert len(daemon.requests) == 1


def test_a_request_may_have_a_time_limit_of_its_own(start: Start) -> None:
    daemon, connection = start(waiting)
    with pytest.raises(UnavailableError) as caught:
        connection.request_json("POST", "/images/prune", timeout=SILENCE)
    assert caught.value.code == "engine-timeout"
    daemon.released.set()


def test_a_missing_socket_says_how_to_start_the_engine(folder: Path) -> None:
    connection = EngineConnection(
        EngineEndpoint("unix", f"{folder}/absent.sock"), timeout=PATIENCE, start_hint="systemctl start docker"
    )
    with pytest.raises(NotFoundError) as caught:
        connection.request_json("GET", "/info")
    assert (caught.value.code, caught.value.fix) == ("engine-unreachable", "systemctl start docker")


def test_a_socket_that_nobody_serves_is_unavailable(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(f"{folder}/old.sock")
    with pytest.raises(UnavailableError) as caught:
        EngineConnection(EngineEndpoint("unix", f"{folder}/old.sock"), timeout=PATIENCE).request_json("GET", "/info")
    assert caught.value.code == "engine-unreachable"


def test_a_socket_path_longer_than_the_system_takes_is_unavailable() -> None:
    with pytest.raises(UnavailableError) as caught:
        EngineConnection(EngineEndpoint("unix", "/" + "x" * 200), timeout=PATIENCE).request_json("GET", "/info")
    assert caught.value.code == "engine-unreachable"


def test_a_socket_of_somebody_else_is_a_question_of_permission(folder: Path) -> None:
    script = """
import http.client, os, ssl, sys
from ansible_collections.fleet.images.plugins.module_utils.model.errors import AuthError
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import EngineConnection, EngineEndpoint
from ansible_collections.fleet.images.plugins.module_utils.wire import engine_failure, engine_stream
if os.getuid() == 0:
    os.setuid(65534)  # root may connect everywhere
try:
    EngineConnection(EngineEndpoint("unix", sys.argv[1]), timeout=60).request_json("GET", "/info")
except AuthError as error:
    print(error.code)
"""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/engine.sock")
        listener.listen()
        (folder / "engine.sock").chmod(0)
        folder.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", script, f"{folder}/engine.sock"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout.strip(), done.stderr) == ("engine-permission", "")


def test_a_closed_connection_keeps_nothing_open(start: Start) -> None:
    daemon, connection = start(sending(answer_json({})))
    connection.request_json("GET", "/x")
    connection.close()
    for _ in range(2):
        connection.request_json("GET", "/x")
    assert daemon.connections == 3
