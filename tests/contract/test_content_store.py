# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every content store promises, asked of each one: memory, image layout, a real registry, a real containerd."""

from __future__ import annotations

import io
import itertools
import json
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import UNKNOWN_SIZE, Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    IntegrityError,
    NotFoundError,
    PeerError,
    UnavailableError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
from ansible_collections.fleet.images.plugins.module_utils.stores.base import DOCUMENT_LIMIT, ContentStore
from ansible_collections.fleet.images.plugins.module_utils.stores.containerd import ContainerdStore
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.plugins.module_utils.stores.memory import MemoryStore
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.wire.ctr import Ctr
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support.containerd import Containerd, start_containerd
from ansible_collections.fleet.images.tests.support.registry import Registry, start_registry
from ansible_collections.fleet.images.tests.unit.stores.sample_images import noise, opening, sample_image, sample_index

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_NUMBERS = itertools.count()


class Case(t.NamedTuple):
    """A store, empty, and the repository whose names it takes. ``keeps_nameless``: content outlives its last name."""

    store: ContentStore
    repository: Reference
    keeps_nameless: bool = True

    def name(self, tag: str) -> Reference:
        return self.repository.with_tag(tag)

    def tags(self) -> list[str | None]:
        return [stored.reference.tag for stored in self.store.names()]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with start_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    with start_containerd(tmp_path_factory.mktemp("c")) as running:
        yield running


def local_case(kind: str, folder: Path) -> Case:
    store = MemoryStore() if kind == "memory" else LayoutStore(folder / "store", create=True)
    return Case(store, Reference("docker.io", "library/app"))


