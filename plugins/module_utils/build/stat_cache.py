# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of a context, so that files that did not change are not read again. Deletable at any time.

A file is taken to be as it was when path, size, inode and the times of its content and of its status are. Nobody can
set the latter, so new content under an old time is found out. A file written less than two seconds before it was
hashed is not remembered: clocks may be that coarse, and an edit right after may leave the same times (racy git).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
import typing as t

from .context import Row
from .inputs import rows_digest
from .tree import join

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .context import Context, ContextFile
    from .tree import Parts

_VERSION = 1
_RACY_NS = 2 * 10**9
_SIGNATURES = 16
_CONTEXTS = 2  # remembered whatever their size; more of them while they are small
_ROWS = 20_000
_FILES = 64
_SUFFIX = ".context"


class _Kept(t.NamedTuple):
    """What the file holds. ``known`` are pairs: a digest over the states of files, and the digest of their rows.

    ``files`` are states and digests by path; ``contexts`` the digests of rows and the rows, latest first.
    """

    known: list[list[str]]
    files: dict[str, list[t.Any]]
    contexts: list[tuple[str, list[Row]]]


class StatCache:
    """What is remembered of the contexts that one folder was. What is corrupt or another user's counts as nothing."""

    def __init__(self, path: str, *, clock: Callable[[], int] = time.time_ns) -> None:
        """Keep it in the file ``path``; the folder above is made when it is needed. ``clock`` is the files' own."""
        self._path = path
        self._clock = clock
        self._kept: _Kept | None = None

    def digest(self, context: Context, paths: Iterable[Parts]) -> str:
        """Return ``rows_digest`` of the rows of ``paths``; only files that may have changed are read.

        Raises:
            InputError, ConflictError: as ContextFile.open.
        """
        wanted = frozenset(paths)
        signature = _signature(context, wanted)
        # When nothing changed, the head tells; the rest, a state for each file, is not even read.
        kept = self._kept or self._read(is_whole=False)
        digests = [digest for known, digest in kept.known if known == signature]
        return digests[0] if digests else self._learn(context, sorted(wanted), signature=signature)

    def rows(self, start: str) -> list[Row] | None:
        """Return the rows whose ``rows_digest`` starts with ``start``, None when they are forgotten."""
        return next((rows for digest, rows in self._all().contexts if start and digest.startswith(start)), None)

    def _learn(self, context: Context, ordered: list[Parts], *, signature: str) -> str:
        now = self._clock()
        kept = self._all()
        states = {parts: _state(content) for parts in ordered if (content := _content(context, parts)) is not None}
        for parts, state in states.items():
            known = kept.files.get(join(parts))
            if known is not None and known[:-1] == state:
                context.digests[parts] = str(known[-1])
        rows = context.rows(ordered)
        digest = rows_digest(rows)
        files = {path: known for path, known in kept.files.items() if tuple(path.split("/")) in context.tree}
        settled = 0
        for parts, state in states.items():
            files.pop(join(parts), None)
            if _is_old(state, now):
                settled += 1
                files[join(parts)] = [*state, context.digests[parts]]
        pairs = [pair for pair in kept.known if pair[0] != signature]
        pairs = [[signature, digest], *pairs] if settled == len(states) else pairs
        contexts = [(digest, rows), *(row for row in kept.contexts if row[0] != digest)]
        self._save(_Kept(pairs[:_SIGNATURES], files, _latest(contexts)))
        return digest

    def _all(self) -> _Kept:
        if self._kept is None:
            self._kept = self._read(is_whole=True)
        return self._kept

    def _read(self, *, is_whole: bool) -> _Kept:
        """Return what the file holds, or what its first line does; nothing where there is none of this user."""
        try:
            with open(self._path, "rb") as stream:
                if os.fstat(stream.fileno()).st_uid == os.geteuid():
                    return _parse(stream.readline(), stream.read() if is_whole else None)
        except (OSError, ValueError):
            pass
        return _Kept([], {}, [])

    def _save(self, kept: _Kept) -> None:
        """Write the file anew. What cannot be written is not remembered."""
        self._kept = kept
        body = json.dumps([kept.files, kept.contexts], separators=(",", ":")).encode()
        head = json.dumps([_VERSION, kept.known, hashlib.sha256(body).hexdigest()]).encode()
        folder = os.path.dirname(self._path)
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(_SUFFIX, dir=folder)
            try:
                with open(descriptor, "wb") as stream:
                    stream.writelines((hashlib.sha256(head).hexdigest().encode(), b" ", head, b"\n", body))
                os.replace(draft, self._path)
            except OSError:
                os.unlink(draft)
            _forget_oldest(folder)


def _forget_oldest(folder: str) -> None:
    """Remove all but the latest of our files in ``folder``: of contexts in temporary folders, each run leaves one."""
    with os.scandir(folder) as entries:
        ours = [entry for entry in entries if entry.name.endswith(_SUFFIX)]
    ours.sort(key=lambda entry: entry.stat(follow_symlinks=False).st_mtime_ns)
    for entry in ours[:-_FILES]:
        os.unlink(entry.path)


def stat_cache(folder: str, context: str) -> StatCache:
    """Return what is remembered below ``folder`` of the context folder ``context``."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(context))).hexdigest()
    return StatCache(os.path.join(folder, name[:32] + _SUFFIX))


def _parse(line: bytes, body: bytes | None) -> _Kept:
    """Return what the file's first line and the rest say.

    Raises:
        ValueError: they are corrupt, or of another version.
    """
    checksum, _blank, head = line.rstrip(b"\n").partition(b" ")
    if hashlib.sha256(head).hexdigest().encode() != checksum:
        raise ValueError("the head is corrupt")
    version, *rest = json.loads(head)
    if version != _VERSION:
        raise ValueError("it is of another version")
    known, expected = rest
    if body is None:
        return _Kept(known, {}, [])
    if hashlib.sha256(body).hexdigest() != expected:
        raise ValueError("the body is corrupt")
    files, contexts = json.loads(body)
    return _Kept(known, files, [(digest, [Row(*row) for row in rows]) for digest, rows in contexts])


def _latest(contexts: list[tuple[str, list[Row]]]) -> list[tuple[str, list[Row]]]:
    """Return those of ``contexts`` that are remembered."""
    count = 0
    kept: list[tuple[str, list[Row]]] = []
    for digest, rows in contexts:
        count += len(rows)
        if len(kept) < _CONTEXTS or count <= _ROWS:
            kept.append((digest, rows))
    return kept


def _signature(context: Context, wanted: frozenset[Parts]) -> str:
    """Return a digest over everything that the rows depend on, without reading a file."""
    states = ["/" * (() in wanted)]
    for parts, entry in context.tree.root.walk():
        if parts in wanted:
            content = t.cast("ContextFile | None", entry.content)
            state = content[1:] if content is not None else entry.link_target
            states.append(f"{'/'.join(parts)}\0{entry.kind}\0{entry.mode}\0{state}")
    return hashlib.sha256(os.fsencode("\0".join(states))).hexdigest()


def _content(context: Context, parts: Parts) -> ContextFile | None:
    node = context.tree.find(parts)
    return t.cast("ContextFile | None", node.entry.content) if node is not None else None


def _state(content: ContextFile) -> list[int]:
    return [content.size, content.mtime_ns, content.ctime_ns, content.inode]


def _is_old(state: list[int], now: int) -> bool:
    return max(state[1], state[2]) < now - _RACY_NS
