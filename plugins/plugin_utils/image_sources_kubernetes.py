# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of Kubernetes manifests: of containers of every kind, and of volumes, wherever a pod is described.

Source: Kubernetes API, PodSpec (containers, initContainers, ephemeralContainers, volumes[].image).
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .image_sources_base import Gathered, SourceFile

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


def is_kubernetes(document: object) -> bool:
    """Tell whether this is an object of Kubernetes."""
    return isinstance(document, dict) and "apiVersion" in document and "kind" in document


def read_kubernetes(file: SourceFile, documents: list[object], *, gathered: Gathered) -> None:
    """Put the images of all objects in ``documents`` into ``gathered``."""
    seen: set[int] = set()
    for at, document in enumerate(documents):
        if is_kubernetes(document):
            _walk(file, document, path="", title="", gathered=gathered, seen=seen)
        else:
            gathered.problem(file.label, f"document {at + 1} is no object of Kubernetes: it lacks apiVersion and kind")


def _walk(file: SourceFile, value: object, *, path: str, title: str, gathered: Gathered, seen: set[int]) -> None:
    """Look for pods below ``value``, which is at ``path`` of the object ``title``; what has anchors is seen once."""
    if not isinstance(value, (dict, list)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, list):
        for at, entry in enumerate(value):
            _walk(file, entry, path=f"{path}[{at}]", title=title, gathered=gathered, seen=seen)
        return
    if is_kubernetes(value):
        title, path = _title(value), ""
    for key, below in value.items():
        where = f"{path}.{key}" if path else str(key)
        if key in _CONTAINERS or key == "volumes":
            _take(file, below, place=f"{title} {where}", is_volume=key == "volumes", gathered=gathered)
        _walk(file, below, path=where, title=title, gathered=gathered, seen=seen)


def _take(file: SourceFile, rows: object, *, place: str, is_volume: bool, gathered: Gathered) -> None:
    for at, row in enumerate(rows if isinstance(rows, list) else ()):
        image = row.get("image") if isinstance(row, dict) else None
        if is_volume and isinstance(image, dict) and image.get("reference") is not None:
            gathered.found(file.place(f"{place}[{at}].image.reference"), image["reference"])
        elif not is_volume and image is not None:
            gathered.found(file.place(f"{place}[{at}].image"), image)


def _title(document: dict[str, t.Any]) -> str:
    """Return ``Deployment/web``."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{document['kind']}/{name}" if name else str(document["kind"])
