# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd, spoken to through its own client ``ctr``: one process per question."""

from __future__ import annotations

import typing as t

from ..model.errors import ImagesError, InputError, IntegrityError, PeerError, UnavailableError
from . import process
from .ctr_tables import ContainerRow, ImageRow, container_rows, content_root, image_rows

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from ..model.digest import Digest
    from .process_stream import ProcessStream

DEFAULT_ADDRESS = "/run/containerd/containerd.sock"
START_HINT = "Start containerd on the host (systemctl start containerd), or name its socket in containerd_address"

CHOSEN_LABEL = "images.fleet.manifest.digest"
"""On an image's name that points at an index, and means another manifest of it than the one for this host."""

_SAID_CHARACTERS = 2000


class Ctr:
    """The images and the content of one namespace of one containerd. Holds nothing; threads may share it.

    Nothing that is secret may be among the words of a command: every user of the host can read them.
    """

    def __init__(self, address: str, *, namespace: str, executable: str = "", timeout: float) -> None:
        """Take the path of containerd's socket ("": the usual one) and of ``ctr`` ("": as PATH has it).

        ``timeout`` is in seconds, for each command.

        Raises:
            InputError: bad-engine-address: ``address`` is no path.
        """
        self.address = address[len("unix://") :] if address.startswith("unix://") else address or DEFAULT_ADDRESS
        if not self.address.startswith("/"):
            raise InputError(
                f"{address!r} is not the address of containerd",
                code="bad-engine-address",
                why="ctr speaks to a unix socket of this host only",
                fix=f"write the path of the socket, like {DEFAULT_ADDRESS}",
                subject="containerd_address",
            )
        self.namespace = namespace
        self.place = f"{self.address} namespace {namespace}"
        self._executable = executable or "ctr"
        self._timeout = timeout

    def images(self, *filters: str) -> list[ImageRow]:
        """Return every image name of the namespace, or those that one of ``filters`` fits, with what it points at.

        A namespace that does not exist is empty.

        Raises:
            ImagesError: as ``run``.
            PeerError: ctr-output: the table is of a form that is not known.
        """
        return image_rows(self.run("images", "ls", *filters))

    def image(self, name: str) -> ImageRow | None:
        """Return the image of exactly this name, None if there is none. Raises as ``images``."""
        return next(iter(self.images(f'name=="{name}"')), None)

    def names_of(self, target: Digest) -> list[ImageRow]:
        """Return every name that points at ``target``. Raises as ``images``."""
        return self.images(f'target.digest=="{target}"')

    def containers(self) -> list[ContainerRow]:
        """Return every container of the namespace with the name of its image. Raises as ``images``."""
        return container_rows(self.run("containers", "ls"))

    def content(self) -> frozenset[str]:
        """Return the digests of all content that the namespace sees, as text. Raises as ``run``."""
        return frozenset(self.run("content", "ls", "-q").decode(errors="replace").split())

    def document(self, digest: Digest) -> bytes:
        """Return a manifest, an index or a config that the namespace holds, verified.

        Raises:
            IntegrityError: digest-mismatch.
            ImagesError: as ``run``.
        """
        content = self.run("content", "get", str(digest))
        if not digest.is_of(content):
            raise IntegrityError(
                f"containerd keeps other content under {digest}",
                code="digest-mismatch",
                why=f"its {len(content)} bytes have another digest",
                fix="check the disk, then remove the image and pull it again",
                subject=str(digest),
            )
        return content

    def root(self) -> str:
        """Return the directory in which containerd keeps content, "" when it does not tell. Raises as ``run``."""
        return content_root(self.run("plugins", "ls", "-d"))

    def open(self, digest: Digest) -> ProcessStream:
        """Return the bytes of some content, not verified; the caller closes. Its first read tells what is wrong."""
        from .process_stream import ProcessStream

        self._connect()
        words = ("content", "get", str(digest))
        return ProcessStream(
            self._argv(words), timeout=self._timeout, failure=lambda said: self._failed(words[:2], said)
        )

    def run(self, *words: str, stdin: Iterable[bytes] | None = None, seconds: float = 0) -> bytes:
        """Run ``ctr`` with ``words`` and return what it prints; ``seconds`` are added to the usual time limit.

        Raises:
            NotFoundError: program-missing: there is no ``ctr``; engine-unreachable: there is no socket.
            UnavailableError: engine-unreachable: nobody listens; engine-timeout; engine-connection-lost.
            AuthError: engine-permission: this user may not connect.
            PeerError: engine-failed: it failed for another reason; ``why`` has its words.
        """
        self._connect()
        try:
            done = process.run(self._argv(words), stdin=stdin or b"", timeout=self._timeout + seconds)
        except UnavailableError as error:
            if error.code != "program-timeout":
                raise
            raise UnavailableError(
                f"containerd at {self.address} did not answer in time",
                code="engine-timeout",
                why=f"ctr {' '.join(words[:2])}: {error.why}",
                fix="Raise timeout, or look what keeps containerd busy",
                subject=self.address,
            ) from error
        if done.status:
            raise self._failed(words[:2], done.stderr)
        return done.stdout

    def _argv(self, words: Iterable[str]) -> list[str]:
        return [self._executable, f"--address={self.address}", f"--namespace={self.namespace}", *words]

    def _connect(self) -> None:
        """Confirm that somebody listens: ``ctr`` itself waits ten seconds for who is not there, and tells in words."""
        import socket

        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(self._timeout)
            try:
                probe.connect(self.address)
            except OSError as error:
                from .engine_failure import unreachable

                raise unreachable(error, endpoint=self.address, start_hint=START_HINT) from error

    def _failed(self, words: Iterable[str], said: bytes) -> ImagesError:
        """Return the error for a command that failed: a daemon that is gone by now was lost on the way."""
        from .redact import redact

        text = redact(said.decode(errors="replace")).strip()[-_SAID_CHARACTERS:]
        why = f"ctr {' '.join(words)}: {text or 'it did not say why'}"
        try:
            self._connect()
        except ImagesError as error:
            return UnavailableError(
                f"The connection to containerd at {self.address} was lost",
                code="engine-connection-lost",
                why=f"{why} ({error.why})",
                fix="Look whether containerd was restarted, then run again",
                subject=self.address,
            )
        return PeerError(
            "containerd failed",
            code="engine-failed",
            why=why,
            fix="Check containerd_address, and look at containerd's own log on the host (journalctl -u containerd)",
            subject=self.address,
        )
