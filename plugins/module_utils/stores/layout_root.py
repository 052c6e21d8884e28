# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directory of an image layout: recognised, or made where there is nothing yet."""

from __future__ import annotations

import json
import typing as t

from ..model.errors import InputError, NotFoundError, PeerError, UnsupportedError
from ..model.fields import Fields
from .layout_files import make_directory, replace_file
from .layout_index import LayoutIndex, store_damaged

if t.TYPE_CHECKING:
    from pathlib import Path

STATE = ".fleet-images"
"""Directory inside the layout for the lock, unfinished blobs and new versions of files: the same file system."""

_VERSION = "1.0.0"


def open_root(root: Path, *, create: bool) -> None:
    """Confirm that ``root`` is a layout; with ``create``, make one of what is missing or empty.

    ``oci-layout`` is written last: a creation that was killed is finished by the next one, and two at once agree.

    Raises:
        NotFoundError: store-not-found.
        InputError: not-a-layout.
        UnsupportedError: layout-version.
        IntegrityError: store-damaged.
        OSError: the disk refuses.
    Source: OCI image-spec v1.1 image-layout.md.
    """
    marker = root / "oci-layout"
    if not marker.is_file():
        _refuse_foreign(root)
        if not create:
            raise NotFoundError(
                f"There is no store at {root}",
                code="store-not-found",
                why="the directory is missing or empty",
                fix="name another directory as store, or run a task that stores an image there first",
                subject=str(root),
            )
        _create(root, marker)
    _check_version(marker)


def _refuse_foreign(root: Path) -> None:
    content = {path.name for path in root.iterdir()} - {"lost+found"} if root.is_dir() else set()
    if STATE in content or (not content and (root.is_dir() or not root.exists())):
        return
    raise InputError(
        f"{root} is not an image layout",
        code="not-a-layout",
        why=f"it has no file oci-layout and holds {', '.join(sorted(content)[:5])}" if content else "it is a file",
        fix="name a directory that is a layout, empty or missing as store",
        subject=str(root),
    )


def _create(root: Path, marker: Path) -> None:
    from .file_lock import locked

    state = root / STATE
    make_directory(state)
    make_directory(root / "blobs" / "sha256")
    with locked(state / "lock"):
        if not marker.exists():
            version = json.dumps({"imageLayoutVersion": _VERSION}).encode()
            replace_file(root / "index.json", LayoutIndex().to_bytes(), through=state / "index.json.new")
            replace_file(marker, version, through=state / "oci-layout.new")


def _check_version(marker: Path) -> None:
    try:
        version = Fields.of_bytes(marker.read_bytes(), what=str(marker)).text("imageLayoutVersion")
    except PeerError as error:
        raise store_damaged(marker, error.why) from error
    if version != _VERSION:
        raise UnsupportedError(
            f"The store at {marker.parent} is of a layout version that is not known",
            code="layout-version",
            why=f"imageLayoutVersion is {version!r}, known is {_VERSION}",
            fix="update the collection, or name another directory as store",
            subject=str(marker),
        )
