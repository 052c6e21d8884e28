# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tags of a repository, page by page."""

from __future__ import annotations

import re
import typing as t

from ..model.errors import PeerError
from ..model.fields import Fields
from ..wire.addresses import next_address
from ..wire.redact import redact_url

if t.TYPE_CHECKING:
    from ..wire.answers import Answer
    from ..wire.registry_client import RegistryClient

PAGE_LIMIT = 16 * 1024 * 1024
MOST_PAGES = 10_000
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next)\s*(?:[;,]|$)', re.IGNORECASE)


def list_tags(client: RegistryClient, repository: str, *, scope: str) -> list[str]:
    """Return every tag, each once, sorted; none when there is no such repository.

    Follows the registry's own links to the next page: some registries ignore the parameters that the specification has
    for it, so that who pages with them never ends.

    Raises:
        PeerError: pages-in-circles; not-json or wrong-shape, when an answer is no list of tags.
    Source: OCI distribution-spec v1.1, "Listing Tags".
    """
    tags: dict[str, None] = {}
    address, seen = f"/v2/{repository}/tags/list", set[str]()
    while address:
        if address in seen or len(seen) >= MOST_PAGES:
            raise in_circles(address, len(seen))
        seen.add(address)
        with client.request("GET", address, scope=scope, expect=(200, 404), subject=repository) as answer:
            if answer.status == 404:
                break
            address = next_page(answer)
            fields = Fields.of_bytes(answer.body(PAGE_LIMIT), what=f"list of tags of {repository}")
            tags.update(dict.fromkeys(fields.texts("tags")))
    return sorted(tags)


def next_page(answer: Answer) -> str:
    """Return the whole address of the next page, empty on the last one."""
    for header in answer.header_values("Link"):
        for target, parameters in _LINK.findall(header):
            if _NEXT.search(parameters):
                return next_address(answer.url, target)
    return ""


def in_circles(address: str, pages: int) -> PeerError:
    """Return the error for a list whose next page is one that was read before, or that never ends."""
    subject = redact_url(address)
    return PeerError(
        f"The list at {subject} has no end",
        code="pages-in-circles",
        why=f"after {pages} pages the registry names one that was read before",
        fix="report this to who runs the registry",
        subject=subject,
    )
