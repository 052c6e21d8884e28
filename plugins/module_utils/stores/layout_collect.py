# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removing from an image layout what no name leads to."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ..model import media_types
from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.digest import Digest
from ..model.errors import InputError
from ..model.index import Index
from ..model.manifest import parse_manifest
from .content_graph import chosen_from
from .file_lock import locked
from .layout_blobs import UNREADABLE

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from .layout_blobs import BlobDirectory
    from .layout_index import LayoutEntry


class Collected(t.NamedTuple):
    """What was removed: digests of blobs, sorted, and bytes of these and of unfinished ones."""

    digests: tuple[Digest, ...]
    bytes: int


class Garbage(t.NamedTuple):
    """What no name leads to and nobody touched for the grace period: blobs, unfinished ones with sizes, all bytes."""

    blobs: dict[Digest, Path]
    partials: dict[Path, int]
    bytes: int

    def report(self) -> Collected:
        """Return what is removed when this is removed."""
        return Collected(tuple(sorted(self.blobs)), self.bytes)

    def remove(self) -> Collected:
        """Remove it all, except unfinished blobs that a writer holds, and return what was removed.

        Raises:
            OSError: the disk refuses.
        """
        for path in self.blobs.values():
            path.unlink(missing_ok=True)
        held = sum(size for path, size in self.partials.items() if not _removed(path))
        return Collected(tuple(sorted(self.blobs)), self.bytes - held)


def find_garbage(
    blobs: BlobDirectory, entries: Iterable[LayoutEntry], *, grace_seconds: float, keep: Collection[Digest]
) -> Garbage:
    """Return what may be removed: not reached from ``entries`` or ``keep``, and last touched before the grace period.

    Files in the blob directories that are not named by a digest are somebody else's and are left alone.

    Raises:
        OSError: the disk refuses.
    """
    roots = [part for entry in entries for part in _with_index(entry.descriptor)]
    reached = _reached(blobs, [*roots, *(Descriptor("", digest, UNKNOWN_SIZE) for digest in keep)])
    oldest_kept = time.time() - grace_seconds
    found: dict[Digest, Path] = {}
    size = 0
    for path in blobs.files():
        with contextlib.suppress(InputError, FileNotFoundError):  # another task has just collected it
            digest = Digest.parse(f"{path.parent.name}:{path.name}")
            told = path.stat()
            if digest not in reached and told.st_mtime <= oldest_kept:
                found[digest] = path
                size += told.st_size
    stale: dict[Path, int] = {}
    for partial in blobs.partials.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # its writer has just finished
            told = partial.stat()
            if told.st_mtime <= oldest_kept:
                stale[partial] = told.st_size
    return Garbage(found, stale, size + sum(stale.values()))


def _with_index(descriptor: Descriptor) -> Iterator[Descriptor]:
    """Yield what a name points at, and the index that it was chosen from: where that is here, its other images are."""
    yield descriptor
    index = chosen_from(descriptor)
    if index is not None:
        yield Descriptor("", index, UNKNOWN_SIZE)


def _removed(partial: Path) -> bool:
    with contextlib.suppress(BlockingIOError), locked(partial, wait=False):
        partial.unlink()
        return True
    return False


def _reached(blobs: BlobDirectory, roots: list[Descriptor]) -> set[Digest]:
    found: set[Digest] = set()
    while roots:
        descriptor = roots.pop()
        if descriptor.digest in found:
            continue
        found.add(descriptor.digest)
        if not descriptor.media_type or media_types.is_document(descriptor.media_type):
            with contextlib.suppress(*UNREADABLE):
                document = parse_manifest(blobs.read(descriptor), media_type=descriptor.media_type)
                roots.extend(document.manifests if isinstance(document, Index) else document.blobs())
    return found
