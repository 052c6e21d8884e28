# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""COPY and ADD: which sources are meant, and where they land.

Source: Dockerfile reference, "COPY" and "ADD"; where implementations differ (a folder copied over a symbolic link
replaces it; folders made on the way belong to ``--chown``) this does what buildah and the classic builder do.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from .ignore import glob_regex
from .tree import FOLDER, Entry, Node, Tree

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .tree import Parts

_WILDCARD = re.compile(r"[*?\[\\]")


class CopyError(ValueError):
    """A source or destination that cannot be used; ``code`` is that of the error the user sees."""

    def __init__(self, what: str, *, code: str, fix: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.fix = fix


class Source(t.NamedTuple):
    """Something to copy: its name, where that stands, where it really is (links followed), and what it is."""

    name: str
    written: Parts
    real: Parts
    node: Node


class Target(t.NamedTuple):
    """Where to copy to: an absolute path, and what owner and permissions are forced (None: kept)."""

    path: str
    is_folder: bool
    owner: tuple[int, int] | None = None
    mode: int | None = None


def find_sources(tree: Tree, pattern: str, *, outside: str) -> list[Source]:
    """Return what ``pattern`` (a path, or one with wildcards) means in ``tree``, sorted by name; never nothing.

    ``outside`` says what the tree is, for errors.

    Raises:
        CopyError: copy-source-outside, or copy-source-missing.
    """
    cleaned = posixpath.normpath(pattern.lstrip("/") or ".")
    if cleaned == ".." or cleaned.startswith("../"):
        raise CopyError(
            f"{pattern} is outside {outside}",
            code="copy-source-outside",
            fix="copy from below the context, or choose a context folder further up",
        )
    found = list(_matches(tree, [] if cleaned == "." else cleaned.split("/"), above=""))
    sources = [
        Source(posixpath.basename(path), tree.resolve(path, follows_last=False), real, node)
        for path in found
        for real in [tree.resolve(path)]
        for node in [tree.find(real)]
        # What is still a link after links were followed is a loop.
        if node is not None and node.entry.kind != "symlink"
    ]
    if not sources:
        raise CopyError(
            f"{pattern} matches nothing in {outside}",
            code="copy-source-missing",
            fix="check the name; of a context, check the ignore file too",
        )
    return sources


def copy_into(tree: Tree, sources: list[Source], *, target: Target) -> set[Parts]:
    """Copy ``sources`` into ``tree``; return every path that was put.

    A folder's content goes into the target, a file goes under its own name into a folder, or becomes the target.

    Raises:
        CopyError: copy-conflict, when the target must be a folder and is none, or cannot hold them all.
    """
    copier = _Copier(tree, target)
    if len(sources) > 1 and not target.is_folder:
        raise CopyError(
            f"{len(sources)} sources cannot become the one file {target.path}",
            code="copy-conflict",
            fix=f"end the destination with a slash: {target.path}/",
        )
    for source in sources:
        if source.node.entry.kind == "dir":
            copier.copy_folder(source.node)
        else:
            copier.copy_file(source)
    return copier.put_paths


def make_folder(tree: Tree, path: str, *, owner: tuple[int, int] = (0, 0)) -> tuple[Parts, set[Parts]]:
    """Make ``path`` and its parents where missing, owned by ``owner``; return where it is and what was made.

    Raises:
        CopyError: copy-conflict, when something on the way is no folder.
    """
    made: set[Parts] = set()
    real = tree.resolve(path)
    for length in range(1, len(real) + 1):
        node = tree.find(real[:length])
        if node is None:
            tree.put(real[:length], FOLDER._replace(uid=owner[0], gid=owner[1]))
            made.add(real[:length])
        elif node.entry.kind != "dir":
            raise CopyError(f"/{'/'.join(real[:length])} is no folder", code="copy-conflict", fix="choose another path")
    return real, made


class _Copier:
    def __init__(self, tree: Tree, target: Target) -> None:
        self._tree = tree
        self._target = target
        self._twins: dict[int, Entry] = {}
        self.put_paths: set[Parts] = set()

    def copy_folder(self, folder: Node) -> None:
        """Copy what is in ``folder``; the target becomes a folder if there was nothing."""
        top = self._folder(self._target.path)
        for parts, entry in folder.walk():
            self._put((*top, *parts), entry)

    def copy_file(self, source: Source) -> None:
        """Copy one entry that is no folder."""
        path = self._target.path
        node = self._tree.find(self._tree.resolve(path))
        if self._target.is_folder or (node is not None and node.entry.kind == "dir"):
            self._put((*self._folder(path), source.name), source.node.entry)
            return
        folder, name = posixpath.split(path.rstrip("/"))
        self._put((*self._folder(folder), name), source.node.entry)

    def _folder(self, path: str) -> Parts:
        top, made = make_folder(self._tree, path, owner=self._target.owner or (0, 0))
        self.put_paths |= made
        return top

    def _put(self, parts: Parts, entry: Entry) -> None:
        self._tree.put(parts, self._dressed(entry))
        self.put_paths.add(parts)

    def _dressed(self, entry: Entry) -> Entry:
        """Return ``entry`` with the owner and permissions asked for.

        Hard links stay one object, but another one than what was copied: a copy is no further name of its source.
        """
        owner, mode = self._target.owner, self._target.mode
        if owner is None and mode is None and not entry.is_linked:
            return entry
        dressed = self._twins.get(id(entry))
        if dressed is None:
            uid, gid = owner if owner is not None else (entry.uid, entry.gid)
            permissions = entry.mode if mode is None or entry.kind == "symlink" else mode
            dressed = entry._replace(uid=uid, gid=gid, mode=permissions)
            if entry.is_linked:
                self._twins[id(entry)] = dressed
        return dressed


def _matches(tree: Tree, parts: list[str], *, above: str) -> Iterator[str]:
    """Yield the paths that a pattern cut into ``parts`` matches below ``above``; links on the way are followed."""
    if not parts:
        yield above
        return
    first, *rest = parts
    if not _WILDCARD.search(first):
        yield from _matches(tree, rest, above=f"{above}/{first}")
        return
    regex = glob_regex(first.replace("**", "*"))
    node = tree.find(tree.resolve(above))
    for name in sorted(node.children) if node is not None and regex is not None else ():
        if regex is not None and regex.fullmatch(name):
            yield from _matches(tree, rest, above=f"{above}/{name}")
