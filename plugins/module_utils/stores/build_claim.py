# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who of many hosts builds what all of them want: agreed upon through a tag of the registry that will hold it.

A tag can be moved at any time and by anybody, so this is no lock. Who is outrun builds what another builds, too, and
the fleet holds a right image all the same.
"""

from __future__ import annotations

import contextlib
import io
import math
import random
import secrets
import threading
import time
import typing as t

from ..model import media_types
from ..model.descriptor import Descriptor
from ..model.errors import AuthError, ImagesError, NotFoundError, deadline_passed
from ..model.manifest import manifest_json

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..model.digest import Digest
    from ..model.reference import Reference
    from .base import ContentStore

CLAIM_ANNOTATION = "images.fleet.build.claim"
"""On the manifest that a claim tag points at: drawn anew each time; empty once nobody claims."""

_EMPTY = b"{}"


class Rhythm(t.NamedTuple):
    """Seconds. ``settle``: from a claim to the look whether it stayed, longer where the registry is slow.

    ``poll`` to ``longest_poll``: between looks of those who wait; ``renew``: between signs of life of who builds;
    ``dead``: a claim that did not change for so long is of a host that is gone.
    """

    settle: float = 1.0
    poll: float = 0.5
    longest_poll: float = 8.0
    renew: float = 5.0
    dead: float = 30.0


class BuildClaim:
    """One host's part in agreeing on who makes ``wanted``. No clocks of two hosts are compared."""

    def __init__(
        self,
        store: ContentStore,
        wanted: Reference,
        *,
        deadline: float | None = None,
        rhythm: Rhythm = Rhythm(),  # noqa: B008 (immutable)
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``store`` is the repository of ``wanted``; ``deadline``: the seconds to wait for others, None is no end."""
        self._store = store
        self._wanted = wanted
        self._tag = wanted.with_tag(f"{wanted.tag}-claim")
        self._deadline = deadline
        self._rhythm = rhythm
        self._clock = clock
        self._sleep = sleep
        self._ended = threading.Event()
        self._renewal: threading.Thread | None = None

    def take(self) -> bool:
        """Tell whether this host builds, once that is decided: False when ``wanted`` is there, True when it is claimed.

        While another host shows that it builds, this waits. A claim that was taken is renewed until ``release``.

        Raises:
            AuthError: share-not-writable.
            UnavailableError: deadline-passed.
            ImagesError: the registry cannot be asked.
        """
        started = since = self._clock()
        pause, seen = self._rhythm.poll, None
        while True:
            if self._target(self._wanted) is not None:
                return False
            holder, now = self._target(self._tag), self._clock()
            if holder != seen:
                seen, since = holder, now
            if holder is None or holder == _FREE.digest or now - since >= self._rhythm.dead:
                self._prepare()
                if self._target(self._tag) == holder and self._win():
                    if self._target(self._wanted) is None:
                        return True
                    self.release()  # put there meanwhile
                    return False
                since = self._clock()
            left = math.inf if self._deadline is None else started + self._deadline - self._clock()
            if left <= 0:
                raise deadline_passed(str(self._wanted))
            self._sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311 (so that hosts do not ask at once)
            pause = min(pause * 1.5, self._rhythm.longest_poll)

    def release(self) -> None:
        """End the renewals, and let others build if ``wanted`` is not there. Idempotent, and never fails."""
        if self._renewal is None:
            return
        self._ended.set()
        self._renewal.join()
        self._renewal = None
        with contextlib.suppress(ImagesError):  # then others find out that nothing changes any more
            self._put("")

    def _win(self) -> bool:
        """Claim, and tell whether the claim stayed: of several at once the last one does."""
        started = self._clock()
        mine = self._put(secrets.token_hex(16))
        self._sleep(max(self._rhythm.settle, 2 * (self._clock() - started)))
        if self._target(self._tag) != mine:
            return False
        self._renewal = threading.Thread(target=self._renew, name="build-claim", daemon=True)
        self._renewal.start()
        return True

    def _renew(self) -> None:
        while not self._ended.wait(self._rhythm.renew):
            with contextlib.suppress(ImagesError):  # the next one may be heard; at worst another host builds, too
                self._put(secrets.token_hex(16))

    def _prepare(self) -> None:
        try:
            self._store.write(_BLOB, lambda offset: io.BytesIO(_EMPTY[offset:]))
            self._store.put_manifest(_claim(""), _FREE)  # so that a refusal is met here, whatever is there already
        except AuthError as error:
            raise AuthError(
                f"Nothing can be put into {self._wanted.repository}, through which builds are shared",
                code="share-not-writable",
                why=error.why or error.what,
                fix="give credentials that may push there, or leave share out on this host",
                subject=str(self._wanted),
            ) from error

    def _put(self, drawn: str) -> Digest:
        raw = _claim(drawn)
        descriptor = Descriptor.of(raw, media_types.OCI_MANIFEST)
        self._store.put_manifest(raw, descriptor, reference=self._tag)
        return descriptor.digest

    def _target(self, reference: Reference) -> Digest | None:
        try:
            return self._store.resolve(reference).digest
        except NotFoundError:
            return None


def _claim(drawn: str) -> bytes:
    return manifest_json(_BLOB, [_BLOB], annotations={CLAIM_ANNOTATION: drawn})


_BLOB = Descriptor.of(_EMPTY, media_types.EMPTY_JSON)
_FREE = Descriptor.of(_claim(""), media_types.OCI_MANIFEST)
