# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images written to files and folders: what such a destination holds, and how it gets new content in one step.

An archive of a whole image says itself which image it is. Of files alone a record is kept in the user's cache: which
image they are of, and the state that they were left in. Without its record a file is written anew; a folder that is not
empty is left alone then, for it may be anybody's.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
import typing as t

from ..model.digest import Digest
from ..model.errors import ConflictError, InputError, UnavailableError
from ..model.host import Identity
from ..model.output import Written
from ..wire.durable import PARTIAL, replacing, sync_directory
from .image_archives import identity_of, image_in, write_layout_archive, write_saved_archive
from .root_files import write_root_archive, write_root_folder

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..model.index import Index
    from ..model.output import Output
    from .base import BaseImage

_VERSION = 1
_OWN_FOLDER = "name a place in dest that only this user may write to"
_OPENED = re.compile(r"/proc/self/fd/\d+/\.")
_LEFT_SECONDS = 3600.0  # what a task that was killed left behind is older than this


class _Record(t.NamedTuple):
    """What is remembered of a destination: device and inode of the folder, what it holds, and its state."""

    form: str
    node: list[int]
    config: str
    manifest: str
    state: str


def written(output: Output, *, records: str) -> Written | None:
    """Return which image ``output`` holds, None for none; ``records`` is the folder of records, "" for nowhere.

    Raises:
        InputError: output-folder-missing.
        ConflictError: output-in-the-way: a folder is where a file is wanted, or the other way round, or a folder that
            nothing here wrote is not empty.
        UnavailableError: output-unwritable: it cannot be read.
    """
    path = os.path.realpath(output.dest)
    with _explained(output):
        status = _status(path)
        if not os.path.isdir(os.path.dirname(path)):
            raise InputError(
                f"The folder for {output.dest} does not exist",
                code="output-folder-missing",
                why=f"{os.path.dirname(path)} is no folder",
                fix="make it first (ansible.builtin.file with state: directory), or correct dest",
                subject=output.dest,
            )
        record = _read(path, records)
        _refuse_others(output, path, status=status, record=record)
        if status is None:
            return None
        if output.is_whole_image:
            with open(path, "rb") as file:
                return image_in(file, is_layout=output.form == "oci")
        if record is None or record.form != output.form:
            return None
        identity = Identity(None, Digest.parse(record.config), None, (Digest.parse(record.manifest),))
        return Written(identity, is_intact=record.state == _state(path))


def write_output(output: Output, image: BaseImage, *, name: str, records: str, index: Index | None = None) -> None:
    """Let ``output`` hold ``image``, in one step: what was there stays until then. ``oci`` holds all of ``index``.

    Raises:
        ConflictError: output-in-the-way: what nothing here wrote came there meanwhile.
        UnavailableError: output-unwritable: the disk is full, or this user may not write there.
        UnsupportedError: output-needs-root: a device, in a folder.
        ImagesError: the image's content is damaged, or of a kind that cannot be written so.
    """
    path = os.path.realpath(output.dest)
    with _explained(output):
        _clear(path)
        identity = identity_of(image)
        record = _Record(output.form, [], str(identity.config_digest), str(image.manifest.descriptor.digest), "")
        if output.form == "local":
            _write_folder(output, image, path=path, name=name, record=record, records=records)
        else:
            _write_file(output, image, path=path, name=name, index=index)
        if not output.is_whole_image:
            _keep(path, record._replace(node=_node(path), state=_state(path)), records=records)


def _write_file(output: Output, image: BaseImage, *, path: str, name: str, index: Index | None) -> None:
    folder, status = os.path.dirname(path), _status(path)
    with replacing(path, mode=stat.S_IMODE(status.st_mode) if status is not None else 0o644) as file:
        if output.form == "oci":
            write_layout_archive(file, image, name=name, index=index)
        elif output.form == "docker":
            write_saved_archive(file, image, name=name, folder=folder)
        else:
            write_root_archive(file, image, name=name, folder=folder)


def _write_folder(output: Output, image: BaseImage, *, path: str, name: str, record: _Record, records: str) -> None:
    folder = os.path.dirname(path)
    fresh = tempfile.mkdtemp(PARTIAL, f".{os.path.basename(path)}.", folder)
    try:
        node = _fill(fresh, image, name=name)
        before = _read(path, records)
        _refuse_others(output, path, status=_status(path), record=before)
        if _node(fresh) != node:
            raise _in_the_way(output, "who may write to that folder moved what was being written", fix=_OWN_FOLDER)
        # first, so that the folder is known as ours even if we are stopped right after it moved
        _keep(path, record._replace(node=node), records=records)
        _swap(fresh, path)
    except BaseException:
        _remove(fresh)
        raise
    sync_directory(folder)


