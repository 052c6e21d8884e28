# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Digests: the address of content, and how it is checked."""

from __future__ import annotations

import hashlib
import re
import typing as t

from .errors import InputError, UnsupportedError

# image-spec descriptor.md, "Digests": algorithm components joined by + . _ -, then at least 32 characters here (2.1.6).
_GRAMMAR = re.compile(r"([A-Za-z][A-Za-z0-9]*(?:[+._-][A-Za-z][A-Za-z0-9]*)*):([0-9A-Fa-f]{32,})")
_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}


class Digest(t.NamedTuple):
    """Algorithm and lower-case hexadecimal hash of some content; ``str()`` gives ``sha256:…``."""

    algorithm: str
    encoded: str

    def __str__(self) -> str:
        """Return the text form that ``parse`` reads."""
        return f"{self.algorithm}:{self.encoded}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest that ``text`` spells.

        Raises:
            InputError: not of the form ``algorithm:hex``, or of the wrong length or case for a registered algorithm.
        Source: OCI image-spec v1.1 descriptor.md, "Digests"; distribution/reference regexp.go.
        """
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise _bad_digest(text, "it is not of the form algorithm:hex")
        algorithm, encoded = match.groups()
        length = _HEX_LENGTHS.get(algorithm)
        if length is not None and (len(encoded) != length or encoded != encoded.lower()):
            raise _bad_digest(text, f"{algorithm} has {length} lower-case hexadecimal characters")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Return the SHA-256 digest of ``content``."""
        return cls("sha256", hashlib.sha256(content).hexdigest())

    @property
    def short(self) -> str:
        """The first twelve characters, as engines show them."""
        return self.encoded[:12]

    def hasher(self) -> hashlib._Hash:
        """Return a fresh hash object of this digest's algorithm.

        Raises:
            UnsupportedError: the algorithm is well-formed but not one content can be checked with.
        """
        if self.algorithm not in _HEX_LENGTHS:
            raise UnsupportedError(
                f"Content cannot be verified with {self.algorithm}",
                code="unknown-digest-algorithm",
                fix=f"use one of {', '.join(_HEX_LENGTHS)}",
                subject=str(self),
            )
        return hashlib.new(self.algorithm)

    def is_of(self, content: bytes) -> bool:
        """Tell whether ``content`` hashes to this digest.

        Raises:
            UnsupportedError: as ``hasher``.
        """
        hasher = self.hasher()
        hasher.update(content)
        return hasher.hexdigest() == self.encoded


def _bad_digest(text: str, why: str) -> InputError:
    return InputError(
        f"{text!r} is not a digest",
        code="bad-digest",
        why=why,
        fix="write it like sha256: followed by 64 of 0-9 and a-f",
        subject=text,
    )
