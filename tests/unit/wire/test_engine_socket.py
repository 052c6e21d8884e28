# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engine connections against real servers on unix sockets, TCP and TLS: well-behaved, stale, broken and mute ones."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import typing as t
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
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import (
    EngineConnection,
    EngineEndpoint,
    EngineTls,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 60.0
SILENCE = 0.2


class Request(t.NamedTuple):
    """What the server read: request line, headers with lower-case names, body without its chunks."""

    line: str
    headers: dict[str, str]
    body: bytes


Answer = t.Callable[["Daemon", socket.socket, Request], None]


class Daemon:
    """A server in a thread that hands each request on each connection to ``answer``.

    ``answer`` writes raw bytes, so that it can break any rule; it closes the connection by ``shutdown``.
    """

    def __init__(self, listener: socket.socket, answer: Answer, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.released = threading.Event()  # an answer may wait for the test here
        self._answer = answer
        self._tls = tls
        self._listener = listener
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(PATIENCE)
        self._listener.close()
        assert not any(thread.is_alive() for thread in self._threads)

    def _accept(self) -> None:
        while True:
            try:
                sock, _peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(sock)
            if self._tls is not None:
                sock = stack.enter_context(self._tls.wrap_socket(sock, server_side=True))
            reader = stack.enter_context(sock.makefile("rb"))
            while (request := read_request(reader)) is not None:
                self.requests.append(request)
                self._answer(self, sock, request)


def read_request(reader: t.BinaryIO) -> Request | None:
    line = reader.readline().decode().strip()
    if not line:
        return None
    headers: dict[str, str] = {}
    while header := reader.readline().decode().strip():
        name, _colon, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    if headers.get("transfer-encoding") == "chunked":
        while length := int(reader.readline() or b"0", 16):
            body += reader.read(length)
            reader.readline()
        reader.readline()
    return Request(line, headers, body)


def answer_bytes(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answer_json(value: object, *, status: str = "200 OK") -> bytes:
    return answer_bytes(json.dumps(value).encode(), status=status, headers="Content-Type: application/json\r\n")


def sending(raw: bytes, *, ends: bool = False) -> Answer:
    def answer(_daemon: Daemon, sock: socket.socket, _request: Request) -> None:
        sock.sendall(raw)
        if ends:
            sock.shutdown(socket.SHUT_RDWR)

    return answer


def chunks(*parts: bytes, ends: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head + body + (b"0\r\n\r\n" if ends else b"")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="fi-") as name:
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., tuple[Daemon, EngineConnection]]]:
    """Start a daemon on a unix socket and return it with a connection to it; both are closed afterwards."""
    with contextlib.ExitStack() as stack:

        def start(answer: Answer, *, timeout: float = PATIENCE) -> tuple[Daemon, EngineConnection]:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(folder / "engine.sock"))
            listener.listen()
            daemon = Daemon(listener, answer)
            stack.callback(daemon.stop)
            endpoint = EngineEndpoint.parse(f"unix://{folder}/engine.sock")
            return daemon, stack.enter_context(EngineConnection(endpoint, timeout=timeout))

        yield start


Start = t.Callable[..., tuple[Daemon, EngineConnection]]


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


def test_messages_come_whole_however_the_bytes_are_cut(start: Start) -> None:
    wanted = [{"status": "Pulling", "n": at, "text": 'ä€}{\\n\n"'} for at in range(20)]
    stream = b" \r\n".join(json.dumps(row, ensure_ascii=at % 2 == 0).encode() for at, row in enumerate(wanted[:10]))
    stream += b"".join(json.dumps(row).encode() for row in wanted[10:]) + b"\n"
    cut = [stream[at : at + 3] for at in range(0, len(stream), 3)]
    daemon, connection = start(sending(chunks(*cut)))
    with connection.stream("POST", "/images/create") as answer:
        assert list(answer.messages()) == wanted
    with connection.stream("POST", "/images/create") as answer:
        assert list(answer.messages()) == wanted
    assert daemon.connections == 1


def test_a_message_is_there_before_the_stream_ends(start: Start) -> None:
    def answer(daemon: Daemon, sock: socket.socket, _request: Request) -> None:
        sock.sendall(chunks(b'{"status": "first"}', b'{"sta', ends=False))
        daemon.released.wait(PATIENCE)
        sock.sendall(b'f\r\ntus": "second"}\r\n0\r\n\r\n')

    daemon, connection = start(answer)
    with connection.stream("POST", "/x") as stream:
        messages = stream.messages()
        assert next(messages) == {"status": "first"}
        daemon.released.set()
        assert list(messages) == [{"status": "second"}]


