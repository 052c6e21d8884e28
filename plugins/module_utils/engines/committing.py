# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images made from containers, by Docker and by podman: what a container is, and the commit of it."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
import typing as t

from ..model.digest import Digest
from ..model.errors import NotFoundError
from ..model.fields import Fields
from ..model.host import Identity

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..model.commit import Commit
    from ..wire.streams import ReadStream
    from .docker_api import DockerApi
    from .podman_api import PodmanApi

_COMMIT_SECONDS = 3600.0  # an engine packs the files before it answers
_REMOVED = 2  # what both engines call a path that is in the image and not in the container
_CHUNK = 1 << 20


class ContainerState(t.NamedTuple):
    """A container: its full ID, that of its image, its settings, and paths that differ from the image's."""

    id: str
    image: str
    settings: Mapping[str, t.Any]
    written: frozenset[str]
    removed: frozenset[str]


class Committer(t.Protocol):
    """An engine that makes images from its containers."""

    def state(self, container: str) -> ContainerState:
        """Return what the container, by name or ID, is now.

        Raises:
            NotFoundError: container-not-found.
        """

    def files(self, container_id: str) -> ReadStream:
        """Return the files of a container as a tar archive; the caller closes it."""

    def commit(self, container_id: str, commit: Commit) -> Identity:
        """Make a nameless image from a container and return which one.

        Raises:
            ImagesError: the engine cannot.
        """


class DockerCommits:
    """Implements Committer. Source: Docker Engine API v1.41, "Create a new image from a container"."""

    def __init__(self, api: DockerApi, *, keeps_targets: bool) -> None:
        """``keeps_targets``: the daemon has containerd's store of images, whose IDs are digests of manifests."""
        self._api = api
        self._keeps_targets = keeps_targets

    def state(self, container: str) -> ContainerState:
        """See Committer."""
        told = self._api.find(f"/containers/{container}/json")
        if told is None:
            raise _not_found(container)
        return _state(told, self._api.rows(f"/containers/{told.text('Id')}/changes"))

    def files(self, container_id: str) -> ReadStream:
        """See Committer."""
        return self._api.download(f"/containers/{container_id}/export")

    def commit(self, container_id: str, commit: Commit) -> Identity:
        """See Committer."""
        query = {"container": container_id, "pause": "1" if commit.pauses else "0", **_words(commit)}
        with self._api.stream("/commit", query=query, headers={}, expect=(201,), timeout=_COMMIT_SECONDS) as answer:
            made = Fields.of_bytes(answer.read_whole(_CHUNK), what="answer of the engine")
        digest = made.digest("Id")
        return Identity(manifest_digest=digest) if self._keeps_targets else Identity(config_digest=digest)


class PodmanCommits:
    """Implements Committer. Source: podman's API, "Commit" (libpod/commit)."""

    def __init__(self, api: PodmanApi) -> None:
        """Ask nothing yet."""
        self._api = api

    def state(self, container: str) -> ContainerState:
        """See Committer."""
        told = self._api.find(f"/containers/{container}/json")
        if told is None:
            raise _not_found(container)
        changes = Fields({"rows": self._api.get(f"/containers/{told.text('Id')}/changes")}, "changes of a container")
        return _state(told, changes.objects("rows"))

    def files(self, container_id: str) -> ReadStream:
        """See Committer."""
        return self._api.download(f"/containers/{container_id}/export", query={})

    def commit(self, container_id: str, commit: Commit) -> Identity:
        """See Committer. Docker's format: OCI's has no comment, and loses what only Docker's config has."""
        query = {"container": container_id, "pause": "true" if commit.pauses else "false", "format": "docker"}
        query.update(_words(commit))
        told = self._api.request("POST", "/commit", query=query, timeout=_COMMIT_SECONDS)[1]
        text = Fields({"answer": told}, "answer of podman").object("answer").text("Id")
        return Identity(config_digest=Digest("sha256", text.rpartition(":")[2]))


def contents_digest(archive: ReadStream, paths: Collection[str]) -> str:
    """Return a digest over what a tar archive, which is read to its end, has at ``paths``, in whatever order."""
    rows = []
    with tarfile.open(fileobj=t.cast("t.IO[bytes]", archive), mode="r|", bufsize=_CHUNK) as members:
        for member in members:
            path = posixpath.normpath("/" + member.name.lstrip("/"))
            if path not in paths:
                continue
            hasher = hashlib.sha256()
            content = members.extractfile(member) if member.isreg() else None
            while content is not None and (chunk := content.read(_CHUNK)):
                hasher.update(chunk)
            told = (path, member.type, member.mode, member.uid, member.gid, member.mtime, member.linkname)
            rows.append(f"{told}{sorted(member.pax_headers.items())}{hasher.hexdigest()}")
    return hashlib.sha256("\n".join(sorted(rows)).encode(errors="surrogateescape")).hexdigest()


def _state(told: Fields, changes: Sequence[Fields]) -> ContainerState:
    kinds = [(row.text("Path"), row.integer("Kind")) for row in changes]
    settings = told.optional_object("Config")
    return ContainerState(
        told.text("Id"),
        told.text("Image"),
        settings.values if settings is not None else {},
        frozenset(path for path, kind in kinds if kind != _REMOVED),
        frozenset(path for path, kind in kinds if kind == _REMOVED),
    )


def _words(commit: Commit) -> dict[str, t.Any]:
    given = {"author": commit.author, "comment": commit.message, "changes": list(commit.changes)}
    return {key: value for key, value in given.items() if value}


def _not_found(container: str) -> NotFoundError:
    return NotFoundError(
        f"There is no container {container}",
        code="container-not-found",
        why="the engine knows none of that name or ID",
        fix="correct the name, or check that it is a container of this engine and this user",
        subject=container,
    )
