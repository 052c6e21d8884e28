# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an image, laid out as a container would see them: in a tar archive, or in a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from ..model.errors import UnsupportedError
from ..wire.streams import pieces
from .archives import BLOCK
from .layers import tar_content, tar_headers
from .tree import BUILD_TIME, join
from .unpacking import image_tree

if t.TYPE_CHECKING:
    from .archives import Archive
    from .base import BaseImage
    from .tree import Entry, Parts, Tree

_DEVICES = {"char": stat.S_IFCHR, "block": stat.S_IFBLK}
_NO_ATTRIBUTES = (errno.ENOTSUP, errno.EPERM, errno.EACCES)


def write_root_archive(file: t.IO[bytes], image: BaseImage, *, name: str, folder: str) -> None:
    """Write the files of ``image`` as a tar archive; the same image gives the same bytes.

    Layers are unpacked in ``folder``; what was unpacked is gone afterwards.

    Raises:
        PeerError: bad-layer; IntegrityError: digest-mismatch.
        UnsupportedError: sparse-file, zstd-missing.
    """
    tree, archives = image_tree(image, reference=name, folder=folder)
    try:
        names: dict[int, bytes] = {}
        for parts, entry in tree.root.walk():
            path = os.fsencode(join(parts)) + (b"/" if entry.kind == "dir" else b"")
            first = names.setdefault(id(entry), path) if entry.is_linked else path
            twin = first if first != path else b""
            file.write(tar_headers(path, entry, mtime=_time(entry), twin_of=twin))
            for chunk in () if twin else tar_content(entry, name=join(parts)):
                file.write(chunk)
        file.write(bytes(2 * BLOCK))
    finally:
        _close(archives)


def write_root_folder(target: str, image: BaseImage, *, name: str, folder: str) -> None:
    """Put the files of ``image`` into the empty folder ``target``, which nobody else may write into.

    Users without root own all of it: then owners, and attributes that only root may set, are left out. The rest is as
    ``write_root_archive`` has it.

    Raises:
        UnsupportedError: output-needs-root; sparse-file, zstd-missing.
        PeerError: bad-layer; IntegrityError: digest-mismatch.
        OSError: a file cannot be written.
    """
    tree, archives = image_tree(image, reference=name, folder=folder)
    try:
        _fill(target, tree, name=name)
    finally:
        _close(archives)


def _fill(target: str, tree: Tree, *, name: str) -> None:
    is_root = os.geteuid() == 0
    names: dict[int, str] = {}
    folders: list[tuple[str, Entry]] = [(target, tree.root.entry)]
    for parts, entry in tree.root.walk():
        path = os.path.join(target, *parts)
        first = names.setdefault(id(entry), path) if entry.is_linked else path
        if first != path:
            os.link(first, path, follow_symlinks=False)
        elif entry.kind == "dir":
            os.mkdir(path, 0o700)  # opened up when everything is in it
            folders.append((path, entry))
        else:
            _make(path, entry, parts=parts, image=name, is_root=is_root)
            _dress(path, entry, is_root=is_root)
    for path, entry in reversed(folders):
        _dress(path, entry, is_root=is_root)


def _make(path: str, entry: Entry, *, parts: Parts, image: str, is_root: bool) -> None:
    if entry.kind == "symlink":
        os.symlink(entry.link_target, path)
    elif entry.kind == "fifo":
        os.mkfifo(path, 0o600)
    elif entry.kind in _DEVICES:
        if not is_root:
            raise UnsupportedError(
                f"{image} has the device /{join(parts)}, which only root can make in a folder",
                code="output-needs-root",
                fix="run the task as root (become: true), or write the image with type: tar",
                subject=image,
            )
        os.mknod(path, _DEVICES[entry.kind] | 0o600, os.makedev(*entry.device))
    elif entry.content is not None:
        with contextlib.closing(entry.content.open()) as stream, open(path, "xb") as file:
            for chunk in pieces(stream):
                file.write(chunk)


def _dress(path: str, entry: Entry, *, is_root: bool) -> None:
    """Give a file its owner, then its mode and attributes, which a change of the owner may take, then its times."""
    if is_root:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != "symlink":
        os.chmod(path, entry.mode)
    for attribute, value in entry.xattrs.items():
        try:
            os.setxattr(path, attribute, value.encode("utf-8", "surrogateescape"), follow_symlinks=False)
        except OSError as error:  # file systems, and users without root, that have no such attributes
            if error.errno not in _NO_ATTRIBUTES:
                raise
    os.utime(path, (_time(entry), _time(entry)), follow_symlinks=False)


def _time(entry: Entry) -> int:
    return 0 if entry.mtime == BUILD_TIME else max(0, entry.mtime)


def _close(archives: list[Archive]) -> None:
    for archive in archives:
        archive.close()
