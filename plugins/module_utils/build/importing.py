# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file system in a tar archive as an image of one layer: the same archive and settings give the same image.

Source: docker-import(1), podman-import(1); OCI image-spec v1.1 config.md, manifest.md.
"""

from __future__ import annotations

import io
import json
import typing as t

from ..model.descriptor import Descriptor
from ..model.digest import Digest
from ..model.errors import ImagesError, InputError
from ..model.image_config import ImageConfig, parse_config
from ..model.manifest import Manifest, manifest_json
from ..model.media_types import OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST
from .archives import Archive, compression_of
from .base import BaseImage, BuildProblem
from .parser import parse_trigger
from .scope import Scope
from .settings import Settings
from .spools import Spool
from .words import WordError

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.platform import Platform
    from ..wire.streams import ReadStream

_CREATED = "1970-01-01T00:00:00Z"
_PEEK = 512
_PACKED = {"gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}
_CHANGES = (
    *("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL", "STOPSIGNAL"),
    *("USER", "VOLUME", "WORKDIR"),
)


class FileSystem:
    """The archive of a file system: its bytes as a layer. ``close`` frees what unpacking it took."""

    def __init__(self, file: t.IO[bytes], *, path: str, folder: str | None) -> None:
        """Read the archive ``file`` once, to know its digest; what has to be unpacked for it lies in ``folder``.

        Raises:
            InputError: import-not-archive.
            UnsupportedError: zstd-missing.
        """
        self._path = path
        stored = Spool.of(file)
        self._compression = compression_of(stored.peek(_PEEK))
        self._archive = Archive(stored.open_at, folder=folder, damaged=self._damaged)
        self._stored = self._plain = stored
        if self._compression:
            self._plain = Spool.of(self._archive.unpacked())
        self.diff_id = self._plain.digest("sha256")

    def close(self) -> None:
        """Give back the temporary file. Idempotent."""
        self._archive.close()

    def layer(self) -> Descriptor:
        """Return what the layer is, compressed as it came where images may be; it is a tar archive to its end.

        Raises:
            InputError: import-not-archive.
        """
        for _member in Archive(self._plain.open_at, folder=None, damaged=self._damaged).members():
            pass
        if self._compression in _PACKED:
            return Descriptor(_PACKED[self._compression], self._stored.digest("sha256"), self._stored.size)
        return Descriptor(OCI_LAYER, self.diff_id, self._plain.size)

    def open_at(self, offset: int) -> ReadStream:
        """Open the layer's bytes from ``offset``; the caller closes."""
        return (self._stored if self._compression in _PACKED else self._plain).open_at(offset)

    def _damaged(self, why: str) -> ImagesError:
        return InputError(
            f"{self._path} is no archive of a file system",
            code="import-not-archive",
            why=why,
            fix="give a tar archive, plain or compressed, of all files that the image should have",
            subject=self._path,
        )


class _Blobs:
    """The config and the layer of an image. Implements BlobSource."""

    def __init__(self, config: ImageConfig, files: FileSystem) -> None:
        self._config = config
        self._files = files

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """See BlobSource."""
        if descriptor.digest == self._config.digest:
            return io.BytesIO(self._config.raw[offset:])
        return self._files.open_at(offset)


def read_changes(
    texts: Sequence[str], *, option: str, known: Sequence[str] = _CHANGES
) -> tuple[dict[str, t.Any], list[BuildProblem]]:
    """Return what instructions of a Dockerfile make of an empty config (``config``, ``author``), and what is wrong.

    ``known`` are the instructions that there may be.
    """
    settings, scope = Settings({}), Scope(escape="\\", env={})
    problems: list[BuildProblem] = []
    for at, text in enumerate(texts):
        where = option if len(texts) == 1 else f"{option}[{at}]"
        try:
            if text.strip().partition(" ")[0].upper() not in known or "\n" in text.strip():
                raise WordError(f"{text!r} is not one instruction of {', '.join(known)}")
            settings.apply(parse_trigger(text.strip(), where=where), scope)
        except WordError as error:
            problems.append(BuildProblem("dockerfile-syntax", where, str(error), "write it like ENV LANG=C.UTF-8"))
    document: dict[str, t.Any] = {"config": settings.to_json(scope.env)}
    return ({**document, "author": settings.author} if settings.author else document), problems


def imported_config(diff_id: Digest, changes: dict[str, t.Any], *, platform: Platform, comment: str) -> ImageConfig:
    """Return the config of an image whose only layer is ``diff_id``."""
    step = {"created": _CREATED, "created_by": "fleet.images import", **({"comment": comment} if comment else {})}
    document = {
        **platform.to_json(),
        **changes,
        "created": _CREATED,
        "history": [step],
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id)]},
    }
    return parse_config(json.dumps(document, separators=(",", ":"), sort_keys=True).encode())


def imported_image(config: ImageConfig, files: FileSystem) -> BaseImage:
    """Return the image with ``config`` and its bytes.

    Raises:
        InputError: import-not-archive.
    """
    layer, described = files.layer(), Descriptor.of(config.raw, OCI_CONFIG)
    raw = manifest_json(described, [layer])
    manifest = Manifest(raw, Descriptor.of(raw, OCI_MANIFEST), described, (layer,))
    return BaseImage(manifest.descriptor.digest, manifest, config, _Blobs(config, files))
