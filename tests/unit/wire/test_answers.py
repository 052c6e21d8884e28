# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bodies of answers: counted, bounded, and given up when they do not come."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.wire.answers import Answer
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_client import RegistryClient
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.unit.wire.odd_server import OddServer, Reply, client_for

if t.TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(range(256)) * 12_000


def ask(client: RegistryClient) -> Answer:
    return client.request("GET", "/v2/", scope="repository:a:pull")


def read_all(answer: Answer) -> bytes:
    return b"".join(iter(answer.read, b""))


def test_a_body_is_read_in_large_pieces_and_whole() -> None:
    with OddServer(lambda _asked: Reply(body=CONTENT)) as server, ask(client_for(server.host)) as answer:
        pieces = list(iter(lambda: answer.read(1_000_000), b""))
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) <= 1_000_000


def test_a_chunked_body_is_read_whole() -> None:
    chunks = (b"4\r\nabcd\r\n", b"3\r\nefg\r\n", b"0\r\n\r\n")
    reply = Reply(headers=(("Transfer-Encoding", "chunked"),), pieces=chunks)
    with OddServer(lambda _asked: reply) as server, ask(client_for(server.host)) as answer:
        assert read_all(answer) == b"abcdefg"


def test_a_chunked_body_that_is_cut_is_an_error() -> None:
    reply = Reply(headers=(("Transfer-Encoding", "chunked"),), pieces=(b"4\r\nab",))
    with OddServer(lambda _asked: reply) as server, pytest.raises(UnavailableError) as caught:
        read_all(ask(client_for(server.host)))
    assert caught.value.code == "connection-broken"


@pytest.mark.parametrize("missing", [1, 100_000])
def test_a_body_shorter_than_its_content_length_is_an_error_after_all_it_had(missing: int) -> None:
    reply = Reply(body=CONTENT, length=len(CONTENT) + missing)
    received = bytearray()
    with OddServer(lambda _asked: reply) as server, pytest.raises(UnavailableError) as caught:
        answer = ask(client_for(server.host))
        while piece := answer.read(50_000):
            received += piece
    assert len(received) > len(CONTENT) - 50_000
    assert CONTENT.startswith(bytes(received))
    assert caught.value.code == "connection-broken"
    assert caught.value.retryable


def test_a_body_without_length_ends_with_the_connection() -> None:
    with OddServer(lambda _asked: Reply(body=CONTENT, length=None)) as server, ask(client_for(server.host)) as answer:
        assert read_all(answer) == CONTENT


def test_a_trickling_body_is_given_up_although_it_is_never_silent() -> None:
    with OddServer(lambda _asked: Reply()) as server:

        def trickle() -> Iterator[bytes]:
            while not server.released.wait(0.02):
                yield b"."

        server.rule = lambda _asked: Reply(pieces=trickle(), length=1_000_000)
        client = client_for(server.host, settings=RegistrySettings(timeout=0.5, minimum_rate=10_000))
        with ask(client) as answer, pytest.raises(UnavailableError) as caught:
            read_all(answer)
    assert caught.value.code == "too-slow"


def test_a_slow_reader_is_not_a_slow_server() -> None:
    now = [0.0]
    settings = RegistrySettings(timeout=5.0, minimum_rate=10**9)
    with OddServer(lambda _asked: Reply(body=CONTENT)) as server:
        answer = ask(client_for(server.host, settings=settings, clock=lambda: now[0]))
        size = 0
        while piece := answer.read(100_000):
            size += len(piece)
            now[0] += 60.0  # what the caller does with the bytes
    assert size == len(CONTENT)


def test_a_body_is_given_up_at_the_deadline() -> None:
    now = [0.0]
    settings = RegistrySettings(deadline=100.0)
    with OddServer(lambda _asked: Reply(body=CONTENT)) as server:
        answer = ask(client_for(server.host, settings=settings, clock=lambda: now[0]))
        answer.read(1000)
        now[0] = 101.0
        with pytest.raises(UnavailableError) as caught:
            answer.read(1000)
    assert caught.value.code == "deadline-passed"


def test_a_silent_body_is_given_up_after_the_time_out() -> None:
    with OddServer(lambda _asked: Reply()) as server:

        def wait() -> Iterator[bytes]:
            yield b"beginning"
            server.released.wait(60)

        server.rule = lambda _asked: Reply(pieces=wait(), length=1000)
        client = client_for(server.host, settings=RegistrySettings(timeout=0.3))
        with pytest.raises(UnavailableError) as caught:
            read_all(ask(client))
    assert caught.value.code == "timed-out"


def test_a_body_above_the_limit_is_refused() -> None:
    with OddServer(lambda _asked: Reply(body=b"x" * 101)) as server:
        client = client_for(server.host)
        assert len(ask(client).body(101)) == 101
        with pytest.raises(PeerError) as caught:
            ask(client).body(100)
    assert caught.value.code == "too-large"


def test_a_connection_is_used_again_after_a_body_that_was_read_and_after_a_short_one_that_was_not() -> None:
    with OddServer(lambda _asked: Reply(body=b"x" * 1000)) as server:
        client = client_for(server.host)
        ask(client).close()
        connections = server.connections
        for _ in range(3):
            ask(client).close()
            read_all(ask(client))
        assert server.connections == connections


def test_a_long_body_that_nobody_wants_is_not_read_and_its_place_is_free() -> None:
    with OddServer(lambda _asked: Reply(body=CONTENT * 10)) as server:
        client = client_for(server.host, settings=RegistrySettings(parallel=1))
        for _ in range(3):
            answer = ask(client)
            answer.read(10)
            answer.close()
            answer.close()
            assert answer.read(10) == b""


def test_time_is_measured_by_a_clock_that_nobody_sets() -> None:
    with OddServer(lambda _asked: Reply(body=b"x")) as server, ask(client_for(server.host)) as answer:
        assert answer._pace.clock is time.monotonic


@pytest.mark.parametrize("length", ["\u00b2", "9" * 5000, "-1", "1 2", "", "0x10"])
def test_a_length_that_is_no_number_counts_as_none(length: str) -> None:
    reply = Reply(headers=(("X-Length", length),))
    with OddServer(lambda _asked: reply) as server, ask(client_for(server.host)) as answer:
        assert answer.header_number("X-Length") is None
        assert answer.header_number("Content-Length") == 0