@pytest.fixture(params=["memory", "layout", "registry", "containerd"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    if request.param == "containerd":
        daemon: Containerd = request.getfixturevalue("containerd")
        ctr = Ctr(daemon.address, namespace=daemon.new_namespace(), timeout=30)
        store = ContainerdStore(ctr, LayoutStore(tmp_path / "staging", create=True))
        yield Case(store, Reference("docker.io", "library/app"), keeps_nameless=False)
        return
    if request.param != "registry":
        yield local_case(request.param, tmp_path)
        return
    registry: Registry = request.getfixturevalue("registry")
    repository = Reference(registry.host, f"app-{next(_NUMBERS)}")
    with Registries(RegistrySettings(retry_delay=0.01), CredentialSource(environ={})) as registries:
        yield Case(registries.store(repository), repository)


def blob_of(content: bytes) -> Descriptor:
    return Descriptor.of(content, media_types.OCI_LAYER_GZIP)


def refuse_to_open(offset: int) -> t.NoReturn:
    raise AssertionError(f"opened at {offset}")


def everything_in(store: ContentStore, descriptor: Descriptor, offset: int = 0) -> bytes:
    stream = store.open(descriptor, offset)
    try:
        return b"".join(iter(lambda: stream.read(1000), b""))
    finally:
        stream.close()


class FailingStream(io.BytesIO):
    """Gives what it has, then loses the connection."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(size) or self._lose()

    def readinto(self, buffer: t.Any, /) -> int:
        return super().readinto(buffer) or len(self._lose())

    def _lose(self) -> t.NoReturn:
        raise UnavailableError("The connection was lost", code="connection-lost")


def test_a_written_blob_is_there_and_reads_back_whole_and_from_any_offset(case: Case) -> None:
    content = noise("blob", 3_000_000)
    blob = blob_of(content)
    assert not case.store.has(blob)
    assert case.store.write(blob, opening(content)) is True
    assert case.store.has(blob)
    assert everything_in(case.store, blob) == content
    assert everything_in(case.store, blob, 2_999_990) == content[-10:]


def test_an_empty_blob_can_be_stored(case: Case) -> None:
    empty = blob_of(b"")
    assert case.store.write(empty, opening(b"")) is True
    assert case.store.has(empty)
    assert everything_in(case.store, empty) == b""


def test_a_blob_that_is_there_is_not_fetched_again(case: Case) -> None:
    content = noise("again", 5000)
    case.store.write(blob_of(content), opening(content))
    assert case.store.write(blob_of(content), refuse_to_open) is False


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (noise("other", 5000), "digest-mismatch"),
        (noise("right", 4999), "size-mismatch"),
        (noise("right", 5001), "size-mismatch"),
        (b"", "size-mismatch"),
    ],
    ids=["other bytes", "too short", "too long", "empty"],
)
def test_bytes_that_are_not_what_was_promised_are_never_published(case: Case, sent: bytes, code: str) -> None:
    content = noise("right", 5000)
    with pytest.raises(IntegrityError) as caught:
        case.store.write(blob_of(content), opening(sent))
    assert caught.value.code == code
    assert str(blob_of(content).digest) in str(caught.value)
    assert not case.store.has(blob_of(content))
    assert case.store.write(blob_of(content), opening(content)) is True


def test_a_source_that_fails_half_way_leaves_nothing_visible_and_its_own_error(case: Case) -> None:
    content = noise("half", 3_000_000)
    with pytest.raises(UnavailableError) as caught:
        case.store.write(blob_of(content), lambda offset: FailingStream(content[offset:1_500_000]))
    assert caught.value.code == "connection-lost"
    assert not case.store.has(blob_of(content))
    assert case.store.write(blob_of(content), opening(content)) is True
    assert everything_in(case.store, blob_of(content)) == content


def test_every_stream_that_was_opened_is_closed(case: Case) -> None:
    content = noise("closed", 5000)
    opened: list[io.BytesIO] = []

    def open_at(offset: int) -> io.BytesIO:
        opened.append(io.BytesIO(content[offset:]))
        return opened[-1]

    case.store.write(blob_of(content), open_at)
    with pytest.raises(IntegrityError):
        case.store.write(blob_of(b"x" * 5000), open_at)
    assert opened
    assert all(stream.closed for stream in opened)


def test_a_blob_of_another_size_than_promised_is_not_there(case: Case) -> None:
    content = noise("size", 5000)
    case.store.write(blob_of(content), opening(content))
    assert not case.store.has(blob_of(content)._replace(size=4999))
    assert case.store.has(blob_of(content)._replace(size=UNKNOWN_SIZE))


def test_reading_what_is_not_there_says_so(case: Case) -> None:
    absent = Descriptor.of(b"{}", media_types.OCI_CONFIG)
    for read in (case.store.read, lambda descriptor: everything_in(case.store, descriptor)):
        with pytest.raises(NotFoundError) as caught:
            read(absent)
        assert caught.value.code == "blob-not-found"


def test_a_document_reads_back_with_its_size_known_or_not(case: Case) -> None:
    content = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    config = Descriptor.of(content, media_types.OCI_CONFIG)
    case.store.write(config, opening(content))
    assert case.store.read(config) == content
    assert case.store.read(config._replace(size=UNKNOWN_SIZE)) == content
    with pytest.raises(IntegrityError) as caught:
        case.store.read(config._replace(size=len(content) - 1))
    assert caught.value.code == "size-mismatch"


def test_a_layer_is_not_read_into_memory_as_a_document(case: Case) -> None:
    content = noise("large", DOCUMENT_LIMIT + 1)
    case.store.write(blob_of(content), opening(content))
    for size in (len(content), UNKNOWN_SIZE):
        with pytest.raises(PeerError) as caught:
            case.store.read(blob_of(content)._replace(size=size))
        assert caught.value.code == "too-large"


def test_a_manifest_is_found_by_its_name_and_by_its_digest_with_the_same_bytes(case: Case) -> None:
    image = sample_image("named")
    image.put(case.store, case.name("7"))
    pinned = case.name("7")._replace(digest=image.descriptor.digest)
    for reference in (case.name("7"), pinned, case.repository.with_digest(image.descriptor.digest)):
        found = case.store.resolve(reference)
        assert found.plain() == image.descriptor
        assert case.store.read(found) == image.raw
    assert case.store.has(image.descriptor)


def test_a_manifest_without_a_name_is_found_by_its_digest_alone(case: Case) -> None:
    image = sample_image("nameless")
    image.put(case.store)
    assert case.store.names() == []
    found = case.store.resolve(case.repository.with_digest(image.descriptor.digest))
    assert found.plain() == image.descriptor


def test_the_pin_decides_which_bytes_a_name_means(case: Case) -> None:
    old, new = sample_image("old"), sample_image("new")
    old.put(case.store, case.name("7"))
    new.put(case.store, case.name("7"))
    assert case.store.resolve(case.name("7")).digest == new.descriptor.digest
    if not case.keeps_nameless:
        old.put(case.store, case.name("kept"))
    pinned = case.name("7")._replace(digest=old.descriptor.digest)
    assert case.store.resolve(pinned).digest == old.descriptor.digest


def test_an_unknown_name_or_digest_is_not_found(case: Case) -> None:
    sample_image("known").put(case.store, case.name("7"))
    absent = Digest.of(b"absent")
    unknown = (case.name("8"), case.repository.with_digest(absent), case.name("7")._replace(digest=absent))
    for reference in unknown:
        with pytest.raises(NotFoundError) as caught:
            case.store.resolve(reference)
        assert caught.value.code == "image-not-found"
        assert caught.value.subject == str(reference)


def test_docker_media_types_and_bytes_are_kept_as_they_are(case: Case) -> None:
    image = sample_image("docker")
    raw = (
        image.raw.decode()
        .replace(media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST)
        .replace(media_types.OCI_CONFIG, media_types.DOCKER_CONFIG)
        .replace(media_types.OCI_LAYER_GZIP, media_types.DOCKER_LAYER_GZIP)
        .encode()
    )
    image.write_blobs(case.store)
    case.store.put_manifest(raw, Descriptor.of(raw, media_types.DOCKER_MANIFEST), reference=case.name("docker"))
    found = case.store.resolve(case.name("docker"))
    assert found.plain() == Descriptor.of(raw, media_types.DOCKER_MANIFEST)
    assert case.store.read(found) == raw


def test_a_manifest_is_refused_before_its_config_and_layers(case: Case) -> None:
    image = sample_image("early")
    for part in image.parts:
        with pytest.raises(ConflictError) as caught:
            case.store.put_manifest(image.raw, image.descriptor, reference=case.name("7"))
        assert caught.value.code == "missing-child"
        assert case.store.names() == []
        case.store.write(part, opening(image.content[part.digest]))
    case.store.put_manifest(image.raw, image.descriptor, reference=case.name("7"))
    assert case.tags() == ["7"]


def test_an_index_is_refused_before_its_manifests_and_stored_after_them(case: Case) -> None:
    images = [sample_image("amd"), sample_image("arm", arch="arm64")]
    raw, descriptor = sample_index(*images)
    images[0].put(case.store)
    with pytest.raises(ConflictError) as caught:
        case.store.put_manifest(raw, descriptor, reference=case.name("multi"))
    assert caught.value.code == "missing-child"
    images[1].put(case.store)
    case.store.put_manifest(raw, descriptor, reference=case.name("multi"))
    found = case.store.resolve(case.name("multi"))
    assert found.plain() == descriptor
    assert case.store.read(found) == raw


def test_a_manifest_that_is_not_what_its_descriptor_says_is_refused(case: Case) -> None:
    image, other = sample_image("one"), sample_image("two")
    image.write_blobs(case.store)
    with pytest.raises(IntegrityError):
        case.store.put_manifest(image.raw, other.descriptor, reference=case.name("7"))
    assert case.store.names() == []


@pytest.mark.parametrize("kind", ["memory", "layout"])
def test_a_layer_that_must_not_be_distributed_need_not_be_there(kind: str, tmp_path: Path) -> None:
    # A registry decides by its own settings which foreign layers it takes.
    case = local_case(kind, tmp_path)
    image = sample_image("foreign", layers=1)
    document = json.loads(image.raw)
    document["layers"].append(
        {
            "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "digest": str(Digest.of(b"elsewhere")),
            "size": 9,
            "urls": ["https://example.com/layer"],
        }
    )
    raw = json.dumps(document).encode()
    image.write_blobs(case.store)
    case.store.put_manifest(raw, Descriptor.of(raw, media_types.OCI_MANIFEST), reference=case.name("foreign"))
    assert case.tags() == ["foreign"]


def test_a_name_moves_to_the_last_manifest_and_putting_again_changes_nothing(case: Case) -> None:
    first, second = sample_image("first"), sample_image("second")
    first.put(case.store, case.name("7"))
    second.put(case.store, case.name("7"))
    second.put(case.store, case.name("7"))
    (stored,) = case.store.names()
    assert stored.reference == case.name("7")
    assert stored.descriptor.digest == second.descriptor.digest


def test_names_come_sorted_and_several_may_share_a_manifest(case: Case) -> None:
    image, other = sample_image("shared"), sample_image("alone")
    for tag in ("b", "c", "a"):
        image.put(case.store, case.name(tag))
    other.put(case.store, case.name("0"))
    assert case.tags() == ["0", "a", "b", "c"]
    assert {stored.descriptor.digest for stored in case.store.names()[1:]} == {image.descriptor.digest}


def test_removing_a_name_leaves_the_bytes_and_the_other_names(case: Case) -> None:
    first, second = sample_image("stays"), sample_image("goes")
    first.put(case.store, case.name("stays"))
    second.put(case.store, case.name("goes"))
    try:
        case.store.untag(case.name("goes"))
    except UnsupportedError as error:
        # Registries of this age remove manifests only, with all their names: then nothing may have happened.
        assert (error.code, case.tags()) == ("registry-cannot-untag", ["goes", "stays"])
    else:
        assert case.tags() == ["stays"]
    kept = (*first.parts, *second.parts) if case.keeps_nameless else first.parts
    assert all(case.store.has(part) for part in kept)
    with pytest.raises(NotFoundError) as caught:
        case.store.untag(case.name("never-there"))
    assert caught.value.code == "image-not-found"


def test_threads_that_store_the_same_image_at_once_all_succeed(case: Case) -> None:
    image = sample_image("threads", layers=3, layer_bytes=200_000)
    together = threading.Barrier(4)

    def put(tag: str) -> None:
        together.wait(timeout=30)
        image.put(case.store, case.name(tag))

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(put, ["a", "b", "c", "d"]))
    assert case.tags() == ["a", "b", "c", "d"]
    for part in image.parts:
        assert everything_in(case.store, part) == image.content[part.digest]
