# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where tests of signatures put images: a real registry, and one in this process that lists referrers itself."""

from __future__ import annotations

import itertools
import json
import typing as t
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ImagesError
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.signatures.rules import Rule, SignedName
from ansible_collections.fleet.images.plugins.module_utils.signatures.verifier import Verifier
from ansible_collections.fleet.images.plugins.module_utils.stores.registry import RegistryStore
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support import images
from ansible_collections.fleet.images.tests.support.registry import Registry
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply, client_for


class Stage(t.NamedTuple):
    """An image at a registry, and what is asked about it."""

    registry: Registry
    repository: str
    image: images.MadeImage | images.MadeIndex
    platform: images.MadeImage

    @property
    def name(self) -> str:
        """Return the repository with its registry, as cosign writes it."""
        return f"{self.registry.host}/{self.repository}"

    @property
    def digest(self) -> str:
        """Return the digest of what the tag points at."""
        return self.image.digest

    def check(self, *keys: str, name: SignedName = SignedName(), tag: str = "1") -> tuple[str, ...]:  # noqa: B008
        """Return whose signatures the image has, by a rule that asks for them."""
        return self.judge([Rule("*", "signed", keys, name)], tag=tag)

    def judge(self, rules: list[Rule], *, tag: str = "1") -> tuple[str, ...]:
        """Return what the rules say of the image."""
        store = RegistryStore(client_for(self.registry.host, settings=RegistrySettings(retry=0)), self.repository)
        manifest = self.image.manifest
        return Verifier(rules).check(
            Reference(self.registry.host, self.repository, tag),
            descriptor=Descriptor.of(manifest.data, manifest.media_type),
            manifest_digest=Digest.parse(self.platform.digest),
            repository=store,
        )

    def refusal(self, *keys: str, name: SignedName = SignedName()) -> tuple[str, str]:  # noqa: B008
        """Return code and reason of the error that a check ends in."""
        try:
            signers = self.check(*keys, name=name)
        except ImagesError as error:
            return error.code, error.why
        raise AssertionError(f"accepted, signed by {signers}")


def stage_at(registry: Registry, repository: str) -> Stage:
    """Push an index over two images, and return what is asked about the second."""
    made = images.push_index(registry, repository, "1")
    return Stage(registry, repository, made, made.images[1])


class ListingRegistry:
    """A registry that keeps lists of referrers, and gives one entry a page. Give it to an OddServer as its rule."""

    def __init__(self) -> None:
        self._documents: dict[str, tuple[str, bytes]] = {}
        self._blobs: dict[str, bytes] = {}
        self._uploads = itertools.count()

    def at(self, server: OddServer) -> Registry:
        """Return it as tests push to registries."""
        return Registry(server.host, f"http://{server.host}", Path(), Path(), {}, None)

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        path = urlsplit(asked.target).path
        if "/blobs/uploads/" in path:
            return self._upload(asked, path)
        place, _slash, key = path.rpartition("/")
        if place.endswith("/manifests"):
            return self._document(asked, key)
        if place.endswith("/referrers"):
            return self._referrers(asked, key)
        return Reply(200, (), self._blobs[key]) if key in self._blobs else Reply(404)

    def _upload(self, asked: Asked, path: str) -> Reply:
        if asked.method == "POST":
            return Reply(202, (("Location", f"{path}{next(self._uploads)}?state=1"),))
        (digest,) = parse_qs(urlsplit(asked.target).query)["digest"]
        self._blobs[digest] = asked.body
        return Reply(201)

    def _document(self, asked: Asked, key: str) -> Reply:
        if asked.method == "PUT":
            digest = str(Digest.of(asked.body))
            self._documents[key] = self._documents[digest] = (asked.headers["content-type"], asked.body)
            return Reply(201, (("Docker-Content-Digest", digest),))
        if key not in self._documents:
            return Reply(404)
        media_type, raw = self._documents[key]
        return Reply(200, (("Content-Type", media_type),), raw)

    def _referrers(self, asked: Asked, subject: str) -> Reply:
        entries = []
        for key, (media_type, raw) in self._documents.items():
            document = json.loads(raw)
            if key.startswith("sha256:") and document.get("subject", {}).get("digest") == subject:
                kind, notes = document["artifactType"], document.get("annotations", {})
                entries.append({**images.Blob(media_type, raw).descriptor, "artifactType": kind, "annotations": notes})
        at = int(asked.query.get("page", ["0"])[0])
        more = f"/v2/{asked.path.split('/v2/')[1]}?page={at + 1}"
        links = (("Link", f'<{more}>; rel="next"'),) if at + 1 < len(entries) else ()
        page = {"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": entries[at : at + 1]}
        return Reply(200, (("Content-Type", images.OCI_INDEX), *links), json.dumps(page).encode())
