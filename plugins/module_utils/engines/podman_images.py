# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""podman's lists of images and containers, in the words of the model."""

from __future__ import annotations

import typing as t

from ..model.digest import Digest
from ..model.fields import Fields
from ..model.host import Container, Identity, LocalImage
from ..model.platform import Platform
from .daemon_lists import by_digests, references, rfc3339

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.reference import Reference

_NOTHING: tuple[Container, ...] = ()


def local_images(rows: t.Any, containers: Mapping[str, tuple[Container, ...]]) -> list[LocalImage]:
    """Return what ``GET /libpod/images/json`` listed, in its order; ``containers`` are those that use an image ID.

    One row becomes several images where its repositories know it by different digests, see ``by_digests``.

    Raises:
        PeerError: wrong-shape.
    """
    images = []
    for fields in _objects(rows, "list of images"):
        image_id = fields.text("Id")
        digests = _digests(fields)
        whole = LocalImage(
            id=f"sha256:{image_id}",
            identity=Identity(),
            platform=_platform(fields, architecture="Arch"),
            size=fields.size("Size") if fields.has("Size") else 0,
            created=rfc3339(fields.values.get("Created")),
            labels=fields.text_map("Labels"),
            used_by=containers.get(image_id, _NOTHING),
            parent=f"sha256:{parent}" if (parent := fields.optional_text("ParentId")) else "",
            is_dangling=not fields.texts("Names"),
        )
        for own, names in by_digests(names_of(fields)).items():
            identity = _identity(image_id, tuple(dict.fromkeys((*own, *digests))))
            images.append(whole._replace(identity=identity).with_names(names))
    return images


def containers_by_image(rows: t.Any) -> dict[str, tuple[Container, ...]]:
    """Return what ``GET /libpod/containers/json`` listed, by image ID, each with its containers by name.

    podman keeps an image for any container, running or not, one of buildah's as well.

    Raises:
        PeerError: wrong-shape.
    """
    found: dict[str, list[str]] = {}
    for fields in _objects(rows, "list of containers"):
        names = fields.texts("Names")
        found.setdefault(fields.optional_text("ImageID"), []).append(names[0] if names else fields.text("Id")[:12])
    return {image_id: tuple(Container(name) for name in sorted(names)) for image_id, names in found.items()}


def names_of(fields: Fields) -> list[Reference]:
    """Return the tags, then the digest names of one row, each in podman's order: of digests the newest comes first.

    ``RepoDigests`` are no names: they are every digest of the image under every repository that it has a name of.
    """
    return sorted(references(fields.texts("Names")), key=lambda name: name.tag is None)


def inspected_platform(fields: Fields) -> Platform | None:
    """Return the platform that ``GET /libpod/images/ID/json`` tells."""
    return _platform(fields, architecture="Architecture")


def _identity(image_id: str, digests: tuple[Digest, ...]) -> Identity:
    """Return which image it is: an image that came from an index has the index's digest beside its manifest's.

    podman does not tell which is which, and their order only tells which came first.
    """
    config = Digest("sha256", image_id)
    if len(digests) == 1:
        return Identity(digests[0], config)
    return Identity(None, config, None, digests)


def _digests(fields: Fields) -> tuple[Digest, ...]:
    own = [fields.digest("Digest")] if fields.optional_text("Digest") else []
    others = Fields({"RepoDigests": [text.rpartition("@")[2] for text in fields.texts("RepoDigests")]}, fields.what)
    return tuple(dict.fromkeys((*own, *others.digests("RepoDigests"))))


def _platform(fields: Fields, *, architecture: str) -> Platform | None:
    """Return the platform, or None where it is not told, or half of it: podman leaves the variant of 32-bit arm out."""
    words = fields.optional_text("Os"), fields.optional_text(architecture), fields.optional_text("Variant")
    if not words[0] or not words[1] or (words[1] == "arm" and not words[2]):
        return None
    return Platform.of(words[0], words[1], variant=words[2])


def _objects(rows: t.Any, what: str) -> list[Fields]:
    return Fields({"rows": rows}, what).objects("rows")
