# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file tree in memory: what a context, an archive, or the layers of an image amount to. Holds names, never bytes."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..wire.streams import ReadStream

    Parts = tuple[str, ...]
    """A path below the root, cut at slashes; empty: the root."""

MAX_LINKS = 40
"""Symbolic links that are followed in one path before it counts as a loop, as in Linux."""


BUILD_TIME = 2**62
"""The time of what has none of its own: later than any, so it becomes the build's when times are bounded."""


class Content(t.Protocol):
    """The bytes of one file, wherever they are."""

    def open(self) -> ReadStream:
        """Return the bytes from their start; the caller closes."""


class Entry(t.NamedTuple):
    """One file of any kind. ``mode`` is permissions (07777), ``size`` and ``content`` are of files only.

    ``xattrs`` are the extended attributes by name. Hard links are two names of the *same* entry object.
    """

    kind: t.Literal["file", "dir", "symlink", "char", "block", "fifo"]
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = BUILD_TIME
    size: int = 0
    content: Content | None = None
    link_target: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, str] = {}
    is_linked: bool = False  # another name of it may exist: only then names are compared when a layer is written


FOLDER = Entry("dir", 0o755)


class Node:
    """An entry and, for a folder, what is in it."""

    __slots__ = ("children", "entry")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.children: dict[str, Node] = {}

    def walk(self, above: Parts = ()) -> Iterator[tuple[Parts, Entry]]:
        """Yield everything below, parents first, each folder in the order of its names."""
        waiting = [(above, self)]
        while waiting:  # no recursion: a foreign layer may be deeper than Python's stack
            parts, node = waiting.pop()
            if node is not self:
                yield parts, node.entry
            waiting += [((*parts, name), node.children[name]) for name in sorted(node.children, reverse=True)]


class Tree:
    """A root folder. Paths never lead out of it: ``..`` stops at the root, links are followed inside."""

    def __init__(self) -> None:
        self.root = Node(FOLDER)

    def find(self, parts: Parts) -> Node | None:
        """Return what is at ``parts``, following no links."""
        node: Node | None = self.root
        for name in parts:
            node = node.children.get(name) if node is not None else None
        return node

    def resolve(self, path: str, *, follows_last: bool = True) -> Parts:
        """Return where ``path`` leads after links are followed; what does not exist yet is kept as written.

        A loop of links ends at the link that was one too many.
        """
        waiting = _cut(path)[::-1]
        done: list[str] = []
        links = 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                del done[-1:]
                continue
            done.append(name)
            node = self.find(tuple(done))
            if node is None or node.entry.kind != "symlink" or links >= MAX_LINKS or not (waiting or follows_last):
                continue
            links += 1
            target = node.entry.link_target
            done = [] if target.startswith("/") else done[:-1]
            waiting += _cut(target)[::-1]
        return tuple(done)

    def put(self, parts: Parts, entry: Entry) -> None:
        """Place ``entry``: a folder over a folder keeps what is in it, anything else replaces what was there.

        Missing parents become folders of root with mode 0755; a parent that is no folder is replaced by one.
        """
        if not parts:
            self.root.entry = entry if entry.kind == "dir" else self.root.entry
            return
        above = self.root
        for name in parts[:-1]:
            child = above.children.get(name)
            if child is None or child.entry.kind != "dir":
                child = above.children[name] = Node(FOLDER)
            above = child
        old = above.children.get(parts[-1])
        if old is not None and old.entry.kind == "dir" and entry.kind == "dir":
            old.entry = entry
        else:
            above.children[parts[-1]] = Node(entry)

    def remove(self, parts: Parts) -> None:
        """Take away what is at ``parts``, if anything."""
        above = self.find(parts[:-1])
        if above is not None and parts:
            above.children.pop(parts[-1], None)

    def copy(self) -> Tree:
        """Return a tree that changes apart from this one; the entries are shared."""
        twin = Tree()
        twin.root.entry = self.root.entry
        waiting = [(self.root, twin.root)]
        while waiting:
            node, copied = waiting.pop()
            copied.children = {name: Node(child.entry) for name, child in node.children.items()}
            waiting += [(child, copied.children[name]) for name, child in node.children.items() if child.children]
        return twin

    def __contains__(self, parts: Parts) -> bool:
        return self.find(parts) is not None


def _cut(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def join(parts: Parts) -> str:
    """Return ``parts`` as a path without a leading slash."""
    return "/".join(parts)
