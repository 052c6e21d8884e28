# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contexts that are not on this host: a commit of a git repository, or an archive on a web server.

Each is kept whole below the cache folder, under what it can only have one content for, and may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import tempfile
import time
import typing as t

from ..model.digest import Digest
from ..model.errors import InputError, UnavailableError
from ..wire.git import Git, not_found
from ..wire.redact import redact_url

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.registry_settings import RegistrySettings

_PLACE = "contexts"
_DRAFT = ".draft-"
_KEPT_SECONDS = 14 * 86400.0  # since a context was used last
_DRAFT_SECONDS = 86400.0  # nobody fetches for so long
_PATIENT_SECONDS = 1800.0  # for one command of git, where the task has no deadline
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^\s]+")
_REF = re.compile(r"[^\s~^:?*\[\\-][^\s~^:?*\[\\]*")
_DIGEST_FIX = "write #sha256= and the digest that `curl -L ADDRESS | sha256sum` tells behind the address"


class RemoteContext(t.NamedTuple):
    """Where a context is: ``url`` without what followed ``#``; a git ``ref`` or the ``digest`` of an archive.

    ``folder``: the folder in it that is meant, "" for all of it.
    """

    url: str
    ref: str = ""
    digest: Digest | None = None
    folder: str = ""


def parse_remote(text: str) -> RemoteContext | None:
    """Return the remote context that ``text`` names, None when it names a folder of this host.

    ``https://HOST/REPOSITORY.git#REF:FOLDER``, ``ssh://…``, ``git://…``, ``file://…`` or ``USER@HOST:…`` of git, and
    ``https://HOST/ARCHIVE#sha256=…:FOLDER``. Ref and folder may be left out, the digest may not.

    Raises:
        InputError: context-credentials; context-digest-missing; bad-context-address.
    """
    url, _hash, fragment = text.partition("#")
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    is_git = scheme in ("ssh", "git", "file") or bool(not scheme and _SCP_LIKE.fullmatch(url))
    if scheme in ("http", "https"):
        is_git = url.rstrip("/").endswith(".git")
    elif not is_git:
        return None
    _refuse_credentials(url, scheme)
    start, _colon, folder = fragment.partition(":")
    folder = folder.strip("/")
    if ".." in folder.split("/"):
        raise _bad_address(url, f"{folder!r} leads out of the context")
    if is_git:
        if start and not _REF.fullmatch(start):
            raise _bad_address(url, f"{start!r} is no branch, tag or commit")
        return RemoteContext(url, ref=start or "HEAD", folder=folder)
    return RemoteContext(url, digest=_digest(start, url), folder=folder)


def fetch_context(remote: RemoteContext, *, cache_folder: str, settings: RegistrySettings) -> str:
    """Return the folder that holds ``remote``. What was fetched before is not fetched again.

    Of a commit or a digest that is there nothing is asked. One command of git may take the deadline of ``settings``.

    Raises:
        NotFoundError: context-not-found; git-missing.
        IntegrityError: digest-mismatch.
        InputError: context-not-archive.
        PeerError, UnavailableError: git-failed; context-not-fetched; what Transport.send raises.
    """
    digest = remote.digest
    fill: Callable[[str], None]
    if digest is not None:
        name = digest.encoded
        fill = functools.partial(_unpack, remote.url, digest=digest, settings=settings)
    else:
        git, ref, commit = Git(remote.url, settings.deadline or _PATIENT_SECONDS), "", remote.ref
        if not _COMMIT.fullmatch(commit):
            commit, ref = git.resolve(remote.ref)
        name = f"{hashlib.sha256(remote.url.encode()).hexdigest()[:16]}-{commit}"
        fill = functools.partial(git.check_out, commit, ref=ref)
    if not cache_folder:
        raise _not_kept("", "no folder for caches is known", subject=remote.url)
    try:
        whole = _kept(os.path.join(cache_folder, _PLACE), name, fill=fill)
    except OSError as error:
        raise _not_kept(cache_folder, error.strerror or str(error), subject=remote.url) from error
    return _within(whole, remote)


