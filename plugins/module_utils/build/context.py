# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The context: every file a build can see, walked once, hashed only where asked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import typing as t

from ..model.errors import ConflictError, InputError
from ..wire.streams import pieces
from .tree import FOLDER, Entry, Node, Tree, join

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire.streams import ReadStream
    from .ignore import IgnoreRules
    from .tree import Parts

_DEPTH = 500  # folders in folders: a call each; nobody has them but by mistake

_KINDS: dict[int, t.Literal["fifo", "char", "block"]] = {
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


class ContextFile(t.NamedTuple):
    """A file of the context as it was when it was walked."""

    path: str
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    def open(self) -> ReadStream:
        """Return its bytes; the caller closes.

        Raises:
            InputError: context-unreadable.
            ConflictError: context-changed, when it is not the file that was walked any more.
        """
        try:
            stream: t.Any = open(self.path, "rb", buffering=0)  # noqa: SIM115  (the caller closes)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        now = os.fstat(stream.fileno())  # what is open, whatever the name means by now
        if (now.st_size, now.st_mtime_ns, now.st_ino) != (self.size, self.mtime_ns, self.inode):
            stream.close()
            raise ConflictError(
                f"The context changed during the build: {self.path}",
                code="context-changed",
                fix="run again when nothing writes into the context",
                subject=self.path,
            )
        return _Reading(stream, self.path)


class _Reading:
    """An open file whose failures name it."""

    def __init__(self, stream: t.BinaryIO, path: str) -> None:
        self._stream = stream
        self._path = path

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        try:
            return self._stream.read(size)
        except OSError as error:
            raise _unreadable(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


class Row(t.NamedTuple):
    """What one path of the context contributes to the inputs of a build; ``digest`` is of a file's bytes, in hex."""

    path: str
    kind: str
    mode: int
    link_target: str
    digest: str


class Context:
    """The files under one folder that the ignore rules leave, as a tree of entries owned by root.

    ``digests`` are those of files that were hashed, or whose digests are known otherwise.
    """

    def __init__(self, folder: str, tree: Tree) -> None:
        self.folder = folder
        self.tree = tree
        self.digests: dict[Parts, str] = {}

    def rows(self, paths: Iterable[Parts]) -> list[Row]:
        """Return a row for each path, sorted; each file's bytes are read once, however often it is asked for.

        Raises:
            InputError, ConflictError: as ContextFile.open.
        """
        return [self._row(parts) for parts in sorted(set(paths))]

    def _row(self, parts: Parts) -> Row:
        node = self.tree.find(parts)
        entry = node.entry if node is not None else FOLDER
        if entry.content is not None and parts not in self.digests:
            self.digests[parts] = _hash(entry)
        return Row(join(parts), entry.kind, entry.mode, entry.link_target, self.digests.get(parts, ""))


def walk_context(folder: str, rules: IgnoreRules) -> Context:
    """Return the files under ``folder``, none if that is "": links are not followed, sockets are left out.

    Modes are those of a checkout under umask 022: group and others get what the owner has, without write, so that
    neither umask nor the user who cloned changes the image. Set-user-ID stays on files; set-group-ID goes from folders.

    Raises:
        InputError: context-missing, or context-unreadable naming the path.
    """
    if not folder:
        return Context(folder, Tree())
    check_folder(folder)
    tree = Tree()
    _walk(_Walk(folder, rules), tree.root, above="", matched=rules.start())
    return Context(folder, tree)


def check_folder(folder: str) -> None:
    """Do nothing if ``folder`` is one.

    Raises:
        InputError: context-missing, or context-unreadable when this user may not even see it.
    """
    try:
        is_folder = stat.S_ISDIR(os.stat(folder).st_mode)
    except PermissionError as error:
        raise _unreadable(folder, error) from error
    except (OSError, ValueError):
        is_folder = False
    if not is_folder:
        raise InputError(
            f"The build context {folder} is not a folder",
            code="context-missing",
            fix="give the path of a folder on the host that builds",
            subject=folder,
        )


def normal_mode(mode: int) -> int:
    """Return the permissions that ``mode`` amounts to whatever the umask was when the file was written."""
    owner = (mode >> 6) & 0o7
    spread = owner << 6 | (owner & 0o5) << 3 | (owner & 0o5)
    kept = 0o1000 if stat.S_ISDIR(mode) else 0o6000 if owner & 0o1 else 0
    return spread | (mode & kept)


class _Walk(t.NamedTuple):
    folder: str
    rules: IgnoreRules


def _walk(walk: _Walk, node: Node, *, above: str, matched: tuple[bool, ...]) -> None:
    folder = os.path.join(walk.folder, above) if above else walk.folder
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error
    if above.count("/") >= _DEPTH:
        raise InputError(
            f"The build context cannot be read at {folder}",
            code="context-unreadable",
            why=f"more than {_DEPTH} folders lie in each other",
            fix="list it in the ignore file",
            subject=folder,
        )
    for item in found:
        path = f"{above}/{item.name}" if above else item.name
        now_matched = walk.rules.matches(path, matched) if walk.rules.rows else matched
        is_hidden = bool(now_matched) and walk.rules.hides(now_matched)
        is_folder = item.is_dir(follow_symlinks=False)
        if is_hidden and not (is_folder and walk.rules.may_bring_back_under(path)):
            continue
        entry = _entry(item)
        if entry is None:
            continue
        child = Node(entry)
        if is_folder:
            _walk(walk, child, above=path, matched=now_matched)
        # A hidden folder is seen only for the sake of what was brought back in it.
        if not is_hidden or child.children:
            node.children[item.name] = child


def _entry(item: os.DirEntry[str]) -> Entry | None:
    try:
        status = item.stat(follow_symlinks=False)
        mode, kind = status.st_mode, stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFREG:
            content = ContextFile(item.path, status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
            return Entry("file", normal_mode(mode), size=status.st_size, content=content)
        if kind == stat.S_IFDIR:
            return Entry("dir", normal_mode(mode))
        if kind == stat.S_IFLNK:
            return Entry("symlink", 0o777, link_target=os.readlink(item.path))
    except OSError as error:
        raise _unreadable(item.path, error) from error
    if kind not in _KINDS:
        return None
    device = (os.major(status.st_rdev), os.minor(status.st_rdev)) if kind != stat.S_IFIFO else (0, 0)
    return Entry(_KINDS[kind], normal_mode(mode), device=device)


def _hash(entry: Entry) -> str:
    hasher = hashlib.sha256()
    if entry.content is not None:
        with contextlib.closing(entry.content.open()) as stream:
            for chunk in pieces(stream):
                hasher.update(chunk)
    return hasher.hexdigest()


def _unreadable(path: str, error: OSError) -> InputError:
    return InputError(
        f"The build context cannot be read at {path}",
        code="context-unreadable",
        why=error.strerror or str(error),
        fix="give the user who builds the right to read it, or list it in the ignore file",
        subject=path,
    )
