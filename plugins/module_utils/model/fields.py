# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Typed getters over untrusted JSON; an error names the path of what is wrong, like ``layers[2].digest``."""

from __future__ import annotations

import json
import typing as t

from .digest import Digest
from .errors import InputError, PeerError

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_T = t.TypeVar("_T")
_TYPE_NAMES = {dict: "an object", list: "a list", str: "text", int: "an integer", bool: "true or false"}


class Fields(t.NamedTuple):
    """A JSON object, what it is part of, and the path that leads to it.

    Every getter raises PeerError (code ``wrong-shape``) when the value is missing or of another type; the optional ones
    when it is there and of another type. JSON ``null`` counts as missing.
    """

    values: Mapping[str, t.Any]
    what: str = "document"
    path: str = ""

    @classmethod
    def of_bytes(cls, raw: bytes, *, what: str) -> Fields:
        """Return the top-level object of ``raw``; ``what`` names the document in errors.

        Raises:
            PeerError: ``raw`` is not JSON in UTF-8, nests too deep, or is no object at the top.
        """
        try:
            parsed = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise PeerError(
                f"The {what} is not JSON",
                code="not-json",
                why=f"{len(raw)} bytes starting with {raw[:40]!r}: {error}",
                fix="check that the address is a container registry and not a web page or a proxy's error page",
                subject=what,
            ) from error
        if not isinstance(parsed, dict):
            raise _wrong_shape(what, "the top level", problem="is not an object")
        return cls(parsed, what)

    def has(self, key: str) -> bool:
        """Tell whether ``key`` is there with a value."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """Return the text at ``key``."""
        return self._required(key, str)

    def optional_text(self, key: str, *, default: str = "") -> str:
        """Return the text at ``key``, or ``default``."""
        return self._required(key, str) if self.has(key) else default

    def integer(self, key: str) -> int:
        """Return the whole number at ``key`` (true and false are none)."""
        return self._required(key, int)

    def size(self, key: str) -> int:
        """Return the number of bytes at ``key``: zero or more."""
        number = self.integer(key)
        if number < 0:
            raise self.wrong(key, f"is {number}, a size cannot be negative")
        return number

    def digest(self, key: str) -> Digest:
        """Return the digest at ``key``."""
        return self._digest(self.text(key), key)

    def digests(self, key: str) -> list[Digest]:
        """Return the digests in the list at ``key``; empty when missing."""
        return [self._digest(text, f"{key}[{at}]") for at, text in enumerate(self.texts(key))]

    def object(self, key: str) -> Fields:
        """Return the object at ``key``."""
        return Fields(self._required(key, dict), self.what, self._path(key))

    def optional_object(self, key: str) -> Fields | None:
        """Return the object at ``key``, or None."""
        return self.object(key) if self.has(key) else None

    def objects(self, key: str) -> list[Fields]:
        """Return the objects in the list at ``key``; empty when missing."""
        rows = self._elements(key, dict)
        return [Fields(row, self.what, self._path(f"{key}[{at}]")) for at, row in enumerate(rows)]

    def texts(self, key: str) -> list[str]:
        """Return the texts in the list at ``key``; empty when missing."""
        return self._elements(key, str)

    def text_map(self, key: str) -> dict[str, str]:
        """Return the object at ``key``, all of whose values are texts; empty when missing."""
        if not self.has(key):
            return {}
        rows = self.object(key)
        return {name: rows.text(name) for name in rows.values}

    def wrong(self, key: str, what: str) -> PeerError:
        """Return (not raise) the error that says ``what`` is wrong with ``key``."""
        return _wrong_shape(self.what, self._path(key), problem=what)

    def _path(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _required(self, key: str, wanted: type[_T]) -> _T:
        value = self.values.get(key)
        if value is None:
            raise self.wrong(key, "is missing")
        return self._checked(value, wanted, key=key)

    def _elements(self, key: str, wanted: type[_T]) -> list[_T]:
        if not self.has(key):
            return []
        rows = self._required(key, list)
        for at, row in enumerate(rows):
            if not _is_of(row, wanted):  # its key is made for errors only: most rows are right
                raise self.wrong(f"{key}[{at}]", f"is not {_TYPE_NAMES[wanted]}")
        return rows

    def _checked(self, value: t.Any, wanted: type[_T], *, key: str) -> _T:
        if not _is_of(value, wanted):
            raise self.wrong(key, f"is not {_TYPE_NAMES[wanted]}")
        return t.cast("_T", value)

    def _digest(self, text: str, key: str) -> Digest:
        try:
            return Digest.parse(text)
        except InputError as error:
            raise self.wrong(key, f"{text!r} is not a digest: {error.why}") from error


def _is_of(value: object, wanted: type) -> bool:
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))


def _wrong_shape(what: str, path: str, *, problem: str) -> PeerError:
    return PeerError(
        f"The {what} is malformed",
        code="wrong-shape",
        why=f"{path} {problem}",
        fix="push the image again with a current tool, or report this to who runs the registry",
        subject=path,
    )
