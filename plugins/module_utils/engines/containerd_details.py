# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What containerd's list does not tell of an image, read from its documents: index, manifest, config."""

from __future__ import annotations

import typing as t

from ..model.host import Identity
from ..model.image_config import parse_config
from ..model.index import Index
from ..model.manifest import parse_image_manifest, parse_manifest
from ..model.media_types import is_config
from ..wire.ctr import CHOSEN_LABEL
from .host_platform import host_platform

if t.TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..model.host import LocalImage
    from ..model.image_config import ImageConfig
    from ..model.manifest import Manifest
    from ..model.platform import Platform
    from ..wire.ctr import Ctr
    from ..wire.ctr_tables import ImageRow


class Documents(t.NamedTuple):
    """What of an image's documents is there; ``missing`` are those that should be and are not.

    ``index_size`` is in bytes, of the index with all of its images, where its name means all and all are there; else 0.
    """

    manifest: Manifest | None = None
    config: ImageConfig | None = None
    platform: Platform | None = None
    missing: tuple[Digest, ...] = ()
    index_size: int = 0


def documents(image: LocalImage, *, ctr: Ctr, held: frozenset[str], rows: Sequence[ImageRow]) -> Documents:
    """Return the documents of ``image``; of an index those of the manifest that is held.

    Where several are, the one that a name of the image says it means, else the one that suits this host best.

    Raises:
        ImagesError: containerd cannot be asked, or holds what is no image.
    """
    target = image.identity.index_digest or image.identity.manifest_digest
    if target is None or str(target) not in held:
        return Documents(missing=(target,) if target is not None else ())
    document, platform, index_size = parse_manifest(ctr.document(target), subject=image.id), None, 0
    if isinstance(document, Index):
        names = {*image.names, *image.digest_names}
        said = {row.labels.get(CHOSEN_LABEL, "") for row in rows if row.reference in names}
        chosen = _chosen(document, held, said=said)
        if chosen is None or str(chosen.digest) not in held:
            return Documents(missing=(chosen.digest,) if chosen is not None else ())
        index_size = 0 if any(said) else _size_of_all(document, ctr=ctr, held=held)
        document = parse_image_manifest(ctr.document(chosen.digest), media_type=chosen.media_type, subject=image.id)
        platform = chosen.platform
    config = document.config
    if str(config.digest) not in held:
        return Documents(document, platform=platform, missing=(config.digest,))
    if not is_config(config.media_type):
        return Documents(document, platform=platform)
    parsed = parse_config(ctr.document(config.digest), subject=image.id)
    return Documents(document, parsed, parsed.platform, index_size=index_size)


def detailed(
    image: LocalImage, *, ctr: Ctr, held: frozenset[str], rows: Sequence[ImageRow], whole: dict[Digest, int]
) -> LocalImage:
    """Return ``image`` with what its documents tell: all digests, platform, labels, size and age.

    Where it comes from an index that is there with all of its images, the bytes of these are put into ``whole``.
    """
    found = documents(image, ctr=ctr, held=held, rows=rows)
    manifest, config, own = found.manifest, found.config, image.identity
    identity = own
    if manifest is not None:
        identity = Identity(manifest.descriptor.digest, manifest.config.digest, own.index_digest)
    if found.index_size and own.index_digest is not None:
        whole[own.index_digest] = found.index_size
    return image._replace(
        identity=identity,
        platform=found.platform,
        size=manifest.size if manifest is not None else 0,
        created=config.created if config is not None else "",
        labels=config.labels if config is not None else {},
        missing=found.missing,
    )


def _size_of_all(index: Index, *, ctr: Ctr, held: frozenset[str]) -> int:
    if not all(str(entry.digest) in held for entry in index.manifests):
        return 0
    sizes = {index.descriptor.digest: index.descriptor.size}
    for entry in index.manifests:
        manifest = parse_image_manifest(ctr.document(entry.digest), media_type=entry.media_type)
        parts = (entry, *manifest.moved_blobs())
        if not all(str(part.digest) in held for part in parts):
            return 0
        sizes.update((part.digest, part.size) for part in parts)
    return sum(sizes.values())


def _chosen(index: Index, held: frozenset[str], *, said: Collection[str]) -> Descriptor | None:
    there = [entry for entry in index.images() if str(entry.digest) in held]
    best = index.choose(host_platform())
    for entry in there:
        if str(entry.digest) in said:
            return entry
    if best is not None and (best in there or not there):
        return best
    return next(iter(there or index.images()), None)