@pytest.mark.parametrize(
    "stream", [b"<html>", b"[1]", b'{"a": 1} x', b'{"a": 1', b'{"a": }', b'"text"', b"7", b'{"a":' * 100000 + b"}"]
)
def test_a_stream_of_anything_else_is_a_peer_error(start: Start, stream: bytes) -> None:
    _daemon, connection = start(sending(chunks(stream)))
    with connection.stream("POST", "/x") as answer, pytest.raises(PeerError) as caught:
        list(answer.messages())
    assert caught.value.code == "engine-not-json"


@pytest.mark.parametrize(
    "raw",
    [chunks(b'{"a": 1}', ends=False), b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a": 1}'],
)
def test_a_stream_that_breaks_is_never_taken_as_its_end(start: Start, raw: bytes) -> None:
    _daemon, connection = start(sending(raw, ends=True))
    with connection.stream("POST", "/x") as answer:
        messages = answer.messages()
        assert next(messages) == {"a": 1}
        with pytest.raises(UnavailableError) as caught:
            next(messages)
    assert caught.value.code == "engine-connection-lost"


def test_raw_bytes_can_be_read(start: Start) -> None:
    tar = bytes(range(256)) * 4096
    daemon, connection = start(sending(chunks(tar[:700000], tar[700000:])))
    for _ in range(2):
        with connection.stream("GET", "/images/x/get") as answer:
            parts = []
            while part := answer.read(1 << 20):
                parts.append(part)
        assert b"".join(parts) == tar
    assert daemon.connections == 1


def test_a_stream_closed_early_does_not_disturb_later_requests(start: Start) -> None:
    def answer(_daemon: Daemon, sock: socket.socket, request: Request) -> None:
        sock.sendall(answer_json({}) if "/info" in request.line else answer_bytes(bytes(4 << 20)))

    _daemon, connection = start(answer)
    for _ in range(2):
        with connection.stream("GET", "/get") as stream:
            assert stream.read(10) == bytes(10)
        assert connection.request_json("GET", "/info")[1] == {}


def test_a_request_while_a_stream_is_open_has_its_own_connection(start: Start) -> None:
    def answer(daemon: Daemon, sock: socket.socket, request: Request) -> None:
        if "/info" in request.line:
            sock.sendall(answer_json({}))
            return
        sock.sendall(chunks(b'{"a": 1}', ends=False))
        daemon.released.wait(PATIENCE)
        sock.sendall(b"0\r\n\r\n")

    daemon, connection = start(answer)
    with connection.stream("POST", "/x") as stream:
        messages = stream.messages()
        next(messages)
        assert connection.request_json("GET", "/info")[1] == {}
        daemon.released.set()
        assert list(messages) == []
    assert daemon.connections == 2


def test_a_body_of_parts_is_sent_in_chunks(start: Start) -> None:
    daemon, connection = start(sending(answer_json({"stream": "ok"})))
    parts = [b"a" * 70000, b"", b"b" * 5]
    with connection.stream("POST", "/build", body=iter(parts), headers={"Content-Type": "application/x-tar"}) as answer:
        assert list(answer.messages()) == [{"stream": "ok"}]
    (request,) = daemon.requests
    assert request.body == b"".join(parts)
    assert request.headers["transfer-encoding"] == "chunked"
    assert request.headers["content-type"] == "application/x-tar"


def test_an_error_of_the_bodys_source_is_passed_on(start: Start) -> None:
    def parts() -> Iterator[bytes]:
        yield b"x"
        raise FileNotFoundError("context/vanished")

    _daemon, connection = start(sending(answer_json({})))
    with pytest.raises(FileNotFoundError, match="vanished"):
        connection.stream("POST", "/build", body=parts())


def test_a_refusal_in_the_middle_of_a_long_body_is_read(folder: Path) -> None:
    def parts() -> Iterator[bytes]:
        while True:
            yield bytes(1 << 16)

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "engine.sock"))
    listener.listen()

    def refuse() -> None:
        sock, _peer = listener.accept()
        with sock:
            sock.recv(1000)
            sock.sendall(answer_json({"message": "unknown flag"}, status="400 Bad Request"))

    thread = threading.Thread(target=refuse)
    thread.start()
    with (
        listener,
        EngineConnection(EngineEndpoint("unix", str(folder / "engine.sock")), timeout=PATIENCE) as connection,
    ):
        with pytest.raises(UnsupportedError) as caught:
            connection.stream("POST", "/build", body=parts())
        thread.join(PATIENCE)
    assert caught.value.why.endswith("unknown flag")


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


