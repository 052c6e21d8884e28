# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One repository as a store: odd registries on loopback, and the real one where it matters."""

from __future__ import annotations

import io
import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import UNKNOWN_SIZE, Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    ImagesError,
    IntegrityError,
    NotFoundError,
    PeerError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.stores.registry import RegistryStore
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential, CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions
from ansible_collections.fleet.images.tests.unit.stores.sample_images import opening, sample_image, sample_index
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply, client_for

if t.TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = sample_image("app")
RAW, MANIFEST = IMAGE.raw, IMAGE.descriptor
OTHER = sample_image("other")


def reference(server: OddServer, tag: str | None = "1", digest: Digest | None = None) -> Reference:
    return Reference(server.host, "team/app", tag, digest)


def store_of(server: OddServer) -> RegistryStore:
    return RegistryStore(client_for(server.host, settings=RegistrySettings(retry=0)), "team/app")


def manifest_reply(raw: bytes = RAW, *, media_type: str = media_types.OCI_MANIFEST, digest: str | None = None) -> Reply:
    header = (("Docker-Content-Digest", digest or str(Digest.of(raw))),) if digest != "" else ()
    return Reply(200, (("Content-Type", media_type), *header), raw)


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(ImagesError) as caught:
        action()
    return caught.value.code


def test_a_tag_resolves_by_one_head_that_accepts_all_four_types() -> None:
    with OddServer(lambda _asked: manifest_reply()) as server:
        assert store_of(server).resolve(reference(server)) == MANIFEST
        (asked,) = server.asked
        assert (asked.method, asked.target) == ("HEAD", "/v2/team/app/manifests/1")
        for media_type in (
            media_types.OCI_MANIFEST,
            media_types.OCI_INDEX,
            media_types.DOCKER_MANIFEST,
            media_types.DOCKER_LIST,
        ):
            assert media_type in asked.headers["accept"]


def test_the_parameters_of_a_content_type_are_no_part_of_the_media_type() -> None:
    with OddServer(lambda _asked: manifest_reply(media_type=f"{media_types.OCI_MANIFEST}; charset=utf-8")) as server:
        assert store_of(server).resolve(reference(server)) == MANIFEST
        assert store_of(server).fetch_manifest(reference(server)) == (RAW, MANIFEST)


def test_a_pinned_reference_resolves_by_its_digest_and_not_by_its_tag() -> None:
    with OddServer(lambda _asked: manifest_reply()) as server:
        store_of(server).resolve(reference(server, "1", MANIFEST.digest))
        assert server.asked[0].path == f"/v2/team/app/manifests/{MANIFEST.digest}"


@pytest.mark.parametrize(
    "head",
    [
        manifest_reply(digest=""),
        manifest_reply(digest="sha256:nonsense"),
        manifest_reply(media_type="text/html"),
        Reply(200, (("Docker-Content-Digest", str(MANIFEST.digest)),), RAW),
        manifest_reply()._replace(length=None),
        manifest_reply()._replace(length=0),
        Reply(405),
    ],
)
def test_where_a_head_leaves_something_out_the_manifest_is_fetched(head: Reply) -> None:
    with OddServer(lambda asked: head if asked.method == "HEAD" else manifest_reply(digest="")) as server:
        assert store_of(server).resolve(reference(server)) == MANIFEST
        assert [asked.method for asked in server.asked] == ["HEAD", "GET"]


@pytest.mark.parametrize("tag", ["1", None])
def test_what_the_registry_does_not_have_is_not_found(tag: str | None) -> None:
    with OddServer(lambda _asked: Reply(404)) as server:
        wanted = reference(server, tag, None if tag else MANIFEST.digest)
        for action in (store_of(server).resolve, store_of(server).fetch_manifest):
            with pytest.raises(NotFoundError) as caught:
                action(wanted)
            assert caught.value.code == "image-not-found"
            assert caught.value.subject == str(wanted)


def test_a_head_for_a_digest_that_speaks_of_another_is_an_error() -> None:
    with OddServer(lambda _asked: manifest_reply(digest=str(OTHER.descriptor.digest))) as server:
        assert code_of(lambda: store_of(server).resolve(reference(server, None, MANIFEST.digest))) == "digest-mismatch"


