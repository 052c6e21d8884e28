# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules from a policy file of podman, skopeo and CRI-O, for the images that they call ``docker:``.

Source: containers-policy.json(5); containers/image signature/policy_config.go, policy_reference_match.go,
docker/policyconfiguration/naming.go.
"""

from __future__ import annotations

import os
import typing as t

from ..model.errors import ImagesError, InputError, UnsupportedError
from ..model.fields import Fields
from ..model.reference import Defaults, parse_reference
from .cosign_tag import decoded
from .keys import is_pem
from .rules import Rule
from .simple_signing import strict_object

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..model.reference import Reference

_LIMIT = 1024 * 1024
_NO_TAG = Defaults(tag="")
_KEYS = ("keyPath", "keyPaths", "keyData", "keyDatas")
#: What a signature by a certificate or a transparency log is asked for with.
_KEYLESS = ("fulcio", "pki", "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas")
_UNCHECKED = {"signedBy": "signatures by GPG keys", "signedBaseLayer": "signatures of base layers"}
_MEMBERS = {
    "insecureAcceptAnything": ("type",),
    "reject": ("type",),
    "sigstoreSigned": ("type", "signedIdentity", *_KEYS, *_KEYLESS),
    "signedBy": ("type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"),
    "signedBaseLayer": ("type", "baseLayerIdentity"),
}
#: The members of each kind beside its type.
_NAME_KINDS: dict[str, tuple[str, ...]] = {
    "matchExact": (),
    "matchRepoDigestOrExact": (),
    "matchRepository": (),
    "exactReference": ("dockerReference",),
    "exactRepository": ("dockerRepository",),
    "remapIdentity": ("prefix", "signedPrefix"),
}


class PolicyName(t.NamedTuple):
    """Which name a signature must carry, for none goes without: a ``signedIdentity`` and its values."""

    kind: str
    first: str = ""
    second: str = ""

    @classmethod
    def of(cls, kind: str, values: Sequence[str]) -> PolicyName:
        """Return what ``values`` of the members of ``kind`` ask for.

        Raises:
            InputError: one of them is no name, or no beginning of names.
        """
        if kind in ("exactReference", "exactRepository"):
            named = parse_reference(values[0], _NO_TAG)
            has_tag = bool(named.tag) or named.digest is not None
            if has_tag != (kind == "exactReference"):
                raise InputError(f"{values[0]!r} must {'not ' if has_tag else ''}have a tag or a digest")
        for value in values if kind == "remapIdentity" else ():
            parse_reference(f"{value}/name")
        return cls(kind, *values)

    def refusal(self, name: str, *, image: Reference) -> str:
        """Return why a signature that carries ``name`` is not for ``image``; empty if it is."""
        if not name:
            return "it carries no name, and the policy asks for one"
        try:
            signed = parse_reference(name, _NO_TAG)
        except InputError:
            return f"the name it carries, {name[:200]!r}, is none"
        return "" if self._fits(signed, image) else f"it is for another name, {name}"

    def _fits(self, signed: Reference, image: Reference) -> bool:
        if self.kind == "exactReference":
            return _same(signed, parse_reference(self.first, _NO_TAG))
        if self.kind == "exactRepository":
            return signed.repository == parse_reference(self.first, _NO_TAG).repository
        if self.kind == "matchRepository":
            return signed.repository == image.repository
        wanted = self._remapped(image)
        if image.digest is not None and self.kind != "matchExact":  # the digest says it, whatever the tag
            return signed.repository == wanted.repository
        return bool(signed.tag or signed.digest) and _same(signed, wanted)

    def _remapped(self, image: Reference) -> Reference:
        """Return ``image`` under the name that it was signed by."""
        name = image.repository
        if self.kind != "remapIdentity" or not f"{name}/".startswith(f"{self.first}/"):
            return image
        signed = parse_reference(self.second + name[len(self.first) :], _NO_TAG)
        return image._replace(registry=signed.registry, path=signed.path)


def _same(signed: Reference, wanted: Reference) -> bool:
    """Tell whether two names are one: with a digest its tag plays no part."""
    if signed.repository != wanted.repository or signed.digest != wanted.digest:
        return False
    return wanted.digest is not None or signed.tag == wanted.tag


class Unchecked(t.NamedTuple):
    """An entry that asks for what cannot be checked here."""

    what: str


class ContainersPolicy(t.NamedTuple):
    """A policy file: what is asked of images in each scope of the transport ``docker``, and of all others."""

    path: str
    scopes: Mapping[str, tuple[Rule | Unchecked, ...]]
    default: tuple[Rule | Unchecked, ...]

    def rules_for(self, image: Reference) -> tuple[Rule, ...]:
        """Return all that is asked of ``image``: the entries of the most exact scope that it is in.

        Raises:
            UnsupportedError: policy-not-supported, one of them cannot be checked here.
        """
        scope = next((scope for scope in _scopes(image) if scope in self.scopes), None)
        rules: list[Rule] = []
        for entry in self.default if scope is None else self.scopes[scope]:
            if isinstance(entry, Unchecked):
                raise self._unsupported(image, entry, scope=scope)
            rules.append(entry)
        return tuple(rules)

    def _unsupported(self, image: Reference, entry: Unchecked, *, scope: str | None) -> UnsupportedError:
        place = "default" if scope is None else f"transports.docker[{scope!r}]"
        return UnsupportedError(
            f"What {self.path} asks of {image.familiar} cannot be checked here",
            code="policy-not-supported",
            why=f"{place} asks for {entry.what}",
            fix="ask for sigstoreSigned with a key there, or check the image with podman or skopeo",
            subject=str(image),
        )


def read_policy(path: str) -> ContainersPolicy:
    """Return the policy at ``path``. All of it is checked, but what transports other than ``docker`` say.

    Raises:
        InputError: policy-unreadable; policy-invalid, which names the place.
    """
    try:
        with open(os.path.expanduser(path), "rb") as file:
            raw = file.read(_LIMIT)
    except OSError as error:
        raise InputError(
            f"The policy {path} cannot be read",
            code="policy-unreadable",
            why=error.strerror or type(error).__name__,
            fix="put it there, on the machine that the task runs on",
            subject=path,
        ) from error
    try:
        return _policy(strict_object(raw, what="policy"), path=path)
    except InputError:
        raise
    except ImagesError as error:
        raise _invalid(path, error.why or error.what) from error


def _policy(top: Fields, *, path: str) -> ContainersPolicy:
    _refuse_unknown(top, "default", "transports", path=path)
    if "default" not in top.values:
        raise _invalid(path, "default is missing")
    transports = top.optional_object("transports")
    docker = transports.optional_object("docker") if transports is not None else None
    scopes = docker.values if docker is not None else {}
    return ContainersPolicy(
        path,
        {
            scope: tuple(_entries(docker, scope, pattern=scope or "docker", path=path))
            for scope in scopes
            if docker is not None
        },
        tuple(_entries(top, "default", pattern="default", path=path)),
    )


def _entries(owner: Fields, key: str, *, pattern: str, path: str) -> Iterator[Rule | Unchecked]:
    rows = owner.objects(key)
    if not rows:
        raise _invalid(path, f"{_place(owner, key)} is empty, and an image must satisfy something")
    for row in rows:
        yield _entry(row, pattern=pattern, path=path)


def _entry(row: Fields, *, pattern: str, path: str) -> Rule | Unchecked:
    kind = row.text("type")
    if kind not in _MEMBERS:
        raise _invalid(path, f"{_place(row, 'type')} is {kind[:80]!r}, which is not known")
    _refuse_unknown(row, *_MEMBERS[kind], path=path)
    if kind in _UNCHECKED:
        return Unchecked(f"{_UNCHECKED[kind]} ({kind})")
    if kind != "sigstoreSigned":
        return Rule(pattern, "reject" if kind == "reject" else "accept")
    keyless = [member for member in _KEYLESS if member in row.values]
    if keyless:
        return Unchecked(f"certificates or a transparency log ({keyless[0]})")
    name = _name(row.optional_object("signedIdentity"), path=path)
    return Rule(pattern, "signed", tuple(_keys(row, path=path)), name)


def _keys(row: Fields, *, path: str) -> list[str]:
    """Return the keys of an entry, one of which must have signed: paths, or texts in PEM."""
    given = [member for member in _KEYS if member in row.values]
    if len(given) != 1:
        raise _invalid(path, f"{_place(row, 'type')} needs exactly one of {', '.join(_KEYS)}")
    (member,) = given
    texts = row.texts(member) if member.endswith("s") else [row.text(member)]
    if not texts:
        raise _invalid(path, f"{_place(row, member)} is empty")
    if member.startswith("keyPath"):
        for text in texts:
            if not os.path.isabs(text):
                raise _invalid(path, f"{_place(row, member)}: {text!r} does not start with /")
        return texts
    keys = [decoded(text).decode("utf-8", "replace") for text in texts]
    if not all(map(is_pem, keys)):
        raise _invalid(path, f"{_place(row, member)} is not base64 of a key in PEM")
    return keys


def _name(row: Fields | None, *, path: str) -> PolicyName:
    if row is None:
        return PolicyName("matchRepoDigestOrExact")
    kind = row.text("type")
    if kind not in _NAME_KINDS:
        raise _invalid(path, f"{_place(row, 'type')} is {kind[:80]!r}, which is not known")
    members = _NAME_KINDS[kind]
    _refuse_unknown(row, "type", *members, path=path)
    try:
        return PolicyName.of(kind, [row.text(member) for member in members])
    except InputError as error:
        raise _invalid(path, f"{_place(row, members[0] if members else 'type')}: {error.what}") from error


def _scopes(image: Reference) -> Iterator[str]:
    """Yield the scopes that ``image`` is in, the most exact first. Beside a digest the tag plays no part."""
    yield str(image.with_digest(image.digest) if image.digest is not None else image)
    parts = image.repository.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join(parts[:count])
    labels = image.registry.partition(":")[0].split(".")
    for at in range(1, len(labels)):
        yield ".".join(["*", *labels[at:]])
    yield ""


def _refuse_unknown(fields: Fields, *known: str, path: str) -> None:
    for member in fields.values:
        if member not in known:
            raise _invalid(path, f"{_place(fields, member[:80])} is not known")


def _place(fields: Fields, member: str) -> str:
    return f"{fields.path}.{member}" if fields.path else member


def _invalid(path: str, why: str) -> InputError:
    return InputError(
        f"{path} is no policy that can be followed",
        code="policy-invalid",
        why=why,
        fix="write it as containers-policy.json(5) says; nothing is pulled by a policy that is half understood",
        subject=path,
    )
