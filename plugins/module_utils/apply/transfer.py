# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moving blobs between content stores: in parallel, the biggest first, each once."""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from ..model.errors import ImagesError, IntegrityError, deadline_passed
from .sources import NO_MIRRORS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.reference import Reference
    from ..stores.base import ContentStore
    from .sources import Mirrors
    from .watch import Watch


class Patience(t.NamedTuple):
    """How many transfers run at a time, and how failures of one are met.

    ``pause`` tells the seconds to wait after so many failures, of which the first began so many seconds ago, or None to
    give up. ``deadline``: the seconds that one transfer may take, attempts and pauses together; None is no end.
    """

    parallel: int
    pause: Callable[[int, float], float | None]
    sleep: Callable[[float], None] = time.sleep
    deadline: float | None = None
    clock: Callable[[], float] = time.monotonic


class Timer:
    """The time that is left of one transfer's deadline, from now on."""

    def __init__(self, patience: Patience, subject: str) -> None:
        """Start; ``subject`` is what errors name."""
        self._clock = patience.clock
        self._until = None if patience.deadline is None else patience.clock() + patience.deadline
        self._subject = subject

    def left(self) -> float | None:
        """Return the seconds that are left, None when there is no end.

        Raises:
            UnavailableError: deadline-passed: none is.
        """
        left = None if self._until is None else self._until - self._clock()
        if left is None or left > 0:
            return left
        raise deadline_passed(self._subject)

    def limit(self, stream: Stream) -> Stream:
        """Return ``stream``, which raises deadline-passed once no time is left."""
        return stream if self._until is None else _TimedStream(stream, self)


class Stream(t.Protocol):
    """What a store opens (see ReadStream)."""

    def read(self, size: int, /) -> bytes:
        """Return 1 to ``size`` bytes, ``b""`` at the end."""

    def close(self) -> None:
        """Free what the stream holds. Idempotent."""


class _TimedStream:
    """Implements Stream."""

    def __init__(self, stream: Stream, timer: Timer) -> None:
        self._stream = stream
        self._timer = timer

    def read(self, size: int, /) -> bytes:
        self._timer.left()
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()


class BlobCopy(t.NamedTuple):
    """One blob to move, from where, and into what. ``origin`` is the name of the source, where mirrors may have it."""

    blob: Descriptor
    source: ContentStore
    target: ContentStore
    origin: Reference | None = None


_Job = t.TypeVar("_Job")
_T = t.TypeVar("_T")


class Turns:
    """Jobs that run a bounded number at a time, in their order; after a failure no further one is started."""

    def __init__(self, parallel: int) -> None:
        self._parallel = parallel
        self._stopped = threading.Event()

    def run(
        self, jobs: Sequence[_Job], work: Callable[[_Job], _T]
    ) -> Generator[tuple[_Job, _T | ImagesError], None, None]:
        """Yield each job that was started with what came of it, as they end. Whoever iterates closes."""
        if not jobs:
            return
        from concurrent.futures import ThreadPoolExecutor, as_completed

        def attempt(job: _Job) -> _T | ImagesError | None:
            if self._stopped.is_set():
                return None
            try:
                return work(job)
            except ImagesError as error:
                self.stop()
                return error

        with ThreadPoolExecutor(min(self._parallel, len(jobs)), thread_name_prefix="transfer") as pool:
            futures = {pool.submit(attempt, job): job for job in jobs}
            try:
                for future in as_completed(futures):
                    result = future.result()
                    if result is not None:
                        yield futures[future], result
            finally:
                self.stop()

    def stop(self) -> None:
        """Start nothing more; what is under way ends."""
        self._stopped.set()


class Copies:
    """Blobs on their way. ``failed`` and ``moved`` (bytes) grow while they move."""

    def __init__(
        self,
        copies: Iterable[BlobCopy],
        *,
        patience: Patience,
        mirrors: Mirrors = NO_MIRRORS,
        watch: Watch | None = None,
    ) -> None:
        """Take the blobs to move; each digest is moved once."""
        unique = {copy.blob.digest: copy for copy in copies}
        self._copies = sorted(unique.values(), key=lambda copy: (-copy.blob.size, str(copy.blob.digest)))
        self._patience = patience
        self._mirrors = mirrors
        self._watch = watch
        self._turns = Turns(patience.parallel)
        self.moved = 0
        self.failed: dict[Digest, ImagesError] = {}

    def run(self, on_arrival: Callable[[Digest], None]) -> None:
        """Move all; call ``on_arrival`` in this thread for each blob that is at its target.

        A blob's failure is kept in ``failed``; what ``on_arrival`` raises ends the transfer.
        """
        with contextlib.closing(self._turns.run(self._copies, self._copy)) as results:
            for copy, result in results:
                if isinstance(result, ImagesError):
                    self.failed[copy.blob.digest] = result
                else:
                    self.moved += result
                    on_arrival(copy.blob.digest)

    def stop(self) -> None:
        """Start no further blob; those under way end."""
        self._turns.stop()

    def _copy(self, copy: BlobCopy) -> int:
        if copy_blob(copy, self._patience, mirrors=self._mirrors, watch=self._watch):
            return copy.blob.size
        if self._watch is not None:
            self._watch.hear(copy.blob.digest.encoded, None)
        return 0


def copy_blob(copy: BlobCopy, patience: Patience, *, mirrors: Mirrors, watch: Watch | None = None) -> bool:
    """Move one blob, verified by its target; return whether bytes moved.

    A source goes on where the one before it broke, unless what arrived turns out to be wrong.

    Raises:
        ImagesError: no source can give it, or the target cannot take it.
    """
    blob, timer = copy.blob, Timer(patience, str(copy.blob.digest))

    def open_at(source: ContentStore, offset: int) -> Stream:
        stream = timer.limit(source.open(blob, offset))
        if watch is None:
            return stream
        from .watch import WatchedStream

        return WatchedStream(stream, watch, part=blob.digest.encoded, offset=offset)

    def move(source: ContentStore) -> bool:
        return copy.target.write(blob, lambda offset: open_at(source, offset))

    def move_patiently() -> bool:
        return patiently(lambda: move(copy.source), patience)

    if copy.origin is None:
        return move_patiently()
    pinned = copy.origin.with_digest(blob.digest)
    return mirrors.first(pinned, lambda mirror: move(mirror.store), origin=move_patiently)


def patiently(step: Callable[[], _T], patience: Patience) -> _T:
    """Return what ``step`` returns, trying again after failures that may pass; wrong bytes are met once more only.

    Raises:
        ImagesError: the last failure.
    """
    failures, started, before = 0, patience.clock(), ""
    while True:
        try:
            return step()
        except ImagesError as error:
            failures += 1
            # What the registry's client gave up after its own attempts is not begun anew; a stream that broke is.
            is_first_try = error.retryable and error.attempts == 1
            may_pass = is_first_try or (isinstance(error, IntegrityError) and failures == 1)
            pause = patience.pause(failures, patience.clock() - started) if may_pass else None
            if pause is None:
                error.attempts = max(error.attempts, failures)
                error.why = error.why or before
                raise
            before = f"before: {error.what}: {error.why}" if error.why else f"before: {error.what}"
            patience.sleep(pause)
