# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock: which bytes each reference means, for every host and until it is locked again."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from .errors import ImagesError, InputError, PeerError
from .fields import Fields
from .host import Identity
from .media_types import is_document, is_index
from .platform import Platform, choose
from .reference import parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .digest import Digest


VERSION = 1
ANY_PLATFORM = "unknown/unknown"
"""The key of an image that does not say for which platform it is: it suits any host, after all those that say so."""

_CONFLICT = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?: .*)?$", re.MULTILINE)
_ENTRY = frozenset({"checksum", "digest", "media_type", "platforms", "verified_by"})
_PLATFORM = frozenset({"config", "diff_ids", "manifest", "size"})


class LockedPlatform(t.NamedTuple):
    """One image: its digests, the compressed bytes of manifest, config and layers, and its diff IDs, oldest first."""

    manifest: Digest
    config: Digest
    size: int
    diff_ids: tuple[Digest, ...] = ()

    def to_json(self) -> dict[str, t.Any]:
        """Return the object of the lock document; diff IDs only where they are known."""
        result: dict[str, t.Any] = {"config": str(self.config), "manifest": str(self.manifest), "size": self.size}
        return {**result, "diff_ids": [str(digest) for digest in self.diff_ids]} if self.diff_ids else result


class LockedImage(t.NamedTuple):
    """What a reference means: the digest its tag had, and an image for each platform, by the platform's text.

    ``verified_by`` are the fingerprints of the keys whose signatures were verified.
    """

    digest: Digest
    media_type: str
    platforms: Mapping[str, LockedPlatform]
    verified_by: tuple[str, ...] = ()

    def identity(self, platform: Platform) -> Identity | None:
        """Return all digests of the image that suits a host of ``platform`` best, or None where none does."""
        keys = sorted(self.platforms)
        at = choose([Platform.parse(key) for key in keys], platform)
        found = self.platforms.get(keys[at] if at is not None else ANY_PLATFORM)
        if found is None:
            return None
        return Identity(found.manifest, found.config, self.digest if is_index(self.media_type) else None)

    def to_json(self) -> dict[str, t.Any]:
        """Return the entry of the lock document, less its checksum, which needs the name."""
        rows = {key: self.platforms[key].to_json() for key in sorted(self.platforms)}
        result = {"digest": str(self.digest), "media_type": self.media_type, "platforms": rows}
        return {**result, "verified_by": sorted(self.verified_by)} if self.verified_by else result


class Lock(t.NamedTuple):
    """All that is locked, by the reference in full: complete with registry, and with its digest where it is pinned."""

    images: Mapping[str, LockedImage]

    def only(self, references: Iterable[str]) -> Lock:
        """Return what hosts need for ``references``: their entries, as far as there are any, without diff IDs."""
        wanted = sorted(set(references) & set(self.images))
        return Lock({name: _without_diff_ids(self.images[name]) for name in wanted})

    def to_json(self) -> dict[str, t.Any]:
        """Return the document that ``lock_of`` reads."""
        entries = {name: self.images[name].to_json() for name in sorted(self.images)}
        rows = {name: {**entry, "checksum": _checksum(name, entry)} for name, entry in entries.items()}
        return {"version": VERSION, "images": rows}

    def to_text(self) -> str:
        """Return the bytes of the file as text: the same lock gives the same text on any machine."""
        return json.dumps(self.to_json(), indent=2, sort_keys=True) + "\n"


