# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""containerd's content, filled from a real registry: what is there is not fetched; archives stay small in memory."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest, parse_image_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.containerd import ContainerdStore
from ansible_collections.fleet.images.plugins.module_utils.stores.containerd_import import Import, import_image
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.wire.ctr import Ctr
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.support.containerd import Containerd, start_containerd
from ansible_collections.fleet.images.tests.support.images import make_image, push, push_image
from ansible_collections.fleet.images.tests.support.memory_engine import descriptor_of
from ansible_collections.fleet.images.tests.support.registry import Registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.fleet.images.plugins.module_utils.stores.base import ContentStore

HOST = Platform.of("linux", "amd64")


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    with start_containerd(tmp_path_factory.mktemp("c")) as daemon:
        yield daemon


@pytest.fixture
def namespace(containerd: Containerd) -> str:
    return containerd.new_namespace()


@pytest.fixture
def store(containerd: Containerd, namespace: str, tmp_path: Path) -> ContainerdStore:
    ctr = Ctr(containerd.address, namespace=namespace, timeout=30)
    return ContainerdStore(ctr, LayoutStore(tmp_path / "staging", create=True))


def copied(blob: Descriptor, source: ContentStore, target: ContentStore) -> bool:
    return target.write(blob, lambda offset: source.open(blob, offset))


def fetch(store: ContainerdStore, registry: Registry, name: str) -> tuple[Manifest, list[str]]:
    """Bring an image from the registry and name it; return its manifest and the digests of the blobs that moved."""
    reference = parse_reference(registry.reference(name))
    with Registries(RegistrySettings(retry_delay=0.01), CredentialSource(environ={})) as registries:
        source = registries.store(reference)
        raw, descriptor = source.fetch_manifest(reference)
        manifest = parse_image_manifest(raw, media_type=descriptor.media_type)
        moved = [str(blob.digest) for blob in manifest.moved_blobs() if copied(blob, source, store)]
    store.put_manifest(raw, descriptor)
    store.publish(reference, identity=Identity(descriptor.digest, manifest.config.digest), host=HOST)
    return manifest, moved


def test_an_image_comes_from_a_registry_and_goes_back_to_one(
    store: ContainerdStore, shared_registry: Registry, containerd: Containerd, namespace: str
) -> None:
    made = push_image(shared_registry, "ctr/one", random_bytes=200_000, layers=2)
    manifest, moved = fetch(store, shared_registry, "ctr/one")
    name = shared_registry.reference("ctr/one")
    assert moved == [made.config.digest, *(layer.digest for layer in made.layers)]
    assert containerd.digests(namespace) == {name: made.digest}
    assert b"complete (3/3)" in containerd.ctr("images", "check", namespace=namespace)
    assert store.staged() == frozenset()
    further = parse_reference(shared_registry.reference("ctr/back"))
    with Registries(RegistrySettings(retry_delay=0.01), CredentialSource(environ={})) as registries:
        target = registries.store(further)
        for blob in manifest.moved_blobs():
            assert copied(blob, store, target)
        target.put_manifest(manifest.raw, manifest.descriptor, reference=further)
    assert shared_registry.digest("ctr/back", "latest") == made.digest


def test_a_layer_that_containerd_holds_does_not_move_again(store: ContainerdStore, shared_registry: Registry) -> None:
    small = make_image({"a": b"shared"}, random_bytes=50_000, layers=1)
    large = make_image({"a": b"shared"}, random_bytes=50_000, layers=2)
    push(shared_registry, "ctr/small", small)
    push(shared_registry, "ctr/large", large)
    fetch(store, shared_registry, "ctr/small")
    assert fetch(store, shared_registry, "ctr/large")[1] == [large.config.digest, large.layers[1].digest]


def test_what_another_task_brought_in_meanwhile_is_found_there(
    store: ContainerdStore, shared_registry: Registry, containerd: Containerd, namespace: str
) -> None:
    push_image(shared_registry, "ctr/twice", random_bytes=1000, seed=5)
    name, further = (parse_reference(shared_registry.reference(f"ctr/{path}")) for path in ("twice", "further"))
    other = ContainerdStore(Ctr(containerd.address, namespace=namespace, timeout=30), store._staging)
    with Registries(RegistrySettings(retry_delay=0.01), CredentialSource(environ={})) as registries:
        source = registries.store(name)
        raw, descriptor = source.fetch_manifest(name)
        manifest = parse_image_manifest(raw, media_type=descriptor.media_type)
        assert all(copied(blob, source, other) for blob in manifest.moved_blobs())
    fetch(store, shared_registry, "ctr/twice")
    assert store.staged() == frozenset()
    other.put_manifest(raw, descriptor)
    other.publish(further, identity=Identity(descriptor.digest, manifest.config.digest), host=HOST)
    assert set(containerd.digests(namespace)) == {str(name), str(further)}


