# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of podman's images: made, found, taken away, and the image with its last one."""

from __future__ import annotations

import typing as t

from ..model.errors import PeerError
from ..model.fields import Fields
from .base import gone
from .podman_images import names_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model.reference import Reference
    from .podman_api import PodmanApi

_IN_USE = 2  # the exit code of a removal, as podman-rmi(1) has it
_REMOVED = (0, 1)  # 1: it was gone already


class PodmanNames:
    """Names of the images of one podman. Images are known by their bare IDs here."""

    def __init__(self, api: PodmanApi) -> None:
        """Take how to ask."""
        self._api = api

    def row(self, reference: Reference) -> Fields | None:
        """Return the row of the list that has this very name; podman's own search also finds by digest alone."""
        for row in Fields({"rows": self._api.get("/images/json")}, "list of images").objects("rows"):
            if reference in names_of(row):
                return row
        return None

    def add(self, image_id: str, reference: Reference) -> None:
        """Let the tag ``reference`` point at the image.

        Raises:
            NotFoundError: image-not-found.
        """
        query = {"repo": reference.repository, "tag": reference.tag or ""}
        status, _told = self._api.request("POST", f"/images/{image_id}/tag", query=query, expect=(201, 404))
        if status == 404:
            raise gone(image_id)

    def drop(self, image_id: str, name: Reference) -> None:
        """Take ``name`` from the image, if it has it. podman joins what it gets as repository and tag by a colon."""
        digest = name.digest
        if name.tag is not None or digest is None:
            query = {"repo": name.repository, "tag": name.tag or ""}
        else:
            query = {"repo": f"{name.repository}@{digest.algorithm}", "tag": digest.encoded}
        try:
            self._api.request("POST", f"/images/{image_id}/untag", query=query, expect=(200, 201, 404))
        except PeerError:
            # Somebody else was quicker; or it is a list of manifests, in whose stead podman looks at one of its images.
            if self.row(name) is not None and not self._drop_list(name):
                raise

    def remove(self, image_id: str, *, prunes: bool) -> bool:
        """Remove a nameless image; False if it stays because something uses it.

        This request knows ``noprune`` in every version; the one for a single image does not.

        Raises:
            PeerError: engine-failed.
        """
        told = self._removal({"images": image_id, "force": "false", "noprune": "false" if prunes else "true"})
        code = told.integer("ExitCode")
        if code not in (*_REMOVED, _IN_USE):
            from ..wire.redact import redact

            raise PeerError(
                f"podman could not remove the image {image_id[:12]}",
                code="engine-failed",
                why=redact("; ".join(told.texts("Errors"))),
                fix="Look at the engine's own log on the host",
                subject=image_id,
            )
        return code != _IN_USE

    def _drop_list(self, name: Reference) -> bool:
        """Take ``name`` from a list of manifests that somebody made here; False where it names no such list."""
        told = self._removal({"images": str(name), "force": "false", "lookupManifest": "true"})
        return told.integer("ExitCode") in _REMOVED

    def _removal(self, query: Mapping[str, str]) -> Fields:
        return Fields(self._api.request("DELETE", "/images/remove", query=query)[1], "answer of podman")