@pytest.mark.parametrize("header", ["", str(MANIFEST.digest), str(OTHER.descriptor.digest)])
def test_a_body_or_header_for_another_digest_than_the_asked_one_is_an_error(header: str) -> None:
    with OddServer(lambda _asked: manifest_reply(OTHER.raw, digest=header)) as server:
        pinned = reference(server, None, MANIFEST.digest)
        assert code_of(lambda: store_of(server).fetch_manifest(pinned)) == "digest-mismatch"
        assert code_of(lambda: store_of(server).read(MANIFEST._replace(size=UNKNOWN_SIZE))) == "digest-mismatch"


def test_a_right_body_under_a_wrong_header_is_an_error_when_it_was_asked_by_digest() -> None:
    with OddServer(lambda _asked: manifest_reply(digest=str(OTHER.descriptor.digest))) as server:
        pinned = reference(server, None, MANIFEST.digest)
        assert code_of(lambda: store_of(server).fetch_manifest(pinned)) == "digest-mismatch"
        assert code_of(lambda: store_of(server).read(MANIFEST)) == "digest-mismatch"


def test_a_sha256_header_says_nothing_about_content_that_was_asked_for_by_sha512() -> None:
    import hashlib

    digest = Digest("sha512", hashlib.sha512(RAW).hexdigest())
    with OddServer(lambda _asked: manifest_reply()) as server:
        pinned = reference(server, None, digest)
        assert store_of(server).resolve(pinned).digest == digest
        assert store_of(server).fetch_manifest(pinned) == (RAW, MANIFEST._replace(digest=digest))


def test_a_tags_manifest_that_is_not_what_its_header_says_is_an_error() -> None:
    with OddServer(lambda _asked: manifest_reply(OTHER.raw, digest=str(MANIFEST.digest))) as server:
        assert code_of(lambda: store_of(server).fetch_manifest(reference(server))) == "digest-mismatch"


def test_a_web_page_is_no_manifest() -> None:
    page = Reply(200, (("Content-Type", "text/html; charset=utf-8"),), b"<html>Welcome</html>")
    with OddServer(lambda _asked: page) as server, pytest.raises(PeerError) as caught:
        store_of(server).resolve(reference(server))
    assert caught.value.code == "not-json"
    assert "does not look like a registry" in str(caught.value)


def test_a_document_above_the_limit_is_refused() -> None:
    reply = manifest_reply(b" " * (8 * 1024 * 1024 + 1), digest="")
    with OddServer(lambda _asked: reply) as server:
        assert code_of(lambda: store_of(server).fetch_manifest(reference(server))) == "too-large"
        assert code_of(lambda: store_of(server).read(MANIFEST._replace(size=UNKNOWN_SIZE))) == "too-large"


def test_documents_are_read_as_manifests_and_everything_else_as_blobs() -> None:
    contents = {f"/v2/team/app/manifests/{MANIFEST.digest}": RAW}
    config = IMAGE.config
    contents[f"/v2/team/app/blobs/{config.digest}"] = IMAGE.content[config.digest]
    with OddServer(lambda asked: Reply(200, (), contents[asked.path])) as server:
        assert store_of(server).read(MANIFEST) == RAW
        assert store_of(server).read(config._replace(size=UNKNOWN_SIZE)) == IMAGE.content[config.digest]


def test_a_blob_of_another_size_is_not_there() -> None:
    layer = IMAGE.layers[0]
    with OddServer(lambda _asked: Reply(200, (("Content-Length", str(layer.size + 1)),))) as server:
        assert not store_of(server).has(layer)
        assert store_of(server).has(layer._replace(size=layer.size + 1))
        assert store_of(server).has(layer._replace(size=UNKNOWN_SIZE))


def test_a_manifest_is_sent_as_it_is_under_its_type_and_looked_up_by_digest() -> None:
    with OddServer(lambda asked: Reply(201) if asked.method == "PUT" else manifest_reply()) as server:
        store_of(server).put_manifest(RAW, MANIFEST, reference=reference(server))
        put, head = server.asked
        assert (put.target, put.body, put.headers["content-type"]) == (
            "/v2/team/app/manifests/1",
            RAW,
            media_types.OCI_MANIFEST,
        )
        assert (head.method, head.path) == ("HEAD", f"/v2/team/app/manifests/{MANIFEST.digest}")


