# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs to an image: as a registry tells it, or as clients keep it under a tag where the registry does not.

Source: OCI distribution-spec v1.1, "Listing Referrers" and "Unavailable Referrers API".
"""

from __future__ import annotations

import re
import typing as t

from ..model.errors import NotFoundError
from ..model.index import Index
from ..model.manifest import parse_manifest
from ..model.media_types import OCI_INDEX
from ..model.reference import Reference
from .registry_tags import MOST_PAGES, PAGE_LIMIT, in_circles, next_page

if t.TYPE_CHECKING:
    from ..model.descriptor import Descriptor
    from ..model.digest import Digest
    from ..wire.registry_client import RegistryClient
    from .registry import RegistryStore


def list_referrers(
    store: RegistryStore, subject: Digest, *, client: RegistryClient, repository: str
) -> list[Descriptor]:
    """Return what belongs to ``subject``, each digest once, in the registry's order; of every kind.

    Raises:
        PeerError: pages-in-circles; the list is malformed.
    """
    found: dict[Digest, Descriptor] = {}
    address, seen = f"/v2/{repository}/referrers/{subject}", set[str]()
    while address:
        if address in seen or len(seen) >= MOST_PAGES:
            raise in_circles(address, len(seen))
        with client.request(
            "GET",
            address,
            scope=f"repository:{repository}:pull",
            headers={"Accept": OCI_INDEX},
            expect=(200, 400, 404, 405, 501),
            subject=f"{client.registry}/{repository}@{subject}",
        ) as answer:
            # Front ends that do not know the address answer with pages of their own; one that began a list goes on.
            if not seen and (answer.status != 200 or answer.media_type != OCI_INDEX):
                return _under_tag(store, Reference(client.registry, repository, referrers_tag(subject)))
            seen.add(address)
            address = next_page(answer)
            raw = answer.body(PAGE_LIMIT)
        found.update((entry.digest, entry) for entry in _entries(raw, what=f"referrers of {subject}"))
    return list(found.values())


def referrers_tag(subject: Digest) -> str:
    """Return the tag under which clients keep the list, for registries that keep none."""
    text = f"{subject.algorithm[:32]}-{subject.encoded[:64]}"
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)


def _under_tag(store: RegistryStore, tagged: Reference) -> list[Descriptor]:
    try:
        raw, _descriptor = store.fetch_manifest(tagged)
    except NotFoundError:
        return []
    return _entries(raw, what=str(tagged))


def _entries(raw: bytes, *, what: str) -> list[Descriptor]:
    document = parse_manifest(raw, media_type=OCI_INDEX, subject=what)
    return list(document.manifests) if isinstance(document, Index) else []
