# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where content comes from: mirrors in their order, then the origin."""

from __future__ import annotations

import threading
import typing as t

from ..model.errors import AuthError, ImagesError, IntegrityError, NotFoundError, PeerError, UnavailableError
from ..model.mirror import mirrored
from ..stores.base import ContentStore

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model.descriptor import Descriptor
    from ..model.mirror import Mirror
    from ..model.reference import Reference

_T = t.TypeVar("_T")

# What another source may do better. A full disk, an unreadable setting or a bug is not among them.
_OF_A_SOURCE = (NotFoundError, AuthError, IntegrityError, PeerError, UnavailableError)

# What costs a connection, or a time-out, at each object. Any other failure may be one of the object alone.
_DOWN = frozenset(
    {
        "connection-refused",
        "host-not-found",
        "host-unreachable",
        "proxy-failed",
        "rate-limited",
        "timed-out",
        "tls-failed",
        "tls-not-spoken",
        "tls-untrusted",
        "tls-wrong-host",
        "too-slow",
    }
)


class Repository(ContentStore, t.Protocol):
    """A repository of a registry: a ContentStore whose documents are found by name."""

    def fetch_manifest(self, reference: Reference) -> tuple[bytes, Descriptor]:
        """Return what ``reference`` names, whole, with its descriptor.

        Raises:
            NotFoundError: image-not-found.
        """


class OpenRepository(t.Protocol):
    """Opens the repository of a reference, and says from which others of its registry blobs may be taken over."""

    def __call__(self, reference: Reference, *, mount_from: Sequence[str] = ()) -> Repository:
        """Return the repository; nothing is asked of its registry yet."""


class Source(t.NamedTuple):
    """A mirror of some content: how it is named there, and the repository it lies in."""

    reference: Reference
    store: Repository


class Mirrors:
    """The mirrors of one task. One that is down is not asked again. Thread-safe."""

    def __init__(self, rows: Sequence[Mirror] = (), *, open: Callable[[Reference], Repository]) -> None:
        """``rows`` in the order in which they are asked; ``open`` opens the repository of a reference at a mirror."""
        self._rows = tuple(rows)
        self._open = open
        self._down: dict[str, str] = {}  # registry -> what was wrong
        self._wrong: dict[str, str] = {}  # registry -> what it gave
        self._lock = threading.Lock()

    @property
    def warnings(self) -> list[str]:
        """One line for each mirror that gave something else than it was asked for, whoever helped out then."""
        with self._lock:
            return list(self._wrong.values())

    def first(
        self, reference: Reference, attempt: Callable[[Source], _T], *, origin: Callable[[], _T]
    ) -> _T:
        """Return what ``attempt`` returns at the first mirror of ``reference`` that can give it, else at its origin.

        Only what a digest names is asked of mirrors: where a tag points to, the origin alone says.

        Raises:
            ImagesError: the origin's failure; ``why`` tells those of the mirrors beside it.
        """
        failures: list[str] = []
        for place in mirrored(reference, self._rows) if reference.digest is not None else ():
            failure = self._failure_of(place)
            if not failure:
                try:
                    return attempt(Source(place, self._open(place)))
                except _OF_A_SOURCE as error:
                    failure = self._note(place, error)
            failures.append(f"the mirror {place.repository}: {failure}")
        try:
            return origin()
        except ImagesError as error:
            error.why = "; ".join(part for part in (error.why, *failures) if part)
            raise

    def _failure_of(self, place: Reference) -> str:
        with self._lock:
            return self._down.get(place.registry, "")

    def _note(self, place: Reference, error: ImagesError) -> str:
        if isinstance(error, (IntegrityError, PeerError)):
            told = f"The mirror {place.repository} was passed over: {error.what} ({error.why}). None of that was kept"
            with self._lock:
                self._wrong.setdefault(place.registry, f"{told}; look who answers there, or leave the mirror out")
        if error.code in _DOWN:
            with self._lock:
                self._down.setdefault(place.registry, error.what)
        return error.what


def _no_mirror(reference: Reference) -> t.NoReturn:
    raise TypeError(f"{reference} has no mirror")


NO_MIRRORS = Mirrors(open=_no_mirror)
