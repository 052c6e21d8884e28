# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Uploads in one piece: never with wrong bytes, and mounted where another repository has the blob."""

from __future__ import annotations

import io

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import IntegrityError
from ansible_collections.fleet.images.tests.unit.stores.sample_images import opening
from ansible_collections.fleet.images.tests.unit.stores.upload_bench import BLOB, CONTENT, Bench, once
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, Reply


def test_a_blob_goes_in_one_piece_to_the_address_as_it_was_given(bench: Bench) -> None:
    assert bench.store().write(BLOB, opening(CONTENT)) is True
    assert bench.registry.blobs == {str(BLOB.digest): CONTENT}
    assert bench.methods() == ["HEAD", "POST", "PUT"]
    put = bench.server.asked[-1]
    assert put.target == f"/v2/a/blobs/uploads/0-1?_state=x%2Fy%3D&digest=sha256%3A{BLOB.digest.encoded}"
    assert put.headers["content-type"] == "application/octet-stream"
    assert put.headers["content-length"] == str(BLOB.size)


def test_a_blob_that_is_there_is_not_opened(bench: Bench) -> None:
    bench.registry.blobs[str(BLOB.digest)] = CONTENT

    def refuse(_offset: int) -> io.BytesIO:
        raise AssertionError("opened")

    assert bench.store().write(BLOB, refuse) is False
    assert bench.methods() == ["HEAD"]


def test_content_of_sha512_asks_for_a_session_of_its_algorithm(bench: Bench) -> None:
    import hashlib

    blob = BLOB._replace(digest=Digest("sha512", hashlib.sha512(CONTENT).hexdigest()))
    assert bench.store().write(blob, opening(CONTENT))
    assert bench.server.asked_for("POST")[0].query == {"digest-algorithm": ["sha512"]}
    assert bench.registry.blobs == {str(blob.digest): CONTENT}


WRONG = {
    "other bytes": (CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), "digest-mismatch"),
    "one byte less": (CONTENT[:-1], "size-mismatch"),
    "one byte more": (CONTENT + b"x", "size-mismatch"),
    "nothing": (b"", "size-mismatch"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_bytes_are_found_out_here_and_the_session_is_cancelled(bench: Bench, name: str) -> None:
    content, code = WRONG[name]
    with pytest.raises(IntegrityError) as caught:
        bench.store().write(BLOB, opening(content))
    assert caught.value.code == code
    assert bench.registry.blobs == {}
    assert bench.registry.cancelled == [0]


def test_bytes_under_the_digest_of_nothing_are_found_out(bench: Bench) -> None:
    empty = Descriptor.of(b"", media_types.OCI_LAYER)
    with pytest.raises(IntegrityError) as caught:
        bench.store().write(empty, opening(b"x"))
    assert caught.value.code == "size-mismatch"
    with pytest.raises(IntegrityError):
        bench.store().write(empty._replace(digest=BLOB.digest), opening(b""))
    assert bench.registry.blobs == {}
    assert bench.store().write(empty, opening(b""))


def test_a_digest_that_the_registry_refuses_is_an_integrity_error(bench: Bench) -> None:
    once(bench, Reply(400, (), b'{"errors": [{"code": "DIGEST_INVALID"}]}'), method="PUT")
    with pytest.raises(IntegrityError) as caught:
        bench.store().write(BLOB, opening(CONTENT))
    assert caught.value.code == "digest-mismatch"
    assert bench.registry.cancelled == [0]


def test_a_blob_is_mounted_from_the_first_repository_that_has_it(bench: Bench) -> None:
    bench.registry.before = lambda asked: Reply(201) if asked.query.get("from") == ["b/c"] else None

    def refuse(_offset: int) -> io.BytesIO:
        raise AssertionError("opened")

    assert bench.store(mount_from=["a", "b/c", "d"]).write(BLOB, refuse) is False
    assert bench.methods() == ["HEAD", "POST"]
    assert bench.server.asked[-1].query == {"mount": [str(BLOB.digest)], "from": ["b/c"]}


def test_a_session_that_comes_instead_of_a_mount_is_used(bench: Bench) -> None:
    assert bench.store(mount_from=["b"]).write(BLOB, opening(CONTENT)) is True
    assert bench.methods() == ["HEAD", "POST", "PUT"]
    assert bench.registry.sessions == {}


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_refused_mount_falls_back_to_an_upload(bench: Bench, status: int) -> None:
    bench.registry.before = lambda asked: Reply(status) if "mount" in asked.query else None
    assert bench.store(mount_from=["b"]).write(BLOB, opening(CONTENT)) is True
    assert bench.registry.blobs == {str(BLOB.digest): CONTENT}


def test_the_upload_after_a_refused_mount_asks_for_its_own_repository_only(bench: Bench) -> None:
    bench.registry.wants_token = 99

    def rule(asked: Asked) -> Reply:
        if asked.path == "/token" and "repository:b:pull" in asked.query["scope"]:
            return Reply(403)
        return bench.registry(asked)

    bench.server.rule = rule
    assert bench.store(mount_from=["b"]).write(BLOB, opening(CONTENT)) is True
    scopes = [asked.query["scope"] for asked in bench.server.asked_for(path="/token")]
    assert ["repository:a:pull,push", "repository:b:pull"] in scopes
    assert scopes[-1] == ["repository:a:pull,push"]
