# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commits of remote repositories, by the git of this host: its credential helpers, keys and settings count."""

from __future__ import annotations

import os
import shutil
import typing as t

from ..model.errors import ImagesError, NotFoundError, PeerError
from .process import run
from .redact import redact, redact_url

if t.TYPE_CHECKING:
    from collections.abc import Sequence

#: What would lead git to another repository than the one it is told.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_COMMON_DIR")
_TOLD_BYTES = 600  # the end of what git complained
_SHA256_DIGITS = 64
_SETTINGS = ("core.autocrlf=false", "core.symlinks=true", f"core.hooksPath={os.devnull}", "advice.detachedHead=false")


class Git(t.NamedTuple):
    """One remote repository. ``timeout``: the seconds that one command may take. Nothing is asked of people."""

    url: str
    timeout: float

    def resolve(self, ref: str) -> tuple[str, str]:
        """Return the commit that ``ref`` (a branch, a tag, a full ref, or HEAD) means there now, and its full ref.

        As git has it, a tag goes before a branch of the same name.

        Raises:
            NotFoundError: context-not-found: there is no such ref; git-missing.
            PeerError: git-failed.
        """
        told = self._run(["ls-remote", "--quiet", "--", self.url, ref, f"{ref}^{{}}"])
        found = {name: commit for commit, _tab, name in (line.partition("\t") for line in told.splitlines())}
        for name in (ref, f"refs/{ref}", f"refs/tags/{ref}", f"refs/heads/{ref}"):
            commit = found.get(f"{name}^{{}}") or found.get(name)  # what an annotated tag is of
            if commit:
                return commit, name
        raise not_found(self.url, f"it has no branch or tag {ref}")

    def check_out(self, commit: str, folder: str, *, ref: str) -> None:
        """Put the files of ``commit`` into the empty ``folder``, with those of submodules and without any ``.git``.

        Only this commit is fetched where the server allows that. ``ref`` leads to it, and is "" if that is not known.

        Raises:
            NotFoundError: context-not-found: the repository does not have the commit; git-missing.
            PeerError: git-failed.
        """
        kind = ["--object-format=sha256"] if len(commit) == _SHA256_DIGITS else []
        self._run(["init", "--quiet", "--template=", *kind, folder])
        all_of = [f"+{ref}:refs/fleet/ref"] if ref else ["+refs/heads/*:refs/fleet/*", "+refs/tags/*:refs/tags/*"]
        try:
            self._run(["fetch", "--quiet", "--no-tags", "--depth=1", "--", self.url, commit], folder)
        except PeerError:  # old servers give no commit by its digest, and those of plain files no part of a history
            self._run(["fetch", "--quiet", "--no-tags", "--", self.url, *all_of], folder)
        if self._run(["rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}"], folder, expect=(0, 1)) == "":
            raise not_found(self.url, f"it has no commit {commit} in a branch or tag")
        self._run(["checkout", "--quiet", "--force", "--detach", commit], folder)
        if os.path.exists(os.path.join(folder, ".gitmodules")):
            self._run(["submodule", "--quiet", "update", "--init", "--recursive"], folder)
        _forget_git(folder)

    def _run(self, arguments: Sequence[str], folder: str = "", *, expect: Sequence[int] = (0,)) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        environment.update(GIT_TERMINAL_PROMPT="0", LC_ALL="C")
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        place = ["-C", folder] if folder else []
        try:
            ended = run(["git", *settings, *place, *arguments], timeout=self.timeout, env=environment)
        except NotFoundError as error:
            raise _missing(error) from error
        if ended.status in expect:
            return ended.stdout.decode(errors="replace").strip()
        told = redact(ended.stderr[-_TOLD_BYTES:].decode(errors="replace").strip())
        raise PeerError(
            f"git could not {arguments[0]} {redact_url(self.url)}",
            code="git-failed",
            why=told or f"exit status {ended.status}",
            fix="check the address, and that the user of the task may read it without being asked for a password",
            subject=redact_url(self.url),
        )


def not_found(url: str, why: str) -> NotFoundError:
    """Return the error for a part of a remote context that is not there."""
    return NotFoundError(
        f"The build context is not in {redact_url(url)}",
        code="context-not-found",
        why=why,
        fix="check the address; what follows # is a branch, a tag or a full commit, then :FOLDER if it is in one",
        subject=redact_url(url),
    )


def _missing(error: ImagesError) -> NotFoundError:
    return NotFoundError(
        "git is not installed on the host that builds",
        code="git-missing",
        why=error.why,
        fix="install git there, or give the context as a folder or an archive",
        subject="path",
    )


def _forget_git(folder: str) -> None:
    for place, folders, files in os.walk(folder):
        if ".git" in folders:
            shutil.rmtree(os.path.join(place, ".git"))
            folders.remove(".git")
        if ".git" in files:
            os.unlink(os.path.join(place, ".git"))