def parse_lock(text: str, *, subject: str) -> Lock:
    """Return the lock that ``text`` is, with or without a byte order mark; ``subject`` names the file in errors.

    Raises:
        InputError: lock-not-json, it is cut off or holds the marks of a merge conflict, for example; or as ``lock_of``.
    """
    twice: list[str] = []

    def unique(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _value in pairs]
            twice.extend(sorted(name for name in found if names.count(name) > 1))
        return found

    try:
        document = json.loads(text.lstrip("\ufeff"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise _not_json(text, str(error), subject=subject) from error
    if twice:
        raise _invalid([f"{name} is there twice" for name in twice], subject=subject)
    if not isinstance(document, dict):
        raise _invalid(["the top level is not an object"], subject=subject)
    return lock_of(document, subject=subject)


def lock_of(document: Mapping[str, t.Any], *, subject: str) -> Lock:
    """Return the lock that a parsed document is; ``subject`` names it in errors. All that is wrong is told at once.

    Raises:
        InputError: lock-version, it was written by another version; lock-invalid, a part is missing or malformed;
            lock-edited, an entry's checksum is not of what it says.
    """
    version = document.get("version")
    if version != VERSION or isinstance(version, (bool, float)):
        raise InputError(
            f"The lock {subject} cannot be read",
            code="lock-version",
            why=f"its version is {version!r}, and {VERSION} is what this release of the collection reads",
            fix="use the release that wrote it, or write it again with fleet.images.image_lock",
            subject=subject,
        )
    images, wrong, edited = {}, [], []
    try:
        entries = Fields(document).object("images")
    except ImagesError as error:
        raise _invalid([error.why], subject=subject) from error
    for name in entries.values:
        try:
            images[name] = _image(name, entries.object(name))
        except ImagesError as error:
            wrong.append(error.why if isinstance(error, PeerError) else str(error))
            continue
        entry = dict(entries.values[name])
        if entry.pop("checksum") != _checksum(name, entry):
            edited.append(name)
    if wrong:
        raise _invalid(wrong, subject=subject)
    if edited:
        raise InputError(
            f"The lock {subject} was edited by hand",
            code="lock-edited",
            why=f"the checksum is not of the entry of {', '.join(sorted(edited))}",
            fix="take the file back from version control, or lock these again with fleet.images.image_lock and update",
            subject=subject,
        )
    return Lock(images)


def _image(name: str, fields: Fields) -> LockedImage:
    _refuse_unknown(fields, _ENTRY)
    fields.text("checksum")
    reference = parse_reference(name)
    if str(reference) != name:
        raise fields.wrong("name", f"is not written in full: {reference}")
    digest, media_type = fields.digest("digest"), fields.text("media_type")
    if reference.digest not in (None, digest):
        raise fields.wrong("digest", f"is {digest}, which is not the one that the name is pinned to")
    if not is_document(media_type):
        raise fields.wrong("media_type", f"{media_type!r} is of no image")
    rows = fields.object("platforms")
    platforms = {key: _platform(key, rows.object(key), rows=rows) for key in rows.values}
    if not platforms:
        raise fields.wrong("platforms", "is empty")
    return LockedImage(digest, media_type, platforms, tuple(fields.texts("verified_by")))


def _platform(key: str, fields: Fields, *, rows: Fields) -> LockedPlatform:
    _refuse_unknown(fields, _PLATFORM)
    try:
        is_normal = str(Platform.parse(key)) == key
    except InputError:
        is_normal = False
    if not is_normal:
        raise rows.wrong(key, "is not a platform as os/architecture or os/architecture/variant")
    return LockedPlatform(
        fields.digest("manifest"), fields.digest("config"), fields.size("size"), tuple(fields.digests("diff_ids"))
    )


def _refuse_unknown(fields: Fields, known: frozenset[str]) -> None:
    for key in sorted(set(fields.values) - known):
        raise fields.wrong(key, "is no part of a lock")


def _checksum(name: str, entry: Mapping[str, t.Any]) -> str:
    """Return 16 hexadecimal characters over name and entry: of each entry, so that entries of two branches merge."""
    text = json.dumps([name, entry], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_diff_ids(image: LockedImage) -> LockedImage:
    rows = {key: platform._replace(diff_ids=()) for key, platform in image.platforms.items()}
    return image._replace(platforms=rows)


def _not_json(text: str, why: str, *, subject: str) -> InputError:
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        line = text.count("\n", 0, conflict.start()) + 1
        why = f"line {line} is the mark of a merge conflict"
    return InputError(
        f"The lock {subject} is not JSON",
        code="lock-not-json",
        why=why,
        fix="resolve the conflict: keep the entries of both sides, then run fleet.images.image_lock"
        if conflict is not None
        else "take the file back from version control, or remove it and run fleet.images.image_lock",
        subject=subject,
    )


def _invalid(wrong: list[str], *, subject: str) -> InputError:
    return InputError(
        f"The lock {subject} is malformed",
        code="lock-invalid",
        why="; ".join(wrong),
        fix="take the file back from version control, or remove it and run fleet.images.image_lock",
        subject=subject,
    )
