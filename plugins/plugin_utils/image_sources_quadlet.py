# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images of quadlet files: of containers and their mounts, of image and volume units, and of the pods of kube units.

Source: podman-systemd.unit(5); systemd.syntax(7).
"""

from __future__ import annotations

import csv
import glob
import os
import typing as t

from .image_sources_base import SourceFile, read_text
from .image_sources_kubernetes import read_kubernetes
from .image_sources_yaml import read_documents

if t.TYPE_CHECKING:
    from .image_sources_base import Gathered

#: What a quadlet file is called at its end, and the section that says what podman starts.
SECTIONS: t.Final = {
    ".container": "Container",
    ".image": "Image",
    ".volume": "Volume",
    ".kube": "Kube",
    ".build": "Build",
    ".pod": "Pod",
    ".network": "Network",
}
# Source: containers-transports(5).
_NO_REGISTRY = frozenset({"containers-storage", "dir", "docker-archive", "docker-daemon", "oci", "oci-archive", "sif"})
_NOT_HERE = "it is not on the control node, and not read"
_BUILT = "built and not pulled, so no image is taken from there"
_SPECIFIER = "only systemd can fill in its %, so no image is taken from there"


class Unit(t.NamedTuple):
    """The section of a quadlet file that is podman's: for each key all its values, in their order."""

    file: SourceFile
    section: str
    values: dict[str, list[str]]

    def last(self, key: str) -> str:
        """Return the value that counts; empty when there is none."""
        return (self.values.get(key) or [""])[-1]

    def place(self, key: str) -> str:
        """Return ``[Container] Image``."""
        return f"[{self.section}] {key}"


def is_quadlet(path: str) -> bool:
    """Tell by its name whether this is a quadlet file."""
    return os.path.splitext(path)[1] in SECTIONS


def read_quadlet(file: SourceFile, *, gathered: Gathered) -> None:
    """Put the images of a quadlet file, as its drop-ins change it, into ``gathered``."""
    if not is_quadlet(file.path):
        ending = f"its name ends in one of {', '.join(SECTIONS)}"
        gathered.problem(file.label, "is no quadlet file", fix=ending)
        return
    unit = _read_unit(file, gathered)
    if unit is None:
        return
    kind = unit.section
    if kind == "Kube":
        _read_pods(unit, gathered)
    elif kind in ("Container", "Image", "Volume"):
        image = unit.last("Image")
        if image:
            _take(unit, "Image", image=image, gathered=gathered)
        elif kind == "Image" or (kind == "Container" and not unit.last("Rootfs")):
            gathered.problem(file.label, f"section [{kind}] has no Image")
        for at, mount in enumerate(unit.values.get("Mount", ()) if kind == "Container" else ()):
            _take_mount(unit, at, mount=mount, gathered=gathered)
    elif kind == "Build":
        gathered.skipped(file, "[Build]", why=_BUILT)


def _read_unit(file: SourceFile, gathered: Gathered) -> Unit | None:
    text = read_text(file, gathered)
    if text is None:
        return None
    unit = Unit(file, SECTIONS[os.path.splitext(file.path)[1]], {})
    _assign(unit, text)
    # Drop-ins go over the file itself, in the order of their names.
    for path in sorted(glob.glob(os.path.join(glob.escape(file.path) + ".d", "*.conf"))):
        drop_in = SourceFile(path, os.path.join(f"{file.label}.d", os.path.basename(path)))
        _assign(unit, read_text(drop_in, gathered) or "")
    return unit


def _assign(unit: Unit, text: str) -> None:
    """Take the assignments in ``text`` over those of ``unit``; an empty one takes back what was before."""
    section = ""
    for line in _logical_lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == unit.section and "=" in line:
            key, _equals, value = (part.strip() for part in line.partition("="))
            values = unit.values.setdefault(key, [])
            if value:
                values.append(value)
            else:
                values.clear()


def _logical_lines(text: str) -> list[str]:
    """Return the lines less comments and blank ones; those that end in a backslash go on in the next."""
    lines: list[str] = []
    is_open = False
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(("#", ";")) or not (line or is_open):
            continue
        goes_on = line.endswith("\\")
        part = line[:-1].rstrip() if goes_on else line
        if is_open:
            lines[-1] = f"{lines[-1]} {part}"
        else:
            lines.append(part)
        is_open = goes_on
    return lines


def _take(unit: Unit, key: str, *, image: str, gathered: Gathered) -> None:
    """Keep what a unit calls ``image``: a name, or another unit of the same folder."""
    place = unit.place(key)
    ending = os.path.splitext(image)[1]
    scheme, has_scheme, rest = image.partition(":")
    if "%" in image:
        gathered.skipped(unit.file, place, why=_SPECIFIER)
    elif ending == ".build":
        gathered.skipped(unit.file, place, why=_BUILT)
    elif ending == ".image" and unit.section != "Image":
        # systemd asks for the unit, podman for the image: what the other file names is meant
        if os.path.isfile(unit.file.beside(image).path):
            read_quadlet(unit.file.beside(image), gathered=gathered)
        else:
            gathered.problem(unit.file.place(place), f"there is no {image} beside it")
    elif has_scheme and scheme == "docker" and rest.startswith("//"):
        gathered.found(unit.file.place(place), rest[2:], platform=_platform(unit))
    elif has_scheme and scheme in _NO_REGISTRY:
        gathered.skipped(unit.file, place, why="no registry has it, so no image is taken from there")
    else:
        gathered.found(unit.file.place(place), image, platform=_platform(unit))


def _platform(unit: Unit) -> str | None:
    """Return the platform that an image unit asks for; None where it leaves that to the host."""
    if unit.section != "Image" or not unit.last("Arch"):
        return None
    return "/".join(part for part in (unit.last("OS") or "linux", unit.last("Arch"), unit.last("Variant")) if part)


def _take_mount(unit: Unit, at: int, *, mount: str, gathered: Gathered) -> None:
    fields = dict(part.partition("=")[::2] for part in next(csv.reader([mount]), []))
    source = fields.get("source") or fields.get("src")
    if fields.get("type") == "image" and source:
        _take(unit, f"Mount[{at}]", image=source, gathered=gathered)


def _read_pods(unit: Unit, gathered: Gathered) -> None:
    """Read the manifests that a kube unit plays."""
    names = unit.values.get("Yaml", [])
    if not names:
        gathered.problem(unit.file.label, "section [Kube] has no Yaml")
    for name in names:
        if "%" in name or "://" in name:
            gathered.skipped(unit.file, unit.place("Yaml"), why=_SPECIFIER if "%" in name else _NOT_HERE)
            continue
        manifest = unit.file.beside(name)
        documents = read_documents(manifest, gathered)
        if documents is not None:
            read_kubernetes(manifest, documents, gathered=gathered)