def remembered_as(remote: RemoteContext, *, cache_folder: str) -> str:
    """Return a path that stands for ``remote`` whatever its content is at the moment."""
    told = f"{remote.url}#{remote.folder}"
    return os.path.join(cache_folder, _PLACE, hashlib.sha256(told.encode()).hexdigest())


def _kept(place: str, name: str, *, fill: Callable[[str], None]) -> str:
    """Return the folder ``name``; where it is missing, ``fill`` fills another one, which gets the name when whole."""
    final = os.path.join(place, name)
    os.makedirs(place, mode=0o700, exist_ok=True)
    if not os.path.isdir(final):
        draft = tempfile.mkdtemp(prefix=_DRAFT, dir=place)
        try:
            inner = os.path.join(draft, "context")
            os.mkdir(inner, 0o755)
            fill(inner)
            os.sync()  # a name promises all of the content, also after a loss of power; once for many small files
            try:
                os.rename(inner, final)
            except OSError:
                if not os.path.isdir(final):  # else another process was quicker
                    raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    os.utime(final)
    _forget_unused(place)
    return final


def _forget_unused(place: str) -> None:
    now = time.time()
    with os.scandir(place) as entries:
        for entry in entries:
            limit = _DRAFT_SECONDS if entry.name.startswith(_DRAFT) else _KEPT_SECONDS
            with contextlib.suppress(FileNotFoundError):
                if now - entry.stat(follow_symlinks=False).st_mtime > limit:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _unpack(url: str, folder: str, *, digest: Digest, settings: RegistrySettings) -> None:
    from ..wire.download import download
    from .unpacked_context import unpack_archive

    with tempfile.TemporaryFile(dir=os.path.dirname(folder)) as spool:
        download(url, into=spool, digest=digest, settings=settings)
        unpack_archive(spool, folder=folder, name=redact_url(url))


def _within(whole: str, remote: RemoteContext) -> str:
    folder = os.path.realpath(os.path.join(whole, remote.folder))
    is_inside = os.path.commonpath([folder, os.path.realpath(whole)]) == os.path.realpath(whole)
    if not is_inside or not os.path.isdir(folder):
        raise not_found(remote.url, f"it has no folder {remote.folder}")
    return folder


def _digest(text: str, url: str) -> Digest:
    algorithm, equals, encoded = text.partition("=")
    if not equals:
        raise InputError(
            f"The archive {redact_url(url)} has no digest",
            code="context-digest-missing",
            why="what an address gives may change, and hosts would build different images",
            fix=f"{_DIGEST_FIX}; the address of a git repository ends in .git",
            subject="path",
        )
    try:
        return Digest.parse(f"{algorithm}:{encoded}")
    except InputError as error:
        raise _bad_address(url, f"{text!r} is no digest: {error.why}") from error


def _refuse_credentials(url: str, scheme: str) -> None:
    """Do nothing if ``url`` holds no secret: it would be seen in lists of processes."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url if scheme else "")
        _port = parts.port
    except ValueError as error:
        raise _bad_address(redact_url(url), "it cannot be read") from error
    if parts.password is not None or (parts.username is not None and scheme in ("http", "https")):
        raise InputError(
            f"The address {redact_url(url)} holds credentials",
            code="context-credentials",
            why="others on the host can see them",
            fix="leave them out, and set up a credential helper of git, or GIT_ASKPASS in the task's environment",
            subject="path",
        )


def _bad_address(url: str, why: str) -> InputError:
    return InputError(
        f"{redact_url(url)} is no address of a build context",
        code="bad-context-address",
        why=why,
        fix=f"write it like https://host/repository.git#main:folder; for an archive, {_DIGEST_FIX}",
        subject="path",
    )


def _not_kept(folder: str, why: str, *, subject: str) -> UnavailableError:
    return UnavailableError(
        f"The build context of {redact_url(subject)} cannot be kept on the host",
        code="context-not-kept",
        why=f"{why}, {folder}" if folder else why,
        fix="give the user who builds a folder of his own in XDG_CACHE_HOME, with room for the context",
        subject=redact_url(subject),
    )