def _fill(fresh: str, image: BaseImage, *, name: str) -> list[int]:
    """Put the files of ``image`` into the folder ``fresh``; return its device and inode.

    It is held open: who may write to the folder above could put a link to another place under its name meanwhile.
    """
    handle = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid():
            raise PermissionError(errno.EPERM, "it is not the folder that was made", fresh)
        write_root_folder(f"/proc/self/fd/{handle}/.", image, name=name, folder=os.path.dirname(fresh))
        return [status.st_dev, status.st_ino]
    finally:
        os.close(handle)


def _swap(fresh: str, path: str) -> None:
    """Let ``fresh`` take the place of ``path``; what is there goes, and comes back if that fails."""
    former = f"{fresh}.old"
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, former)
    try:
        os.rename(fresh, path)
    except OSError:
        if os.path.lexists(former):
            os.rename(former, path)
        raise
    _remove(former)


def _refuse_others(output: Output, path: str, *, status: os.stat_result | None, record: _Record | None) -> None:
    if status is None:
        return
    is_folder = stat.S_ISDIR(status.st_mode)
    if output.form != "local":
        if stat.S_ISREG(status.st_mode):
            return
        why, fix = "it is a folder" if is_folder else "it is no regular file", "name a file in dest"
    elif not is_folder:
        why, fix = "it is no folder", "name a folder in dest, or remove the file"
    elif (record is not None and record.node == [status.st_dev, status.st_ino]) or not os.listdir(path):
        return
    else:
        why = "it is not empty, and there is no record that it was written here"
        fix = "name another folder in dest, or empty this one"
    raise _in_the_way(output, why, fix=fix)


def _in_the_way(output: Output, why: str, *, fix: str) -> ConflictError:
    return ConflictError(
        f"Something else is at {output.dest}", code="output-in-the-way", why=why, fix=fix, subject=output.dest
    )


def _state(path: str) -> str:
    """Return a digest over the states of a file, or of a folder and everything in it. Contents are not read."""
    hasher = hashlib.sha256()
    waiting = [path]
    while waiting:
        here = waiting.pop()
        status = os.lstat(here)
        times = status.st_mtime_ns, status.st_ctime_ns
        row = (here[len(path) :], status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_ino, *times)
        hasher.update(os.fsencode("\0".join(map(str, row))) + b"\n")
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(here) as entries:
                waiting += sorted(entry.path for entry in entries)
    return hasher.hexdigest()


def _node(path: str) -> list[int]:
    status = os.lstat(path)
    return [status.st_dev, status.st_ino]


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _record_path(path: str, records: str) -> str:
    return os.path.join(records, hashlib.sha256(os.fsencode(path)).hexdigest()[:32] + ".output")


def _read(path: str, records: str) -> _Record | None:
    """Return the record of a destination; None where there is none of this user."""
    if not records:
        return None
    with contextlib.suppress(OSError, ValueError, TypeError), open(_record_path(path, records), "rb") as file:
        version, *fields = json.loads(file.read())
        if version == _VERSION and os.fstat(file.fileno()).st_uid == os.geteuid():
            return _Record(*fields)
    return None


def _keep(path: str, record: _Record, *, records: str) -> None:
    if not records:
        return
    os.makedirs(records, mode=0o700, exist_ok=True)
    with replacing(_record_path(path, records), mode=0o600) as file:
        file.write(json.dumps([_VERSION, *record]).encode())


def _clear(path: str) -> None:
    """Remove what killed tasks left beside a destination. What another task may be writing is younger."""
    folder, base = os.path.split(path)
    ours = re.compile(re.escape(f".{base}.") + r"[a-z0-9_]{8}\.partial(\.old)?")
    for name in os.listdir(folder):
        left = os.path.join(folder, name)
        if ours.fullmatch(name) and os.lstat(left).st_mtime < time.time() - _LEFT_SECONDS:
            if os.path.isdir(left) and not os.path.islink(left):
                _remove(left)
            else:
                os.unlink(left)


def _remove(folder: str) -> None:
    """Remove a folder of ours, whatever its modes, if it is there. A link in its place is somebody else's."""
    if os.path.islink(folder):
        return
    if os.geteuid() != 0:
        for here, names, _files in os.walk(folder):
            for name in (".", *names):
                if not os.path.islink(os.path.join(here, name)):
                    os.chmod(os.path.join(here, name), 0o700)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


@contextlib.contextmanager
def _explained(output: Output) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = _OPENED.sub(lambda _opened: output.dest, str(error.filename or output.dest))
        raise UnavailableError(
            f"{output.dest} cannot be used as an output",
            code="output-unwritable",
            why=f"{error.strerror or error}: {place}, as user {os.geteuid()}",
            fix="give this user the right to write there (become: true), free some space, or name another dest",
            subject=output.dest,
        ) from error
