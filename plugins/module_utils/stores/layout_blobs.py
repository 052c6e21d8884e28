# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs of an image layout: found, read, and published after they were verified."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import threading
import typing as t

from ..model.descriptor import UNKNOWN_SIZE
from ..model.errors import ConflictError, IntegrityError, NotFoundError, PeerError, UnsupportedError
from ..wire.durable import sync_directory
from . import content_graph
from .layout_files import explained, make_directory

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..wire.streams import OpenAt

UNREADABLE = (NotFoundError, IntegrityError, PeerError, UnsupportedError)
"""What reading a missing or damaged document raises; a disk that fails or forbids is another matter, not among them."""

_HASHED_AT_HAS = 128 * 1024
_HASHED_BESIDE = 64 * 1024 * 1024


class BlobFile(io.FileIO):
    """Implements ReadStream over a blob; fills buffers, too. A disk that fails is told as ``explained`` tells it."""

    def read(self, size: int | None = -1, /) -> bytes:
        """See ReadStream."""
        with explained(self._path):
            return super().read(size) or b""

    def readinto(self, buffer: t.Any, /) -> int:
        """Fill ``buffer`` with the next bytes; return how many."""
        with explained(self._path):
            return super().readinto(buffer) or 0

    @property
    def _path(self) -> Path:
        return t.cast("Path", self.name)


class BlobDirectory:
    """``blobs/<algorithm>/<encoded>`` of the layout at ``root``; unfinished blobs in ``.fleet-images/partial``."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self.partials = root / ".fleet-images" / "partial"
        self._hash_thread_taken = threading.Lock()

    def path(self, digest: Digest) -> Path:
        """Return where the blob of ``digest`` is, or would be. The grammar of digests keeps it inside the layout."""
        return self._blobs / digest.algorithm / digest.encoded

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here; if so it is young again, so that ``collect`` lets it be for its grace period.

        A small one is hashed, so that a damaged manifest or config counts as missing and is fetched again; a large one
        is believed by its size: it was verified when it was written.
        """
        path = self.path(descriptor.digest)
        with explained(path):
            try:
                size = path.stat().st_size
                if descriptor.size not in (UNKNOWN_SIZE, size):
                    return False
                if size <= _HASHED_AT_HAS and not descriptor.digest.is_of(path.read_bytes()):
                    return False
                _make_young(path)
            except FileNotFoundError:
                return False
        return True

    def read(self, descriptor: Descriptor) -> bytes:
        """Return a document or config, verified (see ContentStore)."""
        from .verify import read_verified

        with contextlib.closing(self.open(descriptor)) as stream:
            return read_verified(stream, descriptor)

    def content(self, digest: Digest, size: int) -> bytes:
        """Return a small blob of ``size`` bytes as it is: not verified, in the fewest steps.

        Raises:
            OSError: it is gone, or the disk refuses.
        """
        handle = os.open(f"{self._blobs}/{digest.algorithm}/{digest.encoded}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(handle, size)
        finally:
            os.close(handle)

    def open(self, descriptor: Descriptor, offset: int = 0) -> BlobFile:
        """Return the bytes of a blob from ``offset``, not verified; the caller closes (see ContentStore)."""
        path = self.path(descriptor.digest)
        with explained(path):
            try:
                stream = BlobFile(path)
            except FileNotFoundError:
                raise content_graph.blob_not_found(descriptor) from None
            stream.seek(offset)
        return stream

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        """Publish a blob (see ContentStore). Its name is durable after ``sync``, its bytes are before it has the name.

        One writer per digest at a time, among threads and processes; who comes second waits and finds the blob there.
        A failure of the source leaves the partial file for the next attempt; wrong bytes and a full disk do not.
        """
        if self.has(descriptor):
            return False
        from .file_lock import locked
        from .layout_partial import PartialFile

        path = self.path(descriptor.digest)
        partial = self.partials / f"{descriptor.digest.algorithm}-{descriptor.digest.encoded}"
        with contextlib.ExitStack() as held:
            with explained(partial):
                make_directory(self.partials)
                make_directory(path.parent)
                handle = held.enter_context(locked(partial))
            if self.has(descriptor):
                with explained(partial):
                    partial.unlink()
                return False
            try:
                with self._hash_thread(descriptor) as hash_beside:
                    PartialFile(handle, partial, descriptor, hash_beside).receive(open_at)
            except BaseException as error:
                with explained(partial):
                    if isinstance(error, (IntegrityError, ConflictError)) or not os.fstat(handle).st_size:
                        partial.unlink()
                raise
            # Durable before it has the name: after a loss of power a name must not stand for bytes that never arrived.
            # One fsync per blob costs a fifth of writing small ones, and nothing beside three other writers (measured);
            # collecting them for one syncfs would need a second place where blobs count as present.
            with explained(partial):
                os.fchmod(handle, 0o644)
                os.fsync(handle)
                partial.replace(path)
        return True

    def sync(self) -> None:
        """Make the names of all blobs durable: once per image, before the index names it, instead of once per blob."""
        for folder in self._folders():
            sync_directory(folder)

    def files(self) -> Iterator[Path]:
        """Yield the path of every file in the blob directories."""
        for folder in self._folders():
            yield from folder.iterdir()

    def sizes(self) -> dict[tuple[str, str], int]:
        """Return the size in bytes of every blob, by algorithm and encoded part: a Digest finds its own."""
        found: dict[tuple[str, str], int] = {}
        with explained(self._blobs):
            for folder in self._folders():
                for blob in os.scandir(folder):
                    with contextlib.suppress(FileNotFoundError):  # collected at this moment
                        found[folder.name, blob.name] = blob.stat().st_size
        return found

    @contextlib.contextmanager
    def _hash_thread(self, descriptor: Descriptor) -> Iterator[bool]:
        """Yield whether this blob may be hashed beside: a large one, and one at a time.

        One large blob alone is written a fifth faster so; with as many blobs at once as there are cores, the cores are
        busy without (measured: 512 MiB on two cores, one blob 0.70 to 0.58 s, four at once 0.42 to 0.45 s).
        """
        is_taken = descriptor.size >= _HASHED_BESIDE and self._hash_thread_taken.acquire(blocking=False)
        try:
            yield is_taken
        finally:
            if is_taken:
                self._hash_thread_taken.release()

    def _folders(self) -> list[Path]:
        return [path for path in self._blobs.glob("*") if path.is_dir()]


def _make_young(path: Path) -> None:
    """Set the blob's time to now; a store that may only be read is collected by nobody of this kind."""
    try:
        os.utime(path)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
