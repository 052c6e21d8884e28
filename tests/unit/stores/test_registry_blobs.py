# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Streams of blobs: parts, their ranges, and bytes that stop too early."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import UNKNOWN_SIZE, Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError, NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.stores.registry import RegistryStore
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply, client_for

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import ReadStream

CONTENT = noise("blob", 2_500_000)
BLOB = Descriptor.of(CONTENT, media_types.OCI_LAYER_GZIP)
SIZE = len(CONTENT)


def store_of(server: OddServer) -> RegistryStore:
    return RegistryStore(client_for(server.host, settings=RegistrySettings(retry=0)), "a")


def read_all(stream: ReadStream) -> bytes:
    try:
        return b"".join(iter(lambda: stream.read(300_000), b""))
    finally:
        stream.close()


def ranged(content_range: str, body: bytes) -> Reply:
    return Reply(206, (("Content-Range", content_range),), body)


def good_part(asked: Asked) -> Reply:
    start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
    return ranged(f"bytes {start}-{SIZE - 1}/{SIZE}", CONTENT[start:])


@pytest.mark.parametrize("offset", [1, 1_000_000, SIZE - 1])
def test_a_part_is_asked_for_by_an_open_range(offset: int) -> None:
    with OddServer(good_part) as server:
        assert read_all(store_of(server).open(BLOB, offset)) == CONTENT[offset:]
        assert server.asked[0].headers["range"] == f"bytes={offset}-"


def test_the_whole_is_asked_for_without_a_range() -> None:
    with OddServer(lambda _asked: Reply(body=CONTENT)) as server:
        assert read_all(store_of(server).open(BLOB)) == CONTENT
        assert "range" not in server.asked[0].headers


@pytest.mark.parametrize("offset", [SIZE, SIZE + 1])
def test_nothing_is_asked_for_at_the_end(offset: int) -> None:
    with OddServer(lambda _asked: Reply(416)) as server:
        assert read_all(store_of(server).open(BLOB, offset)) == b""
        assert server.asked == []


def test_a_stream_at_the_end_can_be_closed_and_opened_again() -> None:
    with OddServer(lambda _asked: Reply(416)) as server:
        for _ in range(2):
            assert read_all(store_of(server).open(BLOB, SIZE)) == b""


@pytest.mark.parametrize("size", [SIZE, UNKNOWN_SIZE])
@pytest.mark.parametrize("offset", [1, 1_700_000])
def test_who_gets_the_whole_for_a_part_throws_the_beginning_away(offset: int, size: int) -> None:
    with OddServer(lambda _asked: Reply(body=CONTENT)) as server:
        assert read_all(store_of(server).open(BLOB._replace(size=size), offset)) == CONTENT[offset:]
        assert ("range" in server.asked[0].headers) == (size != UNKNOWN_SIZE)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(206, (), CONTENT[1000:]),
        ranged(f"bytes 999-{SIZE - 1}/{SIZE}", CONTENT[999:]),
        ranged(f"bytes 1000-{SIZE - 1}/{SIZE + 1}", CONTENT[1000:]),
        ranged(f"bytes 1000-2000/{SIZE}", CONTENT[1000:2001]),
        ranged(f"bytes 1000-{SIZE - 1}/*", CONTENT[1000:]),
        ranged(f"1000-{SIZE - 1}", CONTENT[1000:]),
        Reply(206, (("Content-Type", "multipart/byteranges; boundary=x"),), b"--x\r\n"),
        Reply(416, (("Content-Range", f"bytes */{SIZE}"),)),
    ],
)
def test_another_part_than_the_asked_one_is_refused(reply: Reply) -> None:
    with OddServer(lambda _asked: reply) as server, pytest.raises(ImagesError) as caught:
        store_of(server).open(BLOB, 1000)
    assert caught.value.code == "bad-range"


def test_a_part_that_nobody_asked_for_is_refused() -> None:
    reply = ranged(f"bytes 0-{SIZE - 1}/{SIZE}", CONTENT)
    with OddServer(lambda _asked: reply) as server, pytest.raises(ImagesError) as caught:
        store_of(server).open(BLOB)
    assert caught.value.code == "unexpected-answer"


def test_a_blob_that_is_not_there_is_not_found() -> None:
    with OddServer(lambda _asked: Reply(404)) as server, pytest.raises(NotFoundError) as caught:
        store_of(server).open(BLOB)
    assert caught.value.code == "blob-not-found"


@pytest.mark.parametrize("length", [SIZE, None, -1])
@pytest.mark.parametrize("offset", [0, 1_000_000])
def test_bytes_that_stop_early_are_an_error_and_what_came_before_is_given_out(length: int | None, offset: int) -> None:
    received = bytearray()
    with OddServer(lambda _asked: Reply(body=CONTENT[:2_000_000], length=length)) as server:
        stream = store_of(server).open(BLOB, offset)
        with pytest.raises(ImagesError) as caught:
            while piece := stream.read(70_000):
                received += piece
        stream.close()
    assert caught.value.code == "connection-broken"
    assert caught.value.retryable
    assert CONTENT[offset:].startswith(bytes(received))
    assert len(received) <= 2_000_000 - offset


def test_bytes_that_stop_before_the_offset_are_an_error() -> None:
    with OddServer(lambda _asked: Reply(body=CONTENT[:500])) as server:
        stream = store_of(server).open(BLOB, 1000)
        with pytest.raises(ImagesError) as caught:
            stream.read(10)
        stream.close()
    assert caught.value.code == "connection-broken"
