# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moving blobs between two content stores: in parallel, the biggest first, each once."""

from __future__ import annotations

import threading
import time
import typing as t

from ..model.errors import ImagesError, IntegrityError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..stores.base import ContentStore


class Patience(t.NamedTuple):
    """How many blobs move at a time, and how failures of one are met.

    ``pause`` tells the seconds to wait after so many failures, of which the first began so many seconds ago, or None to
    give up.
    """

    parallel: int
    pause: Callable[[int, float], float | None]
    sleep: Callable[[float], None] = time.sleep


class BlobCopy(t.NamedTuple):
    """One blob to move, from where, and into what."""

    blob: Descriptor
    source: ContentStore
    target: ContentStore


class Copies:
    """Blobs on their way. ``done`` and ``failed`` are told blob by blob; after a failure no further blob is started."""

    def __init__(self, copies: Iterable[BlobCopy], *, patience: Patience) -> None:
        """Take the blobs to move; each digest is moved once."""
        unique = {copy.blob.digest: copy for copy in copies}
        self._copies = sorted(unique.values(), key=lambda copy: (-copy.blob.size, str(copy.blob.digest)))
        self._patience = patience
        self._stopped = threading.Event()
        self.moved = 0  # bytes
        self.failed: dict[Digest, ImagesError] = {}

    def run(self, on_arrival: Callable[[Digest], None]) -> None:
        """Move all; call ``on_arrival`` in this thread for each blob that is at its target.

        A blob's failure is kept in ``failed``; what ``on_arrival`` raises ends the transfer.
        """
        if not self._copies:
            return
        from concurrent.futures import ThreadPoolExecutor, as_completed

        workers = min(self._patience.parallel, len(self._copies))
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="blob") as pool:
            futures = {pool.submit(self._copy, copy): copy for copy in self._copies}
            try:
                for future in as_completed(futures):
                    copy = futures[future]
                    error, moved = future.result()
                    if error is not None:
                        self.failed[copy.blob.digest] = error
                    elif moved is not None:
                        self.moved += moved
                        on_arrival(copy.blob.digest)
            finally:
                self.stop()

    def stop(self) -> None:
        """Start no further blob; those under way end."""
        self._stopped.set()

    def _copy(self, copy: BlobCopy) -> tuple[ImagesError | None, int | None]:
        """Move one blob; return its failure, or the bytes that moved: None if it was not started at all."""
        if self._stopped.is_set():
            return None, None
        try:
            return None, copy.blob.size if patiently(lambda: copy_blob(copy), self._patience) else 0
        except ImagesError as error:
            self.stop()
            return error, None


def copy_blob(copy: BlobCopy) -> bool:
    """Move one blob, verified by its target; return whether bytes moved.

    Raises:
        ImagesError: the source cannot give it, or the target cannot take it.
    """
    return copy.target.write(copy.blob, lambda offset: copy.source.open(copy.blob, offset))


_T = t.TypeVar("_T")


def patiently(step: Callable[[], _T], patience: Patience) -> _T:
    """Return what ``step`` returns, trying again after failures that may pass; wrong bytes are met once more only.

    Raises:
        ImagesError: the last failure.
    """
    failures, started = 0, time.monotonic()
    while True:
        try:
            return step()
        except ImagesError as error:
            failures += 1
            # What the registry's client gave up after its own attempts is not begun anew; a stream that broke is.
            is_first_try = error.retryable and error.attempts == 1
            may_pass = is_first_try or (isinstance(error, IntegrityError) and failures == 1)
            pause = patience.pause(failures, time.monotonic() - started) if may_pass else None
            if pause is None:
                error.attempts = max(error.attempts, failures)
                raise
            patience.sleep(pause)
