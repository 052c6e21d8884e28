# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing an image into containerd: as an archive that is made while it is read, and named when all of it is there."""

from __future__ import annotations

import contextlib
import json
import typing as t

from ..model.errors import ImagesError
from ..model.media_types import OCI_INDEX
from ..wire.ctr import CHOSEN_LABEL
from ..wire.ctr_tables import IMPORT_HANDLE
from ..wire.streams import pieces
from . import content_graph

if t.TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.index import Index
    from ..model.manifest import Manifest
    from ..model.platform import Platform
    from ..wire.ctr import Ctr
    from ..wire.streams import ReadStream

_BLOCK = 512  # bytes that an archive's headers and contents are filled up to
_BYTES_A_SECOND = 1 << 20  # the slowest disk that an import is waited for
_LABEL = "containerd.io/gc.ref.content.fleet."


class Import(t.NamedTuple):
    """An image to be named ``name``, after the index it was ``chosen_from``, if any.

    ``unpacks``: containerd makes a file system of it right away. ``open`` gives the bytes of its parts. ``siblings``
    are all other images of the index, where they are brought in with it; else none.
    """

    name: str
    manifest: Manifest
    chosen_from: Index | None
    platform: Platform | None
    unpacks: bool
    open: Callable[[Descriptor], ReadStream]
    siblings: tuple[Manifest, ...] = ()

    @property
    def target(self) -> Descriptor:
        """What the name will point at."""
        return (self.manifest if self.chosen_from is None else self.chosen_from).descriptor

    def documents(self) -> list[Descriptor]:
        """Return index, manifests and configs."""
        above = [self.chosen_from.descriptor] if self.chosen_from is not None else []
        return [*above, *(part for image in self.images for part in (image.descriptor, image.config))]

    def layers(self) -> list[Descriptor]:
        """Return the layers that must be there, each once."""
        return list({part.digest: part for image in self.images for part in image.moved_blobs()[1:]}.values())

    @property
    def images(self) -> tuple[Manifest, ...]:
        """All images that are brought in."""
        return (self.manifest, *self.siblings)


def import_image(image: Import, *, ctr: Ctr) -> frozenset[str]:
    """Let containerd hold ``image`` under its name, atomically; return the digests of all it holds now.

    Sent are the documents and the layers that containerd lacks. A name of our own holds the image until all of it is
    there and unpacked; only then the wanted name is set, in one step, and the other one goes. An import that is stopped
    may be run again, and leaves at worst the name of our own, which the next one of the same image removes. Another
    platform of the same index stays while another name may mean it.

    Raises:
        ConflictError: missing-child: a layer went away meanwhile.
        ImagesError: containerd cannot be reached, or refuses; the name is as it was.
    """
    held = ctr.content()
    others = _other_manifests(image, held)
    # An import of one platform forgets that the index leads to others, and their content would go.
    _label(image, {_LABEL + digest.short: str(digest) for digest in others}, ctr=ctr)
    layers = image.layers()
    lacking = [layer for layer in layers if str(layer.digest) not in held]
    handle = f"{IMPORT_HANDLE}{image.target.digest}"
    try:
        _import(image, handle, ctr=ctr, layers=lacking, unpacks=image.unpacks)
        held = ctr.content()
        missing = [part for part in (*image.documents(), *layers) if str(part.digest) not in held]
        content_graph.refuse_missing(missing, image.target)
        _import(image, image.name, ctr=ctr, layers=(), unpacks=False)
        if others or image.siblings or (image.chosen_from is not None and not image.unpacks):
            is_plain = image.unpacks or image.siblings  # the name means what suits whoever asks
            chosen = "" if is_plain else str(image.manifest.descriptor.digest)
            ctr.run("images", "label", image.name, f"{CHOSEN_LABEL}={chosen}")
    except BaseException:
        with contextlib.suppress(ImagesError):  # what stopped the import is what matters
            ctr.run("images", "rm", handle)
        raise
    if others and all(row.is_import or row.name == image.name for row in ctr.names_of(image.target.digest)):
        _label(image, {_LABEL + digest.short: "" for digest in others}, ctr=ctr)
    ctr.run("images", "rm", "--sync", handle)  # what lost its last name by this is gone on return
    return ctr.content()


def _other_manifests(image: Import, held: frozenset[str]) -> list[Digest]:
    """Return the manifests of the same index that containerd holds beside this one."""
    if image.chosen_from is None or str(image.target.digest) not in held:
        return []
    own = {brought.descriptor.digest for brought in image.images}
    there = (entry.digest for entry in image.chosen_from.manifests if str(entry.digest) in held)
    return [digest for digest in there if digest not in own]


def _label(image: Import, labels: Mapping[str, str], *, ctr: Ctr) -> None:
    """Set labels on the content that the name points at; an empty value removes one."""
    if labels:
        ctr.run("content", "label", str(image.target.digest), *(f"{key}={value}" for key, value in labels.items()))


def _import(image: Import, name: str, *, ctr: Ctr, layers: Sequence[Descriptor], unpacks: bool) -> None:
    words = ["images", "import"]
    if image.siblings:
        words += ["--all-platforms"]
    elif image.platform is not None:  # of an index containerd would else want all that a host of this kind can run
        words += ["--platform", str(image.platform)]
    if not unpacks:
        words += ["--no-unpack"]
    with contextlib.closing(_archive(image, name, parts=(*image.documents(), *layers))) as archive:
        ctr.run(*words, "-", stdin=archive, seconds=sum(brought.size for brought in image.images) / _BYTES_A_SECOND)


def _archive(image: Import, name: str, *, parts: Sequence[Descriptor]) -> Generator[bytes, None, None]:
    """Yield an OCI image layout in a tar archive: the same image and name give the same bytes.

    Source: OCI image-spec v1.1 image-layout.md; containerd images/archive/importer.go for the annotation.
    """
    target = image.target.plain()._replace(annotations={"io.containerd.image.name": name})
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [target.to_json()]}
    yield from _file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    for part in {part.digest: part for part in parts}.values():
        yield _header(f"blobs/{part.digest.algorithm}/{part.digest.encoded}", part.size)
        with contextlib.closing(image.open(part)) as stream:
            yield from pieces(stream)
        yield _filling(part.size)
    yield from _file("index.json", json.dumps(index, separators=(",", ":")).encode())
    yield bytes(2 * _BLOCK)


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content)) + content + _filling(len(content))


def _header(name: str, size: int) -> bytes:
    import tarfile

    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


def _filling(size: int) -> bytes:
    return bytes(-size % _BLOCK)