def test_a_manifest_without_a_name_is_sent_by_its_digest() -> None:
    with OddServer(lambda asked: Reply(201) if asked.method == "PUT" else manifest_reply()) as server:
        store_of(server).put_manifest(RAW, MANIFEST)
        store_of(server).put_manifest(RAW, MANIFEST, reference=reference(server, None, MANIFEST.digest))
        assert {asked.path for asked in server.asked} == {f"/v2/team/app/manifests/{MANIFEST.digest}"}


def test_bytes_that_are_not_the_descriptors_are_not_sent() -> None:
    with OddServer(lambda _asked: Reply(201)) as server:
        assert code_of(lambda: store_of(server).put_manifest(OTHER.raw, MANIFEST)) in (
            "digest-mismatch",
            "size-mismatch",
        )
        assert server.asked == []


def test_a_registry_that_stored_another_manifest_is_found_out() -> None:
    changed = Reply(201, (("Docker-Content-Digest", str(OTHER.descriptor.digest)),))
    with OddServer(lambda _asked: changed) as server, pytest.raises(IntegrityError) as caught:
        store_of(server).put_manifest(RAW, MANIFEST)
    assert caught.value.code == "digest-mismatch"


def test_a_manifest_that_was_taken_and_is_not_there_is_found_out() -> None:
    with OddServer(lambda asked: Reply(201 if asked.method == "PUT" else 404)) as server:
        assert code_of(lambda: store_of(server).put_manifest(RAW, MANIFEST)) == "manifest-vanished"


@pytest.mark.parametrize("refusals", [1, 12])
def test_a_manifest_that_is_refused_while_others_push_its_blobs_is_sent_again(refusals: int) -> None:
    codes = json.dumps({"errors": [{"code": "DIGEST_INVALID"}, {"code": "MANIFEST_BLOB_UNKNOWN"}]}).encode()

    def rule(asked: Asked) -> Reply:
        if asked.method == "PUT" and len(server.asked_for("PUT")) <= refusals:
            return Reply(400, body=codes)
        return Reply(201 if asked.method == "PUT" else 200)

    with OddServer(rule) as server:
        RegistryStore(client_for(server.host), "team/app").put_manifest(RAW, MANIFEST, reference=reference(server))
        assert len(server.asked_for("PUT")) == refusals + 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "MANIFEST_BLOB_UNKNOWN", ConflictError),
        (404, "BLOB_UNKNOWN", ConflictError),
        (400, "MANIFEST_INVALID", PeerError),
        (413, "SIZE_INVALID", PeerError),
        (404, "NAME_UNKNOWN", PeerError),
    ],
)
def test_a_refused_manifest_tells_whether_something_is_missing_below_it(
    status: int, code: str, kind: type[ImagesError]
) -> None:
    body = json.dumps({"errors": [{"code": code, "message": "words", "detail": {"digest": "sha256:1"}}]}).encode()
    with OddServer(lambda _asked: Reply(status, (), body)) as server, pytest.raises(kind) as caught:
        store_of(server).put_manifest(RAW, MANIFEST)
    assert caught.value.code == ("missing-child" if kind is ConflictError else "manifest-refused")
    assert code in caught.value.why


def test_a_name_is_removed_by_its_tag_where_the_registry_can() -> None:
    with OddServer(lambda _asked: Reply(202)) as server:
        store_of(server).untag(reference(server, "1", MANIFEST.digest))
        assert [(asked.method, asked.path) for asked in server.asked] == [("DELETE", "/v2/team/app/manifests/1")]


@pytest.mark.parametrize("status", [400, 405])
def test_a_registry_that_cannot_untag_says_so_only_for_tags_that_exist(status: int) -> None:
    with OddServer(lambda asked: Reply(status) if asked.method == "DELETE" else manifest_reply()) as server:
        with pytest.raises(UnsupportedError) as caught:
            store_of(server).untag(reference(server))
        assert caught.value.code == "registry-cannot-untag"
        server.rule = lambda asked: Reply(status if asked.method == "DELETE" else 404)
        assert code_of(lambda: store_of(server).untag(reference(server))) == "image-not-found"


