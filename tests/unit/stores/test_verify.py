# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Streams are believed only whole and right, however they come."""

from __future__ import annotations

import hashlib
import io
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import UNKNOWN_SIZE, Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    IntegrityError,
    PeerError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.stores import verify
from ansible_collections.fleet.images.plugins.module_utils.stores.verify import (
    Verifier,
    check_bytes,
    copy_hashing,
    read_verified,
)
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise
from hypothesis import given
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import ReadStream

SOME = Descriptor.of(b"some content", "text/plain")


class Pieces:
    """A stream that gives one piece per read, and cannot fill a buffer."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def read(self, _size: int, /) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        """Nothing is held."""


@given(pieces=st.lists(st.binary(max_size=50), max_size=8), hash_beside=st.booleans())
def test_any_cut_of_the_content_is_copied_in_order_and_verifies(pieces: list[bytes], hash_beside: bool) -> None:
    content = b"".join(pieces)
    verifier, copied = Verifier(Descriptor.of(content, "")), bytearray()
    copy_hashing(Pieces(pieces), verifier, write=copied.extend, hash_beside=hash_beside)
    verifier.finish()
    assert copied == content


@given(content=st.binary(min_size=1, max_size=60), at=st.integers(0, 59), hash_beside=st.booleans())
def test_one_changed_bit_is_always_found(content: bytes, at: int, hash_beside: bool) -> None:
    changed = bytearray(content)
    changed[at % len(content)] ^= 1
    verifier = Verifier(Descriptor.of(content, ""))
    copy_hashing(io.BytesIO(bytes(changed)), verifier, write=lambda _piece: None, hash_beside=hash_beside)
    with pytest.raises(IntegrityError) as caught:
        verifier.finish()
    assert caught.value.code == "digest-mismatch"
    assert str(Digest.of(bytes(changed))) in caught.value.why


@pytest.mark.parametrize("hash_beside", [False, True])
@pytest.mark.parametrize("as_stream", [io.BytesIO, lambda content: Pieces([content])], ids=["fills", "gives"])
def test_buffers_are_not_overwritten_before_they_are_used(
    monkeypatch: pytest.MonkeyPatch, as_stream: Callable[[bytes], ReadStream], hash_beside: bool
) -> None:
    monkeypatch.setattr(verify, "CHUNK", 1000)
    content, copied = noise("many buffers", 123_456), bytearray()
    verifier = Verifier(Descriptor.of(content, ""))
    copy_hashing(as_stream(content), verifier, write=copied.extend, hash_beside=hash_beside)
    verifier.finish()
    assert copied == content


@pytest.mark.parametrize("hash_beside", [False, True])
def test_too_much_content_is_refused_before_it_has_all_come(
    monkeypatch: pytest.MonkeyPatch, hash_beside: bool
) -> None:
    monkeypatch.setattr(verify, "CHUNK", 1000)
    endless = io.BytesIO(noise("endless", 100_000))
    with pytest.raises(IntegrityError) as caught:
        copy_hashing(endless, Verifier(SOME), write=lambda _piece: None, hash_beside=hash_beside)
    assert caught.value.code == "size-mismatch"
    assert endless.tell() < 5000


def test_content_of_unknown_size_is_verified_by_its_digest() -> None:
    check_bytes(b"some content", SOME._replace(size=UNKNOWN_SIZE))
    with pytest.raises(IntegrityError) as caught:
        check_bytes(b"other content", SOME._replace(size=UNKNOWN_SIZE))
    assert caught.value.code == "digest-mismatch"


@pytest.mark.parametrize("size", [0, 5, 13])
def test_right_bytes_under_a_wrong_size_are_refused(size: int) -> None:
    with pytest.raises(IntegrityError) as caught:
        check_bytes(b"some content", SOME._replace(size=size))
    assert caught.value.code == "size-mismatch"
    assert str(size) in caught.value.why


@pytest.mark.parametrize("size", [9, UNKNOWN_SIZE])
def test_a_document_above_the_limit_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(verify, "DOCUMENT_LIMIT", 8)
    with pytest.raises(PeerError) as caught:
        read_verified(io.BytesIO(b"123456789"), Descriptor("", Digest.of(b"123456789"), size))
    assert caught.value.code == "too-large"


def test_sha512_verifies_and_an_unknown_algorithm_is_refused() -> None:
    sha512 = Digest("sha512", hashlib.sha512(b"c").hexdigest())
    check_bytes(b"c", Descriptor("", sha512, 1))
    with pytest.raises(IntegrityError):
        check_bytes(b"d", Descriptor("", sha512, 1))
    with pytest.raises(UnsupportedError) as caught:
        Verifier(Descriptor("", Digest("md5", "0" * 32), 1))
    assert caught.value.code == "unknown-digest-algorithm"
