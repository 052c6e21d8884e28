# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image references: the only place where an image's name is parsed."""

from __future__ import annotations

import re
import typing as t

from .digest import Digest
from .errors import InputError

DOCKER_HUB = "docker.io"
PATH_LIMIT = 255  # characters; recent distribution/reference counts the path only, not the host (2.1.8)

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")
_HEX_ID = re.compile(r"[0-9a-f]{12,64}")


class Defaults(t.NamedTuple):
    """What a short name is completed with."""

    registry: str = DOCKER_HUB
    namespaces: tuple[str, ...] = ("library",)
    tag: str = "latest"


class Reference(t.NamedTuple):
    """A name for an image: where it lives, its repository path, and a tag, a digest, or both.

    ``repo:tag@digest`` keeps both: the digest says which bytes, the tag which name they get on the host.
    """

    registry: str
    path: str
    tag: str | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        """Return the canonical form, complete with registry: ``docker.io/library/redis:7@sha256:…``."""
        return self.repository + self._suffix

    @property
    def repository(self) -> str:
        """Registry and path: ``docker.io/library/redis``."""
        return f"{self.registry}/{self.path}"

    @property
    def familiar(self) -> str:
        """The shortest form that parses to the same reference: ``redis:7``."""
        if self.registry != DOCKER_HUB:
            return str(self)
        path = self.path
        if path.startswith("library/") and "/" not in path[8:]:
            path = path[8:]
        # A namespace may look like a host: docker.io/my.team/app must keep its registry.
        return (path if _split_registry(path)[0] is None else self.repository) + self._suffix

    @property
    def is_pinned(self) -> bool:
        """Whether a digest says exactly which bytes are meant."""
        return self.digest is not None

    def with_tag(self, tag: str) -> Reference:
        """Return the same repository under ``tag``, without a digest."""
        return self._replace(tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> Reference:
        """Return the same repository pinned to ``digest``, without a tag."""
        return self._replace(tag=None, digest=digest)

    def without_digest(self) -> Reference:
        """Return the name that these bytes get on a host: the tag, or the digest where there is no tag."""
        return self if self.tag is None else self._replace(digest=None)

    @property
    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        return tag + (f"@{self.digest}" if self.digest is not None else "")


class ImageId(t.NamedTuple):
    """An engine's image ID or its beginning: 12 to 64 lower-case hexadecimal characters, no algorithm.

    ``name`` is what the same characters mean as a repository's name, where they can be one: a name goes before an ID.
    """

    prefix: str
    name: Reference | None = None

    def __str__(self) -> str:
        """Return the characters as they were given."""
        return self.prefix


def parse_reference(text: str, defaults: Defaults = Defaults()) -> Reference:  # noqa: B008 (immutable)
    """Return the reference that ``text`` spells, completed with ``defaults``.

    A missing registry and namespace are filled in (the first of ``defaults.namespaces``; see ``candidates``), a missing
    tag only where there is no digest either. Parsing the result's text gives the same reference again.

    Raises:
        InputError: ``text`` is not a reference; ``why`` says which part is wrong.
    Source: distribution/reference normalize.go (ParseDockerRef without dropping the tag), regexp.go.
    """
    return candidates(text, defaults)[0]


def candidates(text: str, defaults: Defaults = Defaults()) -> list[Reference]:  # noqa: B008 (immutable)
    """Return what ``text`` may mean, best first: one reference, or one for each of ``defaults.namespaces``.

    Only a name of one component without a registry has more than one meaning.

    Raises:
        InputError: as ``parse_reference``.
    """
    if len(text) == 64 and _HEX_ID.fullmatch(text):
        raise _bad_reference(text, "64 hexadecimal characters are an image ID and no name")
    name, tag, digest = _split(text)
    registry, path = _split_registry(name)
    if tag is None and digest is None:
        tag = defaults.tag
    if registry is None:
        registry = _normal_registry(defaults.registry)
        if "/" not in path:
            spaces = [space.strip("/") for space in defaults.namespaces] or [""]
            paths = [f"{space}/{path}" if space else path for space in spaces]
            return [_checked(Reference(registry, full, tag, digest), text) for full in paths]
    elif registry == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return [_checked(Reference(registry, path, tag, digest), text)]


def parse_image(text: str, defaults: Defaults = Defaults()) -> Reference | ImageId:  # noqa: B008 (immutable)
    """Return the reference or the image ID that ``text`` spells.

    An ID is 12 to 64 hexadecimal characters, with or without ``sha256:`` before them.

    Raises:
        InputError: neither a reference nor an ID.
    """
    bare = text[len("sha256:") :] if text.startswith("sha256:") else text
    if not _HEX_ID.fullmatch(bare):
        return parse_reference(text, defaults)
    # distribution/reference refuses 64 bare characters as a name (2.1.9); fewer may be one.
    may_be_name = bare == text and len(bare) < 64
    return ImageId(bare, parse_reference(text, defaults) if may_be_name else None)


def check_tag(text: str) -> str:
    """Return ``text`` if it can be a tag.

    Raises:
        InputError: it cannot.
    """
    if not _TAG.fullmatch(text):
        raise InputError(
            f"{text!r} is not a tag",
            code="bad-tag",
            fix="use up to 128 letters, digits, '_', '.' or '-', and start with none of the last two",
            subject=text,
        )
    return text


def is_registry(text: str) -> bool:
    """Tell whether ``text``, before a slash, is read as a registry: a host with a dot or a port, or localhost."""
    try:
        return parse_reference(f"{text}/namespace/name").path == "namespace/name"
    except InputError:
        return False


def _split(text: str) -> tuple[str, str | None, Digest | None]:
    """Cut name, tag and digest apart; the tag's colon is the last one after the last slash."""
    name, at, digest_text = text.partition("@")
    digest: Digest | None = None
    if at:
        if "/" in digest_text:
            # What stands before '@' may be a password, and is not shown.
            raise _bad_reference(f"***@{digest_text}", "a user name or password is no part of a name")
        try:
            digest = Digest.parse(digest_text)
        except InputError as error:
            raise _bad_reference(text, f"what follows '@' is no digest: {error.why}") from error
    head, slash, tail = name.rpartition("/")
    last, colon, tag_text = tail.partition(":")
    if not colon:
        return name, None, digest
    if not _TAG.fullmatch(tag_text):
        raise _bad_reference(text, f"{tag_text!r} is not a tag")
    return head + slash + last, tag_text, digest


def _split_registry(name: str) -> tuple[str | None, str]:
    """Cut the registry off, where the part before the first slash is one (2.1.2)."""
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        return None, name
    return _normal_registry(first), rest


def _normal_registry(registry: str) -> str:
    return DOCKER_HUB if registry in ("index.docker.io", "registry-1.docker.io") else registry


def _checked(reference: Reference, text: str) -> Reference:
    if not _DOMAIN.fullmatch(reference.registry):
        raise _bad_reference(text, f"{reference.registry!r} is not a registry host")
    if not _PATH.fullmatch(reference.path):
        is_upper = reference.path != reference.path.lower()
        rule = "must be lower-case" if is_upper else "is letters and digits joined by '.', '_', '__' or '-'"
        raise _bad_reference(text, f"{reference.path!r} is not a repository path: each part {rule}")
    if len(reference.path) > PATH_LIMIT:
        raise _bad_reference(text, f"the repository path has {len(reference.path)} of {PATH_LIMIT} allowed characters")
    return reference


def _bad_reference(text: str, why: str) -> InputError:
    return InputError(
        f"{text!r} is not an image reference",
        code="bad-reference",
        why=why,
        fix="write it like redis, redis:7, ghcr.io/team/app:1.2 or app:1.2@sha256:…",
        subject=text,
    )
