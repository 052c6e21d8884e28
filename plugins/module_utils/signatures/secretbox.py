# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Opens the boxes that cosign keeps its private keys in: NaCl's secretbox, XSalsa20 and Poly1305.

A box holds a few hundred bytes, so plain Python is quick enough, and hosts need no further library.
Source: D. J. Bernstein, "Cryptography in NaCl", sections 7 to 9; "Extending the Salsa20 nonce", section 2.
"""

from __future__ import annotations

import hmac
import struct
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEY_SIZE = 32
NONCE_SIZE = 24
_TAG_SIZE = 16
_BLOCK = 64
_ROUNDS = 20
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
_PRIME = (1 << 130) - 5


def open_box(box: bytes, *, nonce: bytes, key: bytes) -> bytes | None:
    """Return what is in ``box``, None if it was not made with this key and nonce, or was changed since.

    ``key`` has KEY_SIZE bytes, ``nonce`` NONCE_SIZE.
    """
    if len(box) < _TAG_SIZE:
        return None
    stream = _stream(key, nonce, length=KEY_SIZE + len(box) - _TAG_SIZE)
    tag, hidden = box[:_TAG_SIZE], box[_TAG_SIZE:]
    if not hmac.compare_digest(tag, _one_time_tag(hidden, key=stream[:KEY_SIZE])):
        return None
    return bytes(one ^ other for one, other in zip(hidden, stream[KEY_SIZE:]))


def _stream(key: bytes, nonce: bytes, *, length: int) -> bytes:
    """Return ``length`` bytes of XSalsa20's key stream."""
    mixed = _mixed(_state(key, nonce[:16]))
    inner = struct.pack("<8I", *(mixed[at] for at in (0, 5, 10, 15, 6, 7, 8, 9)))
    return b"".join(_blocks(inner, nonce[16:], count=-(-length // _BLOCK)))[:length]


def _blocks(key: bytes, nonce: bytes, *, count: int) -> Iterator[bytes]:
    for number in range(count):
        state = _state(key, nonce + struct.pack("<Q", number))
        sums = ((one + other) & 0xFFFFFFFF for one, other in zip(state, _mixed(state)))
        yield struct.pack("<16I", *sums)


def _state(key: bytes, middle: bytes) -> list[int]:
    """Return Salsa20's square: constants on the diagonal, ``middle`` (16 bytes) between the halves of the key."""
    words, inner = struct.unpack("<8I", key), struct.unpack("<4I", middle)
    one, two, three, four = _CONSTANTS
    return [one, *words[:4], two, *inner, three, *words[4:], four]


def _mixed(state: Sequence[int]) -> list[int]:
    words = list(state)
    for number in range(_ROUNDS):
        for quarter in _ROWS if number % 2 else _COLUMNS:
            for at, turn in enumerate((7, 9, 13, 18), start=1):
                # Each word is changed by the two before it; the fourth step comes round to the first word.
                target, one, other = (quarter[(at + shift) % 4] for shift in (0, -1, -2))
                total = (words[one] + words[other]) & 0xFFFFFFFF
                words[target] ^= ((total << turn) | (total >> (32 - turn))) & 0xFFFFFFFF
    return words


def _one_time_tag(message: bytes, *, key: bytes) -> bytes:
    """Return the Poly1305 tag of ``message``. Source: RFC 8439 section 2.5.1."""
    factor, total = int.from_bytes(key[:16], "little") & _CLAMP, 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16] + b"\x01", "little")) * factor % _PRIME
    return ((total + int.from_bytes(key[16:], "little")) & ((1 << 128) - 1)).to_bytes(16, "little")
