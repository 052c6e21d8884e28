# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs on disk: resumed, verified from the first byte, written by one at a time."""

from __future__ import annotations

import io
import os
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import UNKNOWN_SIZE, Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    IntegrityError,
    NotFoundError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.stores import layout_blobs, layout_partial, verify
from ansible_collections.fleet.images.plugins.module_utils.stores.layout_blobs import BlobDirectory
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise, opening

if t.TYPE_CHECKING:
    from pathlib import Path

CONTENT = noise("blob", 100_000)
BLOB = Descriptor.of(CONTENT, "")


class Recorder:
    """Opens content and remembers from which offsets."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.offsets: list[int] = []

    def __call__(self, offset: int) -> io.BytesIO:
        self.offsets.append(offset)
        return io.BytesIO(self.content[offset:])


@pytest.fixture(params=[False, True], ids=["hashed inline", "hashed beside"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlobDirectory:
    if request.param:
        monkeypatch.setattr(layout_blobs, "_HASHED_BESIDE", 0)
    return BlobDirectory(tmp_path)


def partial_path(blobs: BlobDirectory) -> Path:
    return blobs.partials / f"sha256-{BLOB.digest.encoded}"


def leave_partial(blobs: BlobDirectory, content: bytes) -> None:
    blobs.partials.mkdir(parents=True)
    partial_path(blobs).write_bytes(content)


@pytest.mark.parametrize("kept", [1, 4096, 99_999])
def test_a_partial_blob_is_continued(blobs: BlobDirectory, kept: int) -> None:
    leave_partial(blobs, CONTENT[:kept])
    source = Recorder(CONTENT)
    assert blobs.write(BLOB, source) is True
    assert source.offsets == [kept]
    assert blobs.path(BLOB.digest).read_bytes() == CONTENT


def test_a_complete_partial_blob_is_published_without_asking_the_source(blobs: BlobDirectory) -> None:
    leave_partial(blobs, CONTENT)
    source = Recorder(CONTENT)
    assert blobs.write(BLOB, source) is True
    assert source.offsets == []
    assert blobs.path(BLOB.digest).read_bytes() == CONTENT
    assert not partial_path(blobs).exists()


@pytest.mark.parametrize(
    ("kept", "offsets"),
    [(bytes(500), [500, 0]), (bytes(100_000), [0]), (CONTENT + b"more", [0])],
    ids=["zeros after a loss of power", "all zeros", "too long"],
)
def test_a_damaged_partial_blob_is_fetched_anew(blobs: BlobDirectory, kept: bytes, offsets: list[int]) -> None:
    leave_partial(blobs, kept)
    source = Recorder(CONTENT)
    assert blobs.write(BLOB, source) is True
    assert source.offsets == offsets
    assert blobs.path(BLOB.digest).read_bytes() == CONTENT


def test_a_source_that_is_wrong_again_is_an_error_and_leaves_no_partial_blob(blobs: BlobDirectory) -> None:
    leave_partial(blobs, CONTENT[:10])
    source = Recorder(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(IntegrityError):
        blobs.write(BLOB, source)
    assert source.offsets == [10, 0]
    assert list(blobs.partials.iterdir()) == []
    assert not blobs.path(BLOB.digest).exists()


def test_a_source_that_fails_leaves_what_came_and_nothing_where_nothing_came(blobs: BlobDirectory) -> None:
    def refuse(offset: int) -> t.NoReturn:
        raise UnavailableError("no answer", code="timed-out")

    with pytest.raises(UnavailableError):
        blobs.write(BLOB, refuse)
    assert list(blobs.partials.iterdir()) == []

    class Breaking(io.BytesIO):
        def readinto(self, buffer: t.Any, /) -> int:
            count = super().readinto(buffer)
            if not count:
                raise UnavailableError("lost", code="connection-lost")
            return count

    with pytest.raises(UnavailableError):
        blobs.write(BLOB, lambda offset: Breaking(CONTENT[offset:70_000]))
    assert partial_path(blobs).read_bytes() == CONTENT[:70_000]
    source = Recorder(CONTENT)
    assert blobs.write(BLOB, source) is True
    assert source.offsets == [70_000]


def test_a_blob_of_unknown_size_is_written_and_resumed(blobs: BlobDirectory) -> None:
    leave_partial(blobs, CONTENT[:10])
    source = Recorder(CONTENT)
    assert blobs.write(BLOB._replace(size=UNKNOWN_SIZE), source) is True
    assert source.offsets == [10]
    assert blobs.has(BLOB)


def test_a_blob_cut_on_disk_is_not_there_and_is_replaced(blobs: BlobDirectory) -> None:
    blobs.write(BLOB, opening(CONTENT))
    blobs.path(BLOB.digest).write_bytes(CONTENT[:-1])
    assert not blobs.has(BLOB)
    assert blobs.write(BLOB, opening(CONTENT)) is True
    assert blobs.path(BLOB.digest).read_bytes() == CONTENT


def test_too_little_space_is_told_before_the_first_byte_moves(
    blobs: BlobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout_partial, "free_bytes", lambda _path: 99_999)
    source = Recorder(CONTENT)
    with pytest.raises(ConflictError) as caught:
        blobs.write(BLOB, source)
    assert caught.value.code == "disk-full"
    assert "100000 bytes are needed" in caught.value.why
    assert source.offsets == []
    assert list(blobs.partials.iterdir()) == []


def test_a_disk_that_fills_up_meanwhile_is_told_and_is_not_left_full(
    blobs: BlobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(handle: int, piece: memoryview) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(layout_partial, "write_all", no_space)
    with pytest.raises(ConflictError) as caught:
        blobs.write(BLOB, opening(CONTENT))
    assert caught.value.code == "disk-full"
    assert list(blobs.partials.iterdir()) == []


def test_the_disk_starts_on_each_full_window_while_the_next_arrives(
    blobs: BlobDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []

    def note(_handle: int, start: int, length: int, advice: int) -> t.NoReturn:
        assert advice == os.POSIX_FADV_DONTNEED
        told.append((start, length))
        raise OSError(22, "Invalid argument")  # a file system that takes no hints

    monkeypatch.setattr(layout_partial, "_WINDOW", 30_000)
    monkeypatch.setattr(verify, "CHUNK", 7_000)
    monkeypatch.setattr(os, "posix_fadvise", note)
    leave_partial(blobs, CONTENT[:31_000])
    assert blobs.write(BLOB, opening(CONTENT)) is True
    assert told == [(30_000, 30_000), (60_000, 30_000)]
    assert blobs.path(BLOB.digest).read_bytes() == CONTENT


def test_reading_from_an_offset_past_the_end_gives_nothing(blobs: BlobDirectory) -> None:
    blobs.write(BLOB, opening(CONTENT))
    stream = blobs.open(BLOB, 200_000)
    assert stream.read(10) == b""
    stream.close()
    with pytest.raises(NotFoundError):
        blobs.open(Descriptor.of(b"absent", ""))


def test_sizes_are_found_by_digest(blobs: BlobDirectory) -> None:
    assert blobs.sizes() == {}
    blobs.write(BLOB, opening(CONTENT))
    assert blobs.sizes()[BLOB.digest] == 100_000


def test_a_disk_that_fails_while_a_blob_is_read_is_told(blobs: BlobDirectory) -> None:
    path = blobs.path(BLOB.digest)
    path.parent.mkdir(parents=True)
    path.symlink_to("/proc/self/mem")  # reading its start is an input/output error
    stream = blobs.open(BLOB)
    for read in (lambda: stream.read(10), lambda: stream.readinto(bytearray(10))):
        with pytest.raises(UnavailableError) as caught:
            read()
        assert caught.value.code == "store-io"
    stream.close()
