# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A storage for one build of buildah: a private folder that holds everything of it, and goes with everything in it."""

from __future__ import annotations

import os
import typing as t

from ..model.errors import PeerError
from ..wire.podman_service import program_environment
from ..wire.process import run
from ..wire.redact import redact
from ..wire.streams import pieces
from ..wire.unpacked import unpack

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.process import Completed
    from ..wire.time_limit import TimeLimit
    from .base import BaseImage

_SECONDS = 7 * 86400.0  # a step may take as long as it likes
_SAID_CHARACTERS = 2000
_VERSION = b"Directory Transport Version: 1.1\n"


class BuildahStorage:
    """Where one build happens; use it with ``with``."""

    def __init__(self, work_folder: str, *, limit: TimeLimit) -> None:
        """Make the folder, of mode 0700, in ``work_folder``; ``limit`` is for all that is run."""
        import tempfile

        self._folder = tempfile.mkdtemp(prefix="buildah-", dir=work_folder)
        self._driver = ""
        self._limit = limit
        os.mkdir(self.path("tmp"))
        self._environment = program_environment(os.environ, folder=self._folder, ca_path="")
        self._environment["TMPDIR"] = self.path("tmp")

    def __enter__(self) -> BuildahStorage:
        return self

    def __exit__(self, *_raised: object) -> None:
        """Remove the folder, and whatever is still mounted in it."""
        import shutil

        for place in _mounts(self._folder):
            run(["umount", "-l", place], timeout=_SECONDS)
        if os.geteuid() != 0:
            # What steps made belongs to other users of the user namespace.
            inside = [self.path("root"), self.path("runroot"), self.path("tmp")]
            run(["buildah", "unshare", "rm", "-rf", *inside], timeout=_SECONDS, env=self._environment)
        shutil.rmtree(self._folder, ignore_errors=True)

    def path(self, *names: str) -> str:
        """Return a place in the folder."""
        return os.path.join(self._folder, *names)

    def run(self, *words: str) -> Completed:
        """Run ``buildah WORDS`` on this storage; any exit status is an answer.

        Raises:
            NotFoundError: program-missing.
            UnavailableError: deadline-passed, program-timeout: it was ended, with all that it started.
        """
        self._driver = self._driver or self._usable_driver()
        return self._run_with(self._driver, *words)

    def add_base(self, image: BaseImage, *, repository: str) -> None:
        """Bring a base into the storage, where ``repository@`` and the digest of its manifest find it.

        Raises:
            ImagesError: a blob of it cannot be read.
            PeerError: engine-build-failed: buildah does not take it.
        """
        encoded = image.manifest.descriptor.digest.encoded
        folder = self.path(f"base-{encoded}")
        os.mkdir(folder)
        documents = {
            "version": _VERSION,
            "manifest.json": image.manifest.raw,
            image.config.digest.encoded: image.config.raw,
        }
        for name, content in documents.items():
            _write(os.path.join(folder, name), iter([content]))
        for layer in {layer.digest: layer for layer in image.manifest.layers}.values():
            stream = image.source.open(layer)
            try:
                _write(os.path.join(folder, layer.digest.encoded), pieces(stream))
            finally:
                stream.close()
        told = self._succeed("pull", "--quiet", f"dir:{folder}", subject=repository)
        self._succeed("tag", told.stdout.decode().split()[-1], f"{repository}:{encoded[:12]}", subject=repository)
        _remove_folder(folder)

    def unpack(self, context: Iterator[bytes], *, dockerfile: str) -> None:
        """Unpack the tar archive of the context as it comes; its file ``dockerfile`` lies beside the context then."""
        unpack(self._limit.guard(context), self.path("context"))
        os.replace(self.path("context", dockerfile), self.path("Dockerfile"))

    def export(self, image_id: str) -> str:
        """Write the image, its layers uncompressed, into a folder; return its path."""
        folder = self.path("result")
        self._succeed("push", "--quiet", "--disable-compression", image_id, f"dir:{folder}", subject=image_id)
        return folder

    def _usable_driver(self) -> str:
        """Return overlay where this user can mount it here, else what works everywhere and copies."""
        is_usable = self._run_with("overlay", "info").status == 0
        return "overlay" if is_usable else "vfs"

    def _run_with(self, driver: str, *words: str) -> Completed:
        places = ("--root", self.path("root"), "--runroot", self.path("runroot"), "--storage-driver", driver)
        with self._limit as limit:
            return run(["buildah", *places, *words], timeout=limit.left(_SECONDS), env=self._environment)

    def _succeed(self, *words: str, subject: str) -> Completed:
        ended = self.run(*words)
        if ended.status == 0:
            return ended
        raise PeerError(
            f"buildah could not {words[0]} {subject}",
            code="engine-build-failed",
            why=redact(ended.stderr.decode(errors="replace")).strip()[-_SAID_CHARACTERS:],
            fix="Run buildah info on the host as the user of the task: it shows what is wrong with buildah",
            subject=subject,
        )


def _write(path: str, chunks: Iterator[bytes]) -> None:
    with open(path, "wb") as stream:
        stream.writelines(chunks)


def _remove_folder(folder: str) -> None:
    import shutil

    shutil.rmtree(folder)


def _mounts(folder: str) -> list[str]:
    """Return what is mounted below ``folder``, innermost first."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as stream:
            places = [row.split(" ")[1] for row in stream]
    except OSError:
        return []
    return [place for place in reversed(places) if place.startswith(f"{folder}/")]
