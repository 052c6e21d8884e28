# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables that ``ctr`` prints for people: it knows no other form."""

from __future__ import annotations

import re
import typing as t

from ..model.digest import Digest
from ..model.errors import InputError, PeerError
from ..model.reference import parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.reference import Reference

IMPORT_HANDLE = "fleet-images-import@"
"""What the names begin with that hold an image while it is brought in; what follows is its digest."""

_IMAGES = ("REF", "TYPE", "DIGEST")
_CONTAINERS = ("CONTAINER", "IMAGE")
_CONTENT_ROOT = re.compile(r"^ID: +content\n(?:[^\n]*\S[^\n]*\n)*? +root +(/[^\n]*?) *$", re.MULTILINE)


class ImageRow(t.NamedTuple):
    """An image's name and the descriptor of what it points at, as far as the table tells."""

    name: str
    media_type: str
    digest: Digest
    labels: Mapping[str, str]

    @property
    def reference(self) -> Reference | None:
        """The reference that the name is; None for a handle, and for what is no complete reference."""
        if self.is_handle:
            return None
        try:
            reference = parse_reference(self.name)
        except InputError:
            return None
        return reference if str(reference) == self.name else None

    @property
    def config_digest(self) -> Digest | None:
        """The digest of the image's config where the name is Kubernetes' handle for it: ``sha256:…``."""
        try:
            return Digest.parse(self.name) if self.name.startswith("sha256:") else None
        except InputError:  # somebody's own name, whatever it looks like
            return None

    @property
    def is_handle(self) -> bool:
        """Whether the name is a tool's own and no person's."""
        return self.name.startswith("sha256:") or self.is_import

    @property
    def is_import(self) -> bool:
        """Whether the name holds an image while it is brought in."""
        return self.name.startswith(IMPORT_HANDLE)


class ContainerRow(t.NamedTuple):
    """A container and the name of the image it was made from."""

    id: str
    image: str


def image_rows(table: bytes) -> list[ImageRow]:
    """Return the rows of ``ctr images ls``.

    Name, type and digest have no blanks; what follows does (``1.0 MiB``), so labels are found by their column.

    Raises:
        PeerError: ctr-output.
    Source: containerd cmd/ctr/commands/images/images.go.
    """
    header, rows = _rows(table, _IMAGES)
    at = header.find("LABELS")
    found = []
    for row in rows:
        words = row.split(None, 3)
        try:
            name, media_type, digest = words[0], words[1], Digest.parse(words[2])
        except (IndexError, InputError) as error:
            raise _unknown(row) from error
        found.append(ImageRow(name, media_type, digest, _labels(row[at:] if at > 0 else "")))
    return found


def container_rows(table: bytes) -> list[ContainerRow]:
    """Return the rows of ``ctr containers ls``; a container without an image has ``-`` for it.

    Raises:
        PeerError: ctr-output.
    """
    found = []
    for row in _rows(table, _CONTAINERS)[1]:
        words = row.split()
        if len(words) < 2:
            raise _unknown(row)
        found.append(ContainerRow(words[0], words[1]))
    return found


def content_root(details: bytes) -> str:
    """Return where content lies by ``ctr plugins ls -d``, "" when it does not tell."""
    told = _CONTENT_ROOT.search(details.decode(errors="replace"))
    return told[1] if told else ""


def _rows(table: bytes, wanted: tuple[str, ...]) -> tuple[str, list[str]]:
    lines = table.decode(errors="replace").split("\n")
    if tuple(lines[0].split()[: len(wanted)]) != wanted:
        raise _unknown(lines[0])
    return lines[0], [line for line in lines[1:] if line.strip()]


def _labels(text: str) -> dict[str, str]:
    """Return ``a=b,c=d`` as a mapping; a comma inside a value is told from one between labels by the missing ``=``."""
    found: dict[str, str] = {}
    key = ""
    for part in text.strip().split(","):
        name, equals, value = part.partition("=")
        if equals:
            key = name
            found[key] = value
        elif key:
            found[key] += f",{part}"
    return found


def _unknown(line: str) -> PeerError:
    return PeerError(
        "ctr prints a table of a form that is not known",
        code="ctr-output",
        why=f"the line {line[:200]!r}",
        fix="Use the ctr of containerd 1.6 to 2.x, and report this line with its version",
        subject="ctr",
    )