def test_an_absent_tag_cannot_be_removed() -> None:
    with OddServer(lambda _asked: Reply(404)) as server:
        assert code_of(lambda: store_of(server).untag(reference(server))) == "image-not-found"


def test_names_are_the_tags_with_what_they_point_at_and_tags_that_go_meanwhile_are_left_out() -> None:
    def rule(asked: Asked) -> Reply:
        if asked.path.endswith("/tags/list"):
            return Reply(body=b'{"name": "team/app", "tags": ["b", "gone", "a"]}')
        return Reply(404) if asked.path.endswith("/gone") else manifest_reply()

    with OddServer(rule) as server:
        found = store_of(server).names()
        assert [(str(name.reference), name.descriptor) for name in found] == [
            (f"{server.host}/team/app:a", MANIFEST),
            (f"{server.host}/team/app:b", MANIFEST),
        ]


@pytest.mark.parametrize("tls", [False, True])
def test_an_image_goes_into_the_real_registry_and_comes_out_the_same(
    registry_with: Callable[[RegistryOptions], Registry], tls: bool
) -> None:
    registry = registry_with(RegistryOptions(tls=tls, users={"anna": "geheim-7731"}))
    index, index_descriptor = sample_index(IMAGE, OTHER)
    name = Reference(registry.host, "team/app", "1")
    login = CredentialSource({registry.host: Credential("anna", "geheim-7731")}, environ={})
    with Registries(RegistrySettings(ca_path=registry.ca_path or None, retry=0), login) as registries:
        store = registries.store(name)
        for image in (IMAGE, OTHER):
            image.put(store)
        store.put_manifest(index, index_descriptor, reference=name)
        assert store.resolve(name) == index_descriptor
        assert store.fetch_manifest(name) == (index, index_descriptor)
        assert store.read(MANIFEST) == RAW
        for part in IMAGE.parts:
            assert store.read(part) == IMAGE.content[part.digest]
        assert [(stored.reference, stored.descriptor) for stored in store.names()] == [(name, index_descriptor)]
        assert code_of(lambda: store.untag(name)) == "registry-cannot-untag"
        assert code_of(lambda: store.untag(name.with_tag("2"))) == "image-not-found"


def test_the_real_registry_refuses_wrong_and_missing_credentials(
    registry_with: Callable[[RegistryOptions], Registry],
) -> None:
    registry = registry_with(RegistryOptions(users={"anna": "geheim-7731"}))
    name = Reference(registry.host, "team/app", "1")
    with Registries(credentials=CredentialSource({}, environ={})) as anonymous:
        assert code_of(lambda: anonymous.store(name).resolve(name)) == "auth-required"
    wrong = CredentialSource({registry.host: Credential("anna", "falsch")}, environ={})
    with Registries(credentials=wrong) as registries:
        assert code_of(lambda: registries.store(name).resolve(name)) == "auth-refused"


def test_an_empty_blob_and_the_end_of_a_blob_need_no_range(shared_registry: Registry) -> None:
    name = Reference(shared_registry.host, "store-ends")
    empty, layer = Descriptor.of(b"", media_types.OCI_LAYER), IMAGE.layers[0]
    with Registries() as registries:
        store = registries.store(name)
        assert store.write(empty, opening(b""))
        assert store.write(layer, opening(IMAGE.content[layer.digest]))
        assert store.open(empty).read(10) == b""
        assert store.open(layer, layer.size).read(10) == b""
        assert store.open(layer, layer.size - 1).read(10) == IMAGE.content[layer.digest][-1:]


def test_blobs_are_mounted_from_another_repository_of_the_real_registry(shared_registry: Registry) -> None:
    layer = IMAGE.layers[0]

    def refuse(_offset: int) -> io.BytesIO:
        raise AssertionError("the bytes were opened")

    with Registries() as registries:
        registries.store(Reference(shared_registry.host, "mount-source")).write(
            layer, opening(IMAGE.content[layer.digest])
        )
        target = registries.store(Reference(shared_registry.host, "mount-target"), mount_from=["mount-source"])
        assert target.write(layer, refuse) is False
        assert target.has(layer)
