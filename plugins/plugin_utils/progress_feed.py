# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the workers of a run, which know how far their hosts are, to the process that has the terminal.

Workers are forks: what is opened here before a task starts, they have, too. It leaves nothing when the run is killed.
"""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t

_LIMIT_BYTES = 4096  # of what a host says
_MESSAGE_BYTES = 8 * _LIMIT_BYTES  # each byte that is no text takes six, and hosts have names
_ENDS: list[tuple[socket.socket, socket.socket]] = []  # at most one pair: where workers write, and where they are read


class Progress(t.NamedTuple):
    """How far one host is: it is at ``image``, one of ``images`` of which ``ready`` are complete.

    It has ``fetched`` of ``total`` bytes. ``at`` are the seconds of the host's own clock.
    """

    host: str
    image: str
    images: int
    ready: int
    fetched: int
    total: int
    at: float


def open_feed() -> None:
    """Let workers that start from now on say how far their hosts are. Idempotent."""
    if not _ENDS:
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in ends:
            end.setblocking(False)
        _ENDS.append(ends)


def close_feed() -> None:
    """Let nobody say anything any more. Idempotent."""
    for ends in _ENDS:
        for end in ends:
            end.close()
    _ENDS.clear()


def is_open() -> bool:
    """Whether anybody listens."""
    return bool(_ENDS)


def tell(host: str, said: bytes) -> None:
    """Pass on what a host said of itself; when nobody reads fast enough it is lost, and the next will do."""
    message = json.dumps([host, said[:_LIMIT_BYTES].decode("ascii", "replace")]).encode("ascii")
    if len(message) > _MESSAGE_BYTES:
        return
    for writing, _reading in _ENDS:
        with contextlib.suppress(OSError):
            writing.send(message)


def received() -> list[Progress]:
    """Return what was told since the last call, in its order."""
    found = []
    for _writing, reading in _ENDS:
        with contextlib.suppress(BlockingIOError):
            while True:
                host, said = json.loads(reading.recv(_MESSAGE_BYTES))
                progress = parse_progress(host, said)
                if progress is not None:
                    found.append(progress)
    return found


def parse_progress(host: str, said: str) -> Progress | None:
    """Return what ``host`` said, or None if that is nothing of the kind: a host may say anything.

    Nothing in it can move the cursor of a terminal.
    """
    try:
        row = json.loads(said[:_LIMIT_BYTES])
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not isinstance(row.get("image"), str):
        return None
    told = [row.get(key) for key in ("images", "ready", "fetched", "total", "at")]
    numbers = [number for number in told if isinstance(number, (int, float)) and 0 <= number < 1 << 60]
    if len(numbers) != len(told):
        return None
    images, ready, fetched, total = (int(number) for number in numbers[:4])
    return Progress(_printable(host), _printable(row["image"]), images, ready, fetched, total, numbers[4])


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
