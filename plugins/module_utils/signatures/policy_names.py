# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which name a signature must carry by a policy file: its ``signedIdentity``.

Source: containers-policy.json(5); containers/image signature/policy_reference_match.go.
"""

from __future__ import annotations

import typing as t

from ..model.errors import InputError
from ..model.reference import Defaults, parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.reference import Reference

_NO_TAG = Defaults(tag="")

#: The members of each kind beside its type.
NAME_KINDS: dict[str, tuple[str, ...]] = {
    "matchExact": (),
    "matchRepoDigestOrExact": (),
    "matchRepository": (),
    "exactReference": ("dockerReference",),
    "exactRepository": ("dockerRepository",),
    "remapIdentity": ("prefix", "signedPrefix"),
}


class PolicyName(t.NamedTuple):
    """One of NAME_KINDS, with the values of its members. A signature without a name serves none of them."""

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
