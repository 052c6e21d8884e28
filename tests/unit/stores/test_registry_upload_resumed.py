# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads that break: they go on in chunks from where they broke, with tokens that expire, or end in an error."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    AuthError,
    ImagesError,
    IntegrityError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.stores import registry_upload
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support.registry import Registry
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise, opening
from ansible_collections.fleet.images.tests.unit.stores.upload_bench import BLOB, CHUNK, CONTENT, Bench, once
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply


def test_after_a_broken_request_chunks_go_on_where_the_registry_stands(bench: Bench) -> None:
    cuts = iter([400_000])

    def drop(asked: Asked) -> int | None:
        limit = next(cuts, None) if asked.method == "PUT" else None
        if limit is not None:  # what arrived before the cut is kept, as real registries do
            bench.registry.sessions[0].received += CONTENT[:limit]
        return limit

    bench.server.drop_body_after = drop
    offsets: list[int] = []

    def open_at(offset: int) -> io.BytesIO:
        offsets.append(offset)
        return io.BytesIO(CONTENT[offset:])

    assert bench.store().write(BLOB, open_at)
    assert bench.registry.blobs == {str(BLOB.digest): CONTENT}
    assert bench.methods() == ["HEAD", "POST", "PUT", "GET", "PATCH", "PATCH", "PUT"]
    assert [asked.headers["content-range"] for asked in bench.server.asked_for("PATCH")] == [
        "400000-699999",
        "700000-999999",
    ]
    assert {asked.headers["content-type"] for asked in bench.server.asked_for("PATCH")} == {"application/octet-stream"}
    assert offsets == [0, 400_000, 700_000]
    assert bench.sent() == BLOB.size
    assert len(bench.patience.pauses) == 1


def test_a_session_of_which_nothing_or_one_byte_arrived_is_not_gone_on_with(bench: Bench) -> None:
    once(bench, Reply(503), method="PUT")
    assert bench.store().write(BLOB, opening(CONTENT))
    assert bench.registry.cancelled == [0]
    assert bench.registry.blobs == {str(BLOB.digest): CONTENT}


def test_a_lost_session_is_replaced_by_a_new_one(bench: Bench) -> None:
    once(bench, Reply(404, (), b'{"errors": [{"code": "BLOB_UPLOAD_UNKNOWN"}]}'), method="PUT")
    bench.registry.sessions.clear()
    assert bench.store().write(BLOB, opening(CONTENT))
    assert len(bench.server.asked_for("POST")) == 2


def test_a_session_that_is_lost_every_time_ends_in_an_error(bench: Bench) -> None:
    bench.registry.before = lambda asked: Reply(404) if asked.method in ("PUT", "PATCH") else None
    with pytest.raises(ImagesError) as caught:
        bench.store(retry=2).write(BLOB, opening(CONTENT))
    assert caught.value.code == "upload-lost"
    assert len(bench.patience.pauses) == 2


def test_a_blob_that_was_published_although_the_answer_got_lost_is_not_sent_again(bench: Bench) -> None:
    def rule(asked: Asked) -> Reply | None:
        if asked.method != "PUT":
            return None
        bench.registry.blobs[str(BLOB.digest)] = asked.body
        del bench.registry.sessions[0]
        return Reply(504)

    bench.registry.before = rule
    assert bench.store().write(BLOB, opening(CONTENT))
    assert bench.methods() == ["HEAD", "POST", "PUT", "GET", "HEAD"]


def test_a_request_that_is_too_large_is_cut_into_chunks_without_a_retry(bench: Bench) -> None:
    bench.registry.before = lambda asked: Reply(413) if len(asked.body) > CHUNK else None
    assert bench.store(retry=0).write(BLOB, opening(CONTENT))
    assert [len(asked.body) for asked in bench.server.asked_for("PATCH")] == [CHUNK, CHUNK, CHUNK, 100_000]
    assert bench.patience.pauses == []


def test_a_chunk_that_is_too_large_is_told_with_its_remedy(bench: Bench) -> None:
    bench.registry.before = lambda asked: Reply(413) if asked.body else None
    with pytest.raises(ImagesError) as caught:
        bench.store().write(BLOB, opening(CONTENT))
    assert caught.value.code == "request-too-large"
    assert "client_max_body_size" in caught.value.fix
    assert bench.registry.cancelled == [0, 1]


def test_the_least_size_of_a_chunk_is_kept_to(bench: Bench) -> None:
    bench.registry.least_chunk = 450_000
    once(bench, Reply(413), method="PUT")
    assert bench.store().write(BLOB, opening(CONTENT))
    assert [len(asked.body) for asked in bench.server.asked_for("PATCH")] == [450_000, 450_000, 100_000]


def test_a_token_that_expires_in_the_middle_is_renewed_and_the_upload_goes_on(bench: Bench) -> None:
    bench.registry.wants_token = 4
    once(bench, Reply(413), method="PUT")
    assert bench.store(retry=0).write(BLOB, opening(CONTENT))
    assert bench.registry.blobs == {str(BLOB.digest): CONTENT}
    assert bench.registry.tokens == 4
    assert [asked.headers["content-range"] for asked in bench.server.asked_for("PATCH")] == [
        "0-299999",
        "300000-599999",
        "600000-899999",  # refused: the token had expired
        "600000-899999",
        "900000-999999",
    ]
    assert bench.patience.pauses == []


