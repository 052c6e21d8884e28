# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives and image layers, laid over a file tree.

Source: OCI image-spec v1.1 layer.md ("Applying Changesets", "Whiteouts").
"""

from __future__ import annotations

import posixpath
import typing as t

from ..model.errors import PeerError
from .archives import Archive
from .tree import Entry, Tree, join

if t.TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator

    from ..model.descriptor import Descriptor
    from ..model.errors import ImagesError
    from .base import BaseImage
    from .tree import Parts

WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_XATTR = "SCHILY.xattr."
_KINDS: dict[bytes, t.Literal["dir", "symlink", "char", "block", "fifo"]] = {
    b"5": "dir",
    b"2": "symlink",
    b"3": "char",
    b"4": "block",
    b"6": "fifo",
}
_HARD_LINK = b"1"


class Member(t.NamedTuple):
    """A member of an archive: where it goes, what it is, or (a hard link) the path it is another name of."""

    path: str
    entry: Entry
    twin_of: str = ""


def read_members(archive: Archive) -> Iterator[Member]:
    """Yield what is in ``archive``, in its order; paths are relative and never lead upwards.

    Raises:
        ImagesError: as Archive.members.
    """
    for info in archive.members():
        path = posixpath.normpath("/" + info.name).lstrip("/")
        if info.type == _HARD_LINK:
            yield Member(path, Entry("file", info.mode & 0o7777), posixpath.normpath("/" + info.linkname))
            continue
        yield Member(path, _entry(archive, info))


def lay_members(tree: Tree, members: Iterator[Member], *, below: Parts) -> Iterator[Parts]:
    """Put archive members into ``tree`` under ``below``; yield where each one went.

    Links on the way are followed inside the root. A hard link whose target is missing yields nothing.
    """
    prefix = join(below)
    for member in members:
        where = tree.resolve(f"{prefix}/{member.path}", follows_last=False)
        entry: Entry | None = member.entry
        if member.twin_of:
            entry = _link(tree, tree.resolve(f"{prefix}{member.twin_of}", follows_last=False))
        if entry is not None:
            tree.put(where, entry)
            yield where


def lay_layer(tree: Tree, archive: Archive) -> None:
    """Apply one image layer: its whiteouts hide what lower layers have, never what the layer itself brings.

    Raises:
        ImagesError: as Archive.members.
    """
    additions: list[Member] = []
    for member in read_members(archive):
        folder, name = posixpath.split(member.path)
        if name == _OPAQUE:
            node = tree.find(tree.resolve(folder))
            if node is not None:
                node.children.clear()
        elif name.startswith(WHITEOUT):
            tree.remove((*tree.resolve(folder), name[len(WHITEOUT) :]))
        else:
            additions.append(member)
    for _path in lay_members(tree, iter(additions), below=()):
        pass


def image_tree(image: BaseImage, *, reference: str, folder: str | None) -> tuple[Tree, list[Archive]]:
    """Return the files of an image, and the archives that hold their bytes; the caller closes those.

    Raises:
        PeerError: bad-layer, for a layer that is no tar archive; otherwise as Archive.members.
    """
    tree = Tree()
    archives: list[Archive] = []
    for layer in image.manifest.layers:
        archive = layer_archive(image, layer, reference=reference, folder=folder)
        archives.append(archive)
        lay_layer(tree, archive)
    return tree, archives


def layer_archive(image: BaseImage, layer: Descriptor, *, reference: str, folder: str | None) -> Archive:
    """Return a layer as an archive that is verified when it is read; the caller closes it."""

    def damaged(why: str) -> ImagesError:
        return PeerError(
            f"A layer of {reference} cannot be read",
            code="bad-layer",
            why=why,
            fix="pull or build the base image again",
            subject=str(layer.digest),
        )

    return Archive(lambda offset: image.source.open(layer, offset), folder=folder, damaged=damaged, verify=layer)


def _link(tree: Tree, target: Parts) -> Entry | None:
    """Return the entry at ``target``, marked as having another name."""
    node = tree.find(target)
    if node is None or node.entry.kind == "dir":
        return None
    if not node.entry.is_linked:
        node.entry = node.entry._replace(is_linked=True)
    return node.entry


def _entry(archive: Archive, info: tarfile.TarInfo) -> Entry:
    headers = info.pax_headers
    entry = Entry(
        _KINDS.get(info.type, "file"),
        info.mode & 0o7777,
        info.uid,
        info.gid,
        mtime=int(info.mtime),
        xattrs={key[len(_XATTR) :]: value for key, value in headers.items() if key.startswith(_XATTR)},
    )
    if entry.kind == "symlink":
        return entry._replace(link_target=info.linkname, mode=0o777)
    if entry.kind in ("char", "block"):
        return entry._replace(device=(info.devmajor, info.devminor))
    return entry._replace(size=info.size, content=archive.content(info)) if entry.kind == "file" else entry
