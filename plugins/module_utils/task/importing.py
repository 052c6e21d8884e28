# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file system in an archive into the host, as an image."""

from __future__ import annotations

import contextlib
import typing as t

from ..build.archive_reading import Archived
from ..build.importing import FileSystem, imported_config, imported_image, read_changes
from ..model.reference import Reference
from ..plan.archives import Import
from .archive_files import check_path, opened, spool_folder
from .bringing import Brought, bring
from .reader import Reader
from .session import Session

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.platform import Platform

    Params = Mapping[str, t.Any]


class _Asked(t.NamedTuple):
    """What the options ask for: a name, for which platform, and what the config holds."""

    name: Reference
    platform: Platform | None
    changes: dict[str, t.Any]


def import_image(params: Params, *, is_dry: bool) -> tuple[dict[str, t.Any], list[str]]:
    """Let the host hold the image that the options of ``image_import`` describe. See Work."""
    asked, path = _read(params), params["src"]
    session = Session(params)
    try:
        with opened(path) as file, contextlib.closing(FileSystem(file, path=path, folder=spool_folder())) as files:
            platform = asked.platform or _portable(session.engine.observe().platform)
            config = imported_config(
                files.diff_id, asked.changes, platform=platform, comment=params["commit_message"] or ""
            )
            return bring(
                [Brought((asked.name,), Archived((asked.name,), config))],
                complete=lambda _archived: imported_image(config, files),
                session=session,
                action=Import,
                is_dry=is_dry,
            )
    finally:
        session.close()


def _read(params: Params) -> _Asked:
    """Return what the options ask for.

    Raises:
        InputError: they are wrong.
    """
    reader = Reader(params)
    check_path(reader, params["src"], option="src")
    names = [name for name in reader.names(params["name"], "name")[:1] if isinstance(name, Reference)]
    if any(name.is_pinned for name in names):
        reader.problem("name", "the digest follows from the archive", fix="leave out '@' and what follows")
    platform = reader.platform(params["platform"], "platform")
    changes, problems = read_changes(params["change"] or (), option="change")
    for problem in problems:
        reader.problem(problem.where, problem.what, fix=problem.fix)
    reader.finish()
    return _Asked(names[0], platform, changes)


def _portable(platform: Platform) -> Platform:
    """Return the host's platform without its processor's level: the image is the same on every host of a kind."""
    return platform._replace(variant="") if platform.architecture == "amd64" else platform