def test_what_containerd_threw_away_is_told_when_it_is_to_be_sent(
    store: ContainerdStore, shared_registry: Registry, containerd: Containerd, namespace: str
) -> None:
    made = push_image(shared_registry, "ctr/discarded", random_bytes=1000, seed=4)
    fetch(store, shared_registry, "ctr/discarded")
    containerd.ctr("content", "rm", made.layers[0].digest, namespace=namespace)
    again = ContainerdStore(Ctr(containerd.address, namespace=namespace, timeout=30), store._staging)
    with pytest.raises(NotFoundError) as caught:
        again.open(descriptor_of(made.layers[0]))
    assert caught.value.code == "blob-not-found"
    assert "discard_unpacked_layers" in caught.value.why


def test_an_image_whose_layers_are_nowhere_gets_no_name(
    store: ContainerdStore, containerd: Containerd, namespace: str
) -> None:
    made = make_image({"a": b"nowhere"})
    content = {made.manifest.digest: made.manifest.data, made.config.digest: made.config.data}
    manifest = parse_image_manifest(made.manifest.data)
    image = Import("r.test/app:1", manifest, None, None, False, lambda part: io.BytesIO(content[str(part.digest)]))
    ctr = Ctr(containerd.address, namespace=namespace, timeout=30)
    with pytest.raises(KeyError):
        import_image(image, ctr=ctr)
    with pytest.raises(ConflictError) as caught:
        store.put_manifest(made.manifest.data, descriptor_of(made.manifest), reference=parse_reference("r.test/app:1"))
    assert caught.value.code == "missing-child"
    assert containerd.digests(namespace) == {}
    import_image(image._replace(manifest=manifest._replace(layers=())), ctr=ctr)
    assert list(containerd.digests(namespace)) == ["r.test/app:1"]


class Zeros(io.RawIOBase):
    """So many zero bytes that are nowhere."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        piece = bytes(min(size, self._left))
        self._left -= len(piece)
        return piece


class Recorded(Ctr):
    """Takes archives, and keeps where their files begin instead of their bytes."""

    def __init__(self) -> None:
        super().__init__("/nowhere", namespace="default", timeout=1)
        self.members: list[list[tuple[str, int]]] = []

    def content(self) -> frozenset[str]:
        return self.all

    def run(self, *words: str, stdin: t.Any = None, seconds: float = 0) -> bytes:
        if stdin is not None:
            with tarfile.open(fileobj=t.cast("t.Any", Pieces(stdin)), mode="r|") as archive:
                self.members.append([(member.name, member.size) for member in archive])
        return b""

    all: frozenset[str] = frozenset()


class Pieces(io.RawIOBase):
    """A file of what an iterator yields."""

    def __init__(self, pieces: t.Iterator[bytes]) -> None:
        super().__init__()
        self._pieces, self._rest = pieces, b""

    def read(self, size: int = -1, /) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        head, self._rest = self._rest[:size], self._rest[size:]
        return head


def test_an_archive_takes_memory_that_does_not_grow_with_the_image() -> None:
    size = 300_000_000
    made = make_image({"a": b"large"})
    manifest = parse_image_manifest(made.manifest.data)
    layer = manifest.layers[0]._replace(size=size)
    manifest = manifest._replace(layers=(layer,))

    def open_part(part: Descriptor) -> t.Any:
        small = {manifest.descriptor.digest: made.manifest.data, manifest.config.digest: made.config.data}
        return Zeros(size) if part.digest == layer.digest else io.BytesIO(small[part.digest])

    ctr = Recorded()
    tracemalloc.start()
    with pytest.raises(ConflictError):  # nothing of it is there afterwards
        import_image(Import("r.test/large:1", manifest, None, HOST, True, open_part), ctr=ctr)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    (members,) = ctr.members
    assert members[0][0] == "oci-layout"
    assert (f"blobs/sha256/{layer.digest.encoded}", size) in members
    assert members[-1][0] == "index.json"
    assert peak < 20_000_000
