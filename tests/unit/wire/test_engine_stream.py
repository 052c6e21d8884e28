# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Streams of an engine connection: messages as they come, raw bytes, bodies in chunks, and breaks in all of them."""

from __future__ import annotations

import json
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
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
    chunks,
    sending,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator


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
