# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``index.json`` of an image layout: which names it gives to which manifests."""

from __future__ import annotations

import json
import typing as t

from ..model.descriptor import Descriptor
from ..model.errors import ImagesError, InputError, IntegrityError
from ..model.fields import Fields
from ..model.media_types import OCI_INDEX
from ..model.reference import Reference, parse_reference
from .base import StoredName

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from ..model.digest import Digest

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


class LayoutEntry(t.NamedTuple):
    """One entry: its name, if it has one that can be read; its target, without the name; and how it is written.

    ``written`` is kept as it was found, so that entries of other tools survive when we change ours.
    """

    reference: Reference | None
    descriptor: Descriptor
    written: Mapping[str, t.Any]

    @property
    def is_nameless(self) -> bool:
        """Whether no tool gave it a name, not even one that cannot be read."""
        return not any(self.written.get("annotations", {}).get(key) for key in (REF_NAME, CONTAINERD_NAME))

    @classmethod
    def named(cls, reference: Reference, descriptor: Descriptor) -> LayoutEntry:
        """Return the entry that we write for ``descriptor`` under ``reference``.

        The name is the full reference, not the tag alone: two repositories may have a ``latest`` each, and skopeo and
        umoci find the entry by exactly this text. containerd reads its own annotation.
        """
        name = str(reference)
        annotations = {**descriptor.annotations, REF_NAME: name, CONTAINERD_NAME: name}
        return cls(reference, descriptor, descriptor._replace(annotations=annotations).to_json())

    @classmethod
    def from_json(cls, fields: Fields) -> LayoutEntry:
        """Return the entry at ``fields``.

        Raises:
            PeerError: it is no descriptor.
        """
        descriptor = Descriptor.from_json(fields)
        others = {key: text for key, text in descriptor.annotations.items() if key not in (REF_NAME, CONTAINERD_NAME)}
        return cls(_name_in(descriptor.annotations), descriptor._replace(annotations=others), fields.values)


class LayoutIndex(t.NamedTuple):
    """All entries in the order of the file, and what else the file says."""

    entries: tuple[LayoutEntry, ...] = ()
    document: Mapping[str, t.Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX}

    @classmethod
    def parse(cls, raw: bytes, *, path: Path) -> LayoutIndex:
        """Return the index that ``raw``, the content of ``path``, spells.

        Raises:
            IntegrityError: store-damaged.
        """
        try:
            fields = Fields.of_bytes(raw, what=f"index {path}")
            entries = tuple(LayoutEntry.from_json(entry) for entry in fields.objects("manifests"))
        except ImagesError as error:
            raise store_damaged(path, error.why) from error
        return cls(entries, {key: value for key, value in fields.values.items() if key != "manifests"})

    def to_bytes(self) -> bytes:
        """Return the content of the file: sorted by name, so the same images give the same bytes in any order."""
        rows = sorted(self.entries, key=lambda entry: (str(entry.reference or ""), str(entry.descriptor.digest)))
        document = {**self.document, "manifests": [entry.written for entry in rows]}
        return json.dumps(document, separators=(",", ":")).encode()

    def names(self) -> list[StoredName]:
        """Return every readable name once, sorted; of two entries with one name the last counts."""
        last = {entry.reference: entry.descriptor for entry in self.entries if entry.reference is not None}
        return [StoredName(reference, last[reference]) for reference in sorted(last, key=str)]

    def with_entry(self, new: LayoutEntry) -> LayoutIndex:
        """Return the index where ``new`` alone has its name: the same object when that is so already."""
        if [entry.written for entry in self.entries if entry.reference == new.reference] == [new.written]:
            return self
        return self._replace(entries=(*self._others(new.reference), new))

    def without_name(self, reference: Reference) -> LayoutIndex:
        """Return the index without the entries of that name."""
        return self._replace(entries=tuple(self._others(reference)))

    def without(self, names: Collection[Reference], *, nameless: Collection[Digest]) -> LayoutIndex:
        """Return the index without entries of these names, and without nameless ones of these digests.

        It is the same object when there are none.
        """
        kept = tuple(
            entry
            for entry in self.entries
            if entry.reference not in names and not (entry.is_nameless and entry.descriptor.digest in nameless)
        )
        return self if len(kept) == len(self.entries) else self._replace(entries=kept)

    def _others(self, reference: Reference | None) -> Iterable[LayoutEntry]:
        return (entry for entry in self.entries if entry.reference != reference)


def store_damaged(path: Path, why: str) -> IntegrityError:
    """Return the error for a file of the layout that is not what it must be."""
    return IntegrityError(
        f"The store file {path} is damaged",
        code="store-damaged",
        why=why,
        fix=f"restore it from a backup, or remove the directory {path.parent} and run the task again: "
        "it fetches the images anew",
        subject=str(path),
    )


def _name_in(annotations: Mapping[str, str]) -> Reference | None:
    """Return the name that the annotations of an entry give it; None when there is none that can be read.

    containerd writes the full reference, skopeo and umoci what their user typed: often the tag alone.
    """
    text = annotations.get(CONTAINERD_NAME) or annotations.get(REF_NAME)
    if not text:
        return None
    try:
        if "/" in text or ":" in text:
            return parse_reference(text).without_digest()
        return parse_reference(f"localhost/layout:{text}")
    except InputError:
        return None
