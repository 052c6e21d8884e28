# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far pulls are, in a small file that the control node reads meanwhile. Imported only when it asks for one."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..plan.actions import Pull

_INTERVAL_SECONDS = 0.5
_PART_DIGITS = 12


class ProgressFile:
    """Implements Watch: replaces the file as a whole, twice a second at most. When it cannot be written there is none.

    It holds JSON: ``image``, of ``images`` of which ``ready`` are complete, ``fetched`` of ``total`` bytes, and ``at``,
    in seconds of a clock that only runs forward.
    """

    def __init__(self, path: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._due = 0.0
        self._sizes: dict[str, int] = {}  # part -> bytes
        self._here: dict[str, int] = {}  # part -> bytes that arrived
        self._lacking: dict[str, set[str]] = {}  # image -> parts, of those that are not ready
        self._images = 0
        self._lock = threading.Lock()
        self._draft = f"{path}.new"

    def begin(self, pulls: Sequence[Pull]) -> None:
        """See Watch."""
        with self._lock:
            for pull in sorted(pulls, key=lambda pull: -pull.size):
                manifest = pull.resolved.manifest
                blobs = manifest.moved_blobs() if manifest is not None else ()
                sizes = {blob.digest.encoded[:_PART_DIGITS]: blob.size for blob in blobs}
                self._sizes.update(sizes)
                self._lacking[pull.reference.familiar] = set(sizes)
            self._images = len(self._lacking)
            self._write_if_due()  # podman says nothing before an image is complete

    def hear(self, part: str, count: int | None, /) -> None:
        """See Watch."""
        part = part[:_PART_DIGITS]
        with self._lock:
            if part not in self._sizes:
                return
            if count is None:
                if part not in self._here:
                    del self._sizes[part]
            else:
                self._here[part] = max(self._here.get(part, 0), min(count, self._sizes[part]))
            self._write_if_due()

    def end(self, pull: Pull) -> None:
        """See Watch."""
        with self._lock:
            for part in self._lacking.pop(pull.reference.familiar, ()):
                if part in self._sizes:
                    self._here[part] = self._sizes[part]
            self._write_if_due()

    def close(self) -> None:
        """Remove the file; it does not come again."""
        with self._lock:
            self._due = float("inf")
            for path in (self._path, self._draft):
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def _write_if_due(self) -> None:
        now = self._clock()
        if now < self._due or not self._lacking:
            return
        self._due = now + _INTERVAL_SECONDS
        begun = (name for name, parts in self._lacking.items() if not parts.isdisjoint(self._here))
        row = {
            "image": next(begun, next(iter(self._lacking))),
            "images": self._images,
            "ready": self._images - len(self._lacking),
            "fetched": sum(self._here.values()),
            "total": sum(self._sizes.values()),
            "at": round(now, 3),
        }
        try:
            handle = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(handle, "w") as draft:
                os.fchmod(handle, 0o644)  # the task's user may be another one than who reads
                json.dump(row, draft)
            os.replace(self._draft, self._path)
        except OSError:
            self._due = float("inf")
