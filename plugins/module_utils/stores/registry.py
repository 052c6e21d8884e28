# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One repository of a registry as a ContentStore."""

from __future__ import annotations

import contextlib
import io
import itertools
import typing as t

from ..model.descriptor import UNKNOWN_SIZE, Descriptor
from ..model.errors import NotFoundError, UnsupportedError
from ..model.media_types import MANIFEST_ACCEPT, is_document
from ..model.reference import Reference
from . import registry_manifests
from .base import StoredName
from .content_graph import blob_not_found
from .registry_blobs import BlobStream, range_header
from .verify import check_bytes, read_verified

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.digest import Digest
    from ..wire.answers import Answer
    from ..wire.refusals import Refusal
    from ..wire.registry_client import RegistryClient
    from ..wire.streams import OpenAt, ReadStream
    from .base import ContentStore

# What docker-registry 2.8.2 says while somebody else pushes the same blob: it empties the blob's link before it writes
# it anew, and who looks in between finds no digest there.
_HALF_LINKED = frozenset({"DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"})
# It heals by itself, but many hosts and a slow disk take a while: so many of these refusals count as one failure.
_HALF_LINKED_PATIENCE = 4


class RegistryStore:
    """Implements ContentStore for one repository. Does not own ``client``: who made the client closes it.

    Source: OCI distribution-spec v1.1.
    """

    def __init__(self, client: RegistryClient, repository: str, *, mount_from: Sequence[str] = ()) -> None:
        """``repository`` is the path (``library/redis``); ``mount_from`` are paths that may hold blobs we write."""
        self._client = client
        self._repository = repository
        self._mount_from = [path for path in mount_from if path != repository]
        self._root = f"/v2/{repository}"
        self._pull = f"repository:{repository}:pull"
        self._push = f"repository:{repository}:pull,push"
        self._delete = f"repository:{repository}:delete,pull"

    def resolve(self, reference: Reference) -> Descriptor:
        """See ContentStore. Costs a HEAD, where the registry answers it in full; else the whole manifest.

        Raises:
            IntegrityError: digest-mismatch, when the registry answers with another manifest than the pinned one.
        """
        with self._manifest("HEAD", reference, expect=(200, 404, 405)) as answer:
            if answer.status == 404:
                raise registry_manifests.not_found(reference)
            found = registry_manifests.described(answer, reference) if answer.status == 200 else None
        return found if found is not None else self.fetch_manifest(reference)[1]

    def fetch_manifest(self, reference: Reference) -> tuple[bytes, Descriptor]:
        """Return what ``reference`` names, whole, with its descriptor: one GET. The media type is the Content-Type.

        Raises:
            NotFoundError: image-not-found.
            IntegrityError: digest-mismatch, when the bytes are not those that reference or registry promise.
            PeerError: too-large; not-json, when a web page comes instead.
        """
        with self._manifest("GET", reference, expect=(200, 404)) as answer:
            if answer.status == 404:
                raise registry_manifests.not_found(reference)
            return registry_manifests.received(answer, reference)

    def has(self, descriptor: Descriptor) -> bool:
        """See ContentStore."""
        with self._ask("HEAD", self._path(descriptor), of=descriptor, expect=(200, 404)) as answer:
            length = answer.header_number("Content-Length")
            return answer.status == 200 and (length is None or descriptor.size in (UNKNOWN_SIZE, length))

    def read(self, descriptor: Descriptor) -> bytes:
        """See ContentStore."""
        with contextlib.closing(self._stream(descriptor, offset=0)) as stream:
            registry_manifests.check_header(stream.answer, descriptor.digest)
            return read_verified(stream, descriptor)

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        """See ContentStore. A stream that breaks raises UnavailableError; open again from where it broke."""
        if offset and offset >= descriptor.size != UNKNOWN_SIZE:
            return io.BytesIO()
        return self._stream(descriptor, offset=offset)

    def write(self, descriptor: Descriptor, open_at: OpenAt) -> bool:
        """See ContentStore. A blob that the registry mounts from another repository does not move: False."""
        if self.has(descriptor):
            return False
        from .registry_upload import upload

        return upload(
            descriptor, open_at, client=self._client, repository=self._repository, mount_from=self._mount_from
        )

    def put_manifest(self, raw: bytes, descriptor: Descriptor, *, reference: Reference | None = None) -> None:
        """See ContentStore.

        Raises:
            PeerError: manifest-refused; manifest-vanished, when it is not there although the registry took it.
        """
        check_bytes(raw, descriptor)
        tag = reference.tag if reference is not None else None
        targets = [tag or str(descriptor.digest)]
        if tag and descriptor.digest.algorithm != "sha256":
            targets.insert(0, str(descriptor.digest))  # registries file what comes under a tag by its sha256
        for target in targets:
            self._put(raw, descriptor, target=target)
        with self._ask("HEAD", self._manifest_path(str(descriptor.digest)), of=descriptor, expect=(200, 404)) as answer:
            if answer.status == 404:
                raise registry_manifests.vanished(descriptor, self._name)

    def tags(self) -> list[str]:
        """Return every tag of the repository, sorted; none when there is no such repository."""
        from .registry_tags import list_tags

        return list_tags(self._client, self._repository, scope=self._pull)

    def referrers(self, subject: Digest) -> list[Descriptor]:
        """Return what says of itself that it belongs to ``subject``: signatures, bills of materials and the like."""
        from .registry_referrers import list_referrers

        return list_referrers(self, subject, client=self._client, repository=self._repository)

    def names(self) -> list[StoredName]:
        """See ContentStore. Costs one request for each tag."""
        stored = []
        for tag in self.tags():
            reference = Reference(self._client.registry, self._repository, tag)
            with contextlib.suppress(NotFoundError):  # removed since the list was made
                stored.append(StoredName(reference, self.resolve(reference)))
        return stored

    def untag(self, reference: Reference) -> None:
        """See ContentStore.

        Raises:
            UnsupportedError: registry-cannot-untag, when this registry removes manifests only, with all their tags.
        """
        path = self._manifest_path(reference.tag or "")
        expect = (200, 202, 204, 400, 404, 405)
        with self._client.request("DELETE", path, scope=self._delete, expect=expect, subject=str(reference)) as answer:
            if answer.status == 404:
                raise registry_manifests.not_found(reference)
            if answer.status not in (400, 405):
                return
            refusal = self._client.refusal(answer)
        self.resolve(reference.without_digest())  # docker-registry 2.8.2 says 400 for a missing tag, too
        raise UnsupportedError(
            f"The registry {self._client.registry} cannot remove the tag of {reference.without_digest()} alone",
            code="registry-cannot-untag",
            why=refusal.why,
            fix="remove the tag with the registry's own tools, or move it to another image",
            subject=str(reference),
        )

    @property
    def _name(self) -> str:
        return f"{self._client.registry}/{self._repository}"

    def _put(self, raw: bytes, descriptor: Descriptor, *, target: str) -> None:
        subject = f"{self._name} ({target})"
        for refusals in itertools.count():
            refusal = self._put_once(raw, descriptor, target=target, subject=subject)
            if refusal is None:
                return
            failures = 1 + refusals // _HALF_LINKED_PATIENCE
            if not _HALF_LINKED.issubset(refusal.codes) or not self._client.pause(failures):
                raise registry_manifests.refused(refusal, descriptor, subject=subject)

    def _put_once(self, raw: bytes, descriptor: Descriptor, *, target: str, subject: str) -> Refusal | None:
        headers = {"Content-Type": descriptor.media_type}
        expect = (200, 201, 202, 400, 404, 413)
        with self._client.request(
            "PUT",
            self._manifest_path(target),
            scope=self._push,
            headers=headers,
            body=raw,
            expect=expect,
            subject=subject,
        ) as answer:
            if answer.status >= 400:
                return self._client.refusal(answer)
            registry_manifests.check_header(answer, descriptor.digest)
            return None

    def _stream(self, descriptor: Descriptor, *, offset: int) -> BlobStream:
        headers = range_header(descriptor, offset)
        expect = (200, 206, 404, 416) if headers else (200, 404)
        answer = self._ask("GET", self._path(descriptor), of=descriptor, expect=expect, headers=headers)
        if answer.status == 404:
            answer.close()
            raise blob_not_found(descriptor)
        return BlobStream(answer, descriptor, offset=offset)

    def _manifest(self, method: str, reference: Reference, *, expect: Sequence[int]) -> Answer:
        target = str(reference.digest) if reference.digest is not None else reference.tag or "latest"
        return self._client.request(
            method,
            self._manifest_path(target),
            scope=self._pull,
            headers={"Accept": MANIFEST_ACCEPT},
            expect=expect,
            subject=str(reference),
        )

    def _ask(
        self,
        method: str,
        path: str,
        *,
        of: Descriptor,
        expect: Sequence[int],
        headers: dict[str, str] | None = None,
    ) -> Answer:
        accept = {"Accept": MANIFEST_ACCEPT} if is_document(of.media_type) else {}
        return self._client.request(
            method,
            path,
            scope=self._pull,
            headers={**accept, **(headers or {})},
            expect=expect,
            subject=f"{self._name}@{of.digest}",
        )

    def _path(self, descriptor: Descriptor) -> str:
        digest = str(descriptor.digest)
        return self._manifest_path(digest) if is_document(descriptor.media_type) else f"{self._root}/blobs/{digest}"

    def _manifest_path(self, target: str) -> str:
        return f"{self._root}/manifests/{target}"


if t.TYPE_CHECKING:
    _fits: type[ContentStore] = RegistryStore