def test_rights_that_are_refused_for_good_end_in_an_error(bench: Bench) -> None:
    bench.registry.before = lambda asked: Reply(401) if asked.method in ("PUT", "PATCH") else None
    with pytest.raises(AuthError):
        bench.store(retry=1).write(BLOB, opening(CONTENT))
    assert bench.registry.sessions == {}


def test_a_forbidden_upload_is_not_tried_again(bench: Bench) -> None:
    once(bench, Reply(403), method="PUT")
    with pytest.raises(AuthError) as caught:
        bench.store().write(BLOB, opening(CONTENT))
    assert caught.value.code == "access-denied"
    assert bench.registry.cancelled == [0]
    assert bench.patience.pauses == []


def test_a_source_that_breaks_is_opened_again_where_the_registry_stands(bench: Bench) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            if not piece:
                raise UnavailableError("The source broke", code="connection-broken")
            return piece

    opened: list[int] = []

    def open_at(offset: int) -> io.BytesIO:
        opened.append(offset)
        is_broken = opened == [0, 0, 300_000]
        return Breaking(CONTENT[offset:400_000]) if is_broken else io.BytesIO(CONTENT[offset:])

    once(bench, Reply(413), method="PUT")
    assert bench.store().write(BLOB, open_at)
    assert bench.registry.blobs == {str(BLOB.digest): CONTENT}
    assert opened == [0, 0, 300_000, 300_000, 600_000, 900_000]
    assert bench.registry.cancelled == [0]


def test_a_source_that_is_wrong_for_good_cancels_the_session(bench: Bench) -> None:
    def open_at(_offset: int) -> io.BytesIO:
        raise IntegrityError("The source is damaged", code="digest-mismatch")

    with pytest.raises(IntegrityError):
        bench.store().write(BLOB, open_at)
    assert bench.registry.cancelled == [0]


class CuttingRelay:
    """Carries bytes to a server and cuts the first connection on which the client has sent more than ``cut_after``."""

    def __init__(self, target: str, *, cut_after: int) -> None:
        host, _colon, port = target.rpartition(":")
        self._target = (host, int(port))
        self._cut_after: int | None = cut_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.has_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(self._target)
                threading.Thread(target=self._carry, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._carry, args=(server, client, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_counted: bool) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                count += len(piece)
                target.sendall(piece)
                if is_counted and self._cut_after is not None and count > self._cut_after:
                    self._cut_after, self.has_cut = None, True
                    break
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def test_an_upload_to_the_real_registry_survives_a_cut_connection(shared_registry: Registry) -> None:
    # docker-registry 2.8.2 refuses every known address of a session into which half a request went: it starts over
    content = noise("cut", 6_000_000)
    blob = Descriptor.of(content, media_types.OCI_LAYER_GZIP)
    relay = CuttingRelay(shared_registry.host, cut_after=4_000_000)
    with contextlib.closing(relay), Registries(RegistrySettings(retry=3, retry_delay=0.1)) as registries:
        store = registries.store(Reference(relay.host, "cut-upload"))
        assert store.write(blob, opening(content))
        assert relay.has_cut
        with contextlib.closing(store.open(blob)) as stream:
            assert b"".join(iter(lambda: stream.read(1_000_000), b"")) == content


@pytest.mark.parametrize("status", [401, 503])
def test_an_upload_to_the_real_registry_goes_on_after_a_refused_chunk(
    shared_registry: Registry, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(registry_upload, "CHUNK", CHUNK)
    refusals = [status]
    forward = _forwarding(shared_registry, refuse_above=CHUNK)

    def rule(asked: Asked) -> Reply:
        if refusals and asked.headers.get("content-range", "").startswith("600000-"):
            return Reply(refusals.pop())
        return forward(asked)

    content = noise(f"refused {status}", 1_000_000)
    blob = Descriptor.of(content, media_types.OCI_LAYER_GZIP)
    with OddServer(rule) as odd, Registries(RegistrySettings(retry=1, retry_delay=0.01)) as registries:
        assert registries.store(Reference(odd.host, "refused-chunk")).write(blob, opening(content))
        assert [asked.headers["content-range"] for asked in odd.asked_for("PATCH")] == [
            "0-299999",
            "300000-599999",
            "600000-899999",
            "600000-899999",
            "900000-999999",
        ]
    with Registries() as registries:
        assert registries.store(Reference(shared_registry.host, "refused-chunk")).has(blob)


def test_chunks_of_the_real_registry_make_the_blob(shared_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_upload, "CHUNK", CHUNK)
    with OddServer(lambda _asked: Reply()) as odd:
        odd.rule = _forwarding(shared_registry, refuse_above=CHUNK)
        with Registries() as registries:
            store = registries.store(Reference(odd.host, "chunked-upload"))
            assert store.write(BLOB, opening(CONTENT))
            assert store.has(BLOB)
        assert [len(asked.body) for asked in odd.asked_for("PATCH")] == [CHUNK, CHUNK, CHUNK, 100_000]


def _forwarding(registry: Registry, *, refuse_above: int) -> t.Callable[[Asked], Reply]:
    """Return a front end that hands requests on, but none with a body of more than ``refuse_above`` bytes."""
    import http.client

    def rule(asked: Asked) -> Reply:
        if len(asked.body) > refuse_above:
            return Reply(413, (("Content-Type", "text/html"),), b"<html>413</html>")
        connection = http.client.HTTPConnection(registry.host, timeout=60)
        with contextlib.closing(connection):
            connection.request(asked.method, asked.target, body=asked.body or None, headers=dict(asked.headers))
            answer = connection.getresponse()
            headers = tuple(answer.getheaders())
            return Reply(answer.status, headers, answer.read())

    return rule
