# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File trees as values to compare: of a folder or a tar archive, read by Python's own tools; a base to lay them on."""

from __future__ import annotations

import json
import os
import stat
import tarfile
import typing as t

from .images import OCI_CONFIG, OCI_MANIFEST, Blob, MadeImage, make_layer
from .lifecycle import HOST

if t.TYPE_CHECKING:
    from pathlib import Path


class File(t.NamedTuple):
    """One path: what it is, its permissions and owner, and its bytes or where it leads. Folders have no time here."""

    kind: str
    mode: int
    owner: tuple[int, int]
    content: bytes
    mtime: int

    def without_owner(self) -> File:
        """Return the same file as it is unpacked by a user without root."""
        return self._replace(owner=(0, 0))


def folder_tree(root: Path) -> dict[str, File]:
    """Return what is below a folder."""
    found: dict[str, File] = {}
    for here, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(here, name)
            status = os.lstat(path)
            mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
            row = os.path.relpath(path, root)
            if stat.S_ISLNK(status.st_mode):
                found[row] = File("link", 0o777, owner, os.fsencode(os.readlink(path)), int(status.st_mtime))
            elif stat.S_ISDIR(status.st_mode):
                found[row] = File("dir", mode, owner, b"", 0)
            else:
                with open(path, "rb") as file:
                    found[row] = File("file", mode, owner, file.read(), int(status.st_mtime))
    return found


def archive_tree(path: Path) -> dict[str, File]:
    """Return what is in a tar archive; a hard link is what it leads to."""
    found: dict[str, File] = {}
    with tarfile.open(path) as archive:
        for info in archive:
            name, owner = info.name.strip("/"), (info.uid, info.gid)
            if info.islnk():
                found[name] = found[info.linkname.strip("/")]
            elif info.issym():
                found[name] = File("link", 0o777, owner, os.fsencode(info.linkname), int(info.mtime))
            elif info.isdir():
                found[name] = File("dir", info.mode & 0o7777, owner, b"", 0)
            else:
                stream = archive.extractfile(info)
                body = stream.read() if stream is not None else b""
                found[name] = File("file", info.mode & 0o7777, owner, body, int(info.mtime))
    return found


def base_with_removals() -> MadeImage:
    """Return an image whose second layer hides a file and all of a folder that the first one has."""
    first = make_layer({"etc/gone": b"1", "etc/kept": b"2", "old/one": b"3", "old/two": b"4"})
    second = make_layer({"etc/.wh.gone": b"", "old/.wh..wh..opq": b"", "old/new": b"5"})
    system, architecture = HOST.split("/")[:2]
    config = {
        "architecture": architecture,
        "os": system,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [first[1], second[1]]},
        "history": [{"created_by": "one"}, {"created_by": "two"}],
    }
    raw_config = Blob(OCI_CONFIG, json.dumps(config).encode())
    layers = (first[0], second[0])
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": raw_config.descriptor,
        "layers": [layer.descriptor for layer in layers],
    }
    return MadeImage(Blob(OCI_MANIFEST, json.dumps(manifest).encode()), raw_config, layers, HOST)
