# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The payload of simple signing: what the signatures of cosign, beside images, are made over.

Source: cosign specs/SIGNATURE_SPEC.md; containers/image docs/containers-signature.5.md.
"""

from __future__ import annotations

import json
import typing as t

from ..model.errors import PeerError
from ..model.fields import Fields
from .base import Claim

PAYLOAD_TYPE = "cosign container image signature"
_WHAT = "payload of the signature"


def read_payload(raw: bytes) -> Claim:
    """Return what a payload claims. It has exactly the members that it must have, each once.

    Raises:
        PeerError: not-json; wrong-shape, a member is missing, unknown, there twice, or of another type or value.
    """
    top = strict_object(raw, what=_WHAT)
    _only(top, "critical", "optional")
    if not isinstance(top.values["optional"], (dict, type(None))):
        raise top.wrong("optional", "is neither an object nor null")
    critical = top.object("critical")
    _only(critical, "identity", "image", "type")
    identity, image = critical.object("identity"), critical.object("image")
    _only(identity, "docker-reference")
    _only(image, "docker-manifest-digest")
    if critical.text("type") != PAYLOAD_TYPE:
        raise critical.wrong("type", f"is not {PAYLOAD_TYPE!r}")
    if not identity.text("docker-reference"):
        raise identity.wrong("docker-reference", "is empty")
    return Claim((image.digest("docker-manifest-digest"),), identity.text("docker-reference"))


def strict_object(raw: bytes, *, what: str) -> Fields:
    """Return the JSON object that ``raw`` is, none of whose members is there twice: readers differ in which one counts.

    Raises:
        PeerError: not-json; wrong-shape, a member is there twice, or it is no object.
    """

    def once(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _value in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Fields({}, what).wrong(twice, "is there twice")
        return found

    try:
        parsed = json.loads(raw.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise PeerError(f"The {what} is not JSON", code="not-json", why=f"{error}"[:200], subject=what) from error
    if not isinstance(parsed, dict):
        raise Fields({}, what).wrong("the top level", "is not an object")
    return Fields(parsed, what)


def _only(fields: Fields, *names: str) -> None:
    """Refuse members that are missing or unknown: who signed may have meant something by them.

    Raises:
        PeerError: wrong-shape.
    """
    for name in names:
        if name not in fields.values:
            raise fields.wrong(name, "is missing")
    for name in fields.values:
        if name not in names:
            raise fields.wrong(name[:80], "is not known")