class Certificates(t.NamedTuple):
    """Paths of PEM files: an authority, and a certificate with its key for engine.example.com, valid for both sides."""

    ca: str
    cert: str
    key: str


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, *, names: list[x509.GeneralName]) -> bytes:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder(
                name("test authority"), name(subject), key.public_key(), x509.random_serial_number()
            )
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        )
        identity = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity)
            builder = builder.add_extension(issuer, critical=False)
        else:
            builder = builder.add_extension(identity, critical=False)
            # order of x509.KeyUsage: the sixth and seventh sign certificates and revocations
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    folder = tmp_path_factory.mktemp("certificates")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("engine.example.com"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    (folder / "ca.pem").write_bytes(certificate("test authority", ca_key, names=[]))
    (folder / "cert.pem").write_bytes(certificate("engine.example.com", key, names=names[:1]))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificates(*(str(folder / file) for file in ("ca.pem", "cert.pem", "key.pem")))


@contextlib.contextmanager
def network_daemon(tls: ssl.SSLContext | None = None) -> Iterator[tuple[Daemon, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    daemon = Daemon(listener, sending(answer_json({"ok": True})), tls=tls)
    try:
        yield daemon, listener.getsockname()[1]
    finally:
        daemon.stop()


def server_context(certificates: Certificates, *, asks_client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.cert, certificates.key)
    context.verify_mode = ssl.CERT_REQUIRED if asks_client else ssl.CERT_NONE
    return context


def ask(url: str, tls: EngineTls | None = None) -> t.Any:
    with EngineConnection(EngineEndpoint.parse(url), timeout=PATIENCE, tls=tls) as connection:
        return [connection.request_json("GET", "/x")[1] for _ in range(2)]


@pytest.mark.parametrize("scheme", ["tcp", "http"])
def test_tcp_is_served_like_a_unix_socket(scheme: str) -> None:
    with network_daemon() as (daemon, port):
        assert ask(f"{scheme}://127.0.0.1:{port}") == [{"ok": True}] * 2
        assert daemon.connections == 1
        assert daemon.requests[0].headers["host"] == f"127.0.0.1:{port}"


@pytest.mark.parametrize("scheme", ["tcp", "https"])
def test_tls_checks_the_daemon_under_the_given_name(certificates: Certificates, scheme: str) -> None:
    with network_daemon(server_context(certificates)) as (_daemon, port):
        tls = EngineTls(ca_path=certificates.ca, hostname="engine.example.com")
        assert ask(f"{scheme}://127.0.0.1:{port}", tls) == [{"ok": True}] * 2


def test_a_daemon_can_ask_for_a_client_certificate(certificates: Certificates) -> None:
    with network_daemon(server_context(certificates, asks_client=True)) as (_daemon, port):
        tls = EngineTls(certificates.ca, certificates.cert, certificates.key, hostname="engine.example.com")
        assert ask(f"https://127.0.0.1:{port}", tls) == [{"ok": True}] * 2
        with pytest.raises(ImagesError) as caught:
            ask(f"https://127.0.0.1:{port}", tls._replace(client_cert="", client_key=""))
        # TLS 1.3 refuses after the handshake: what arrives first, the alert or the end, is the system's choice
        assert caught.value.code in ("engine-tls", "engine-connection-lost")


@pytest.mark.parametrize("tls", [None, "ca only", "name only"])
def test_a_daemon_with_another_name_or_authority_is_refused(certificates: Certificates, tls: str | None) -> None:
    settings = {"ca only": EngineTls(ca_path=certificates.ca), "name only": EngineTls(hostname="engine.example.com")}
    with network_daemon(server_context(certificates)) as (daemon, port):
        with pytest.raises(AuthError) as caught:
            ask(f"https://127.0.0.1:{port}", settings[tls] if tls else None)
        assert caught.value.code == "engine-tls"
        assert daemon.requests == []


def test_certificates_are_not_checked_when_told_so(certificates: Certificates) -> None:
    with network_daemon(server_context(certificates)) as (_daemon, port):
        assert ask(f"https://127.0.0.1:{port}", EngineTls(validate_certs=False)) == [{"ok": True}] * 2


def test_tls_to_a_plain_daemon_fails_as_tls(certificates: Certificates) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_plain() -> None:
        sock, _peer = listener.accept()
        with sock:
            sock.recv(1)
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=answer_plain)
    thread.start()
    with listener:
        with pytest.raises(AuthError) as caught:
            ask(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(PATIENCE)
    assert caught.value.code == "engine-tls"


def test_tls_files_that_cannot_be_used_are_an_input_error(certificates: Certificates) -> None:
    with network_daemon() as (daemon, port):
        for path in ("/absent.pem", certificates.key):
            for tls in (EngineTls(ca_path=path), EngineTls(client_cert=path)):
                with pytest.raises(InputError) as caught:
                    ask(f"https://127.0.0.1:{port}", tls)
                assert caught.value.code == "bad-tls-files"
        assert daemon.requests == []


def test_a_port_that_nobody_serves_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError) as caught:
        ask(f"tcp://127.0.0.1:{port}")
    assert caught.value.code == "engine-unreachable"


def test_a_closed_connection_keeps_nothing_open(start: Start) -> None:
    daemon, connection = start(sending(answer_json({})))
    connection.request_json("GET", "/x")
    connection.close()
    for _ in range(2):
        connection.request_json("GET", "/x")
    assert daemon.connections == 3
