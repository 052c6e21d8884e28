# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""skopeo and umoci, which nobody here wrote, agree with what the embedded store holds."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.content_graph import children_of
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import make_image, make_index, push
from ansible_collections.fleet.images.tests.support.registry import Registry, start_registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
    from ansible_collections.fleet.images.plugins.module_utils.stores.base import ContentStore


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Serve two images whose tag is the same, one with layers of its own and of the other, and an index."""
    with start_registry(tmp_path_factory.mktemp("registry")) as running:
        push(running, "team/one", make_image(layers=3, random_bytes=50_000, seed=1), tag="latest")
        push(running, "team/two", make_image({"two": b"2"}, layers=2, random_bytes=5000, seed=2), tag="latest")
        push(running, "team/old", make_image({"old": b"0"}, layers=2, random_bytes=5000, seed=3), tag="1")
        push(
            running,
            "team/multi",
            make_index([make_image({"arch": b"a"}), make_image({"arch": b"b"}, platform="linux/arm64")]),
            tag="1",
        )
        yield running


@pytest.fixture
def registries() -> Iterator[Registries]:
    with Registries(credentials=CredentialSource(environ={})) as made:
        yield made


def bring(source: ContentStore, target: LayoutStore, reference: Reference) -> Descriptor:
    """Copy an image, or an index with its images, and give it the same name."""
    top = source.resolve(reference)
    _bring(source, target, top, reference)
    return top


def _bring(source: ContentStore, target: LayoutStore, top: Descriptor, reference: Reference | None) -> None:
    raw = source.read(top)
    for child in children_of(raw, top):
        if child.media_type.endswith("manifest.v1+json"):
            _bring(source, target, child, None)
        else:
            target.write(child, lambda offset, child=child: source.open(child, offset))  # type: ignore[misc]
    target.put_manifest(raw, top, reference=reference)


def fill(root: Path, registry: Registry, registries: Registries) -> dict[Reference, Descriptor]:
    """Bring all that the registry serves into a new store at ``root``."""
    store = LayoutStore(root, create=True)
    names = ("team/one:latest", "team/two:latest", "team/old:1", "team/multi:1")
    references = [parse_reference(f"{registry.host}/{name}") for name in names]
    return {reference: bring(registries.store(reference), store, reference) for reference in references}


def blobs_in(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "blobs/sha256").iterdir()}


def test_skopeo_finds_every_image_by_its_full_name_and_copies_it(
    tmp_path: Path, registry: Registry, registries: Registries
) -> None:
    brought = fill(tmp_path / "store", registry, registries)
    for number, (reference, descriptor) in enumerate(brought.items()):
        address = f"oci:{tmp_path}/store:{reference}"
        assert skopeo.manifest_digest(address) == str(descriptor.digest)
        skopeo.copy(address, f"oci:{tmp_path}/copy-{number}:x", all_platforms=True)
        assert skopeo.manifest_digest(f"oci:{tmp_path}/copy-{number}:x") == str(descriptor.digest)
    assert skopeo.umoci_names(tmp_path / "store") == sorted(str(reference) for reference in brought)


def test_a_name_with_a_digest_alone_and_a_second_name_are_found_by_skopeo(
    tmp_path: Path, registry: Registry, registries: Registries
) -> None:
    (reference, descriptor), *_ = fill(tmp_path / "store", registry, registries).items()
    store = LayoutStore(tmp_path / "store")
    pinned, local = reference.with_digest(descriptor.digest), parse_reference("local-name:1")
    for name in (pinned, local):
        store.put_manifest(store.read(descriptor), descriptor, reference=name)
        assert skopeo.manifest_digest(f"oci:{tmp_path}/store:{name}") == str(descriptor.digest)


def test_we_hold_the_same_blobs_as_skopeo_after_pulling_the_same_images(
    tmp_path: Path, registry: Registry, registries: Registries
) -> None:
    brought = fill(tmp_path / "ours", registry, registries)
    for reference in brought:
        skopeo.copy(f"docker://{reference}", f"oci:{tmp_path}/theirs:{reference}", all_platforms=True)
    assert blobs_in(tmp_path / "ours") == blobs_in(tmp_path / "theirs")


def test_umoci_finds_nothing_to_remove_after_our_collection(
    tmp_path: Path, registry: Registry, registries: Registries
) -> None:
    *kept, old, multi = fill(tmp_path / "store", registry, registries)
    store = LayoutStore(tmp_path / "store")
    before = blobs_in(tmp_path / "store")
    store.untag(old)
    freed = store.collect(0)
    after = blobs_in(tmp_path / "store")
    assert {digest.encoded for digest in freed.digests} == before.keys() - after.keys() != set()
    assert freed.bytes == sum(len(before[name]) for name in before.keys() - after.keys())
    skopeo.umoci_collect(tmp_path / "store")
    assert blobs_in(tmp_path / "store") == after
    assert [stored.reference for stored in store.names()] == sorted([*kept, multi], key=str)


def test_we_collect_exactly_what_umoci_collects(tmp_path: Path, registry: Registry, registries: Registries) -> None:
    for side in ("ours", "theirs"):
        *_, old, _multi = fill(tmp_path / side, registry, registries)
        LayoutStore(tmp_path / side).untag(old)
    LayoutStore(tmp_path / "ours").collect(0)
    skopeo.umoci_collect(tmp_path / "theirs")
    assert blobs_in(tmp_path / "ours") == blobs_in(tmp_path / "theirs")


def test_what_umoci_removes_of_an_image_of_docker_types_is_told_and_mended(
    tmp_path: Path, registry: Registry, registries: Registries
) -> None:
    # umoci 0.4 walks OCI media types only. Should a newer one fail this, the docstring of the store needs a change.
    push(registry, "team/docker", make_image(layers=2, random_bytes=1000, seed=4, docker=True), tag="1")
    reference = parse_reference(f"{registry.host}/team/docker:1")
    store = LayoutStore(tmp_path / "store", create=True)
    bring(registries.store(reference), store, reference)
    before = blobs_in(tmp_path / "store")
    skopeo.umoci_collect(tmp_path / "store")
    (image,) = store.images()
    assert {digest.encoded for digest in image.missing} == before.keys() - blobs_in(tmp_path / "store").keys()
    assert len(image.missing) == 3
    bring(registries.store(reference), store, reference)
    assert blobs_in(tmp_path / "store") == before
    assert [row.missing for row in store.images()] == [()]


def test_we_read_what_skopeo_wrote_under_a_tag_alone_and_under_a_full_name(tmp_path: Path, registry: Registry) -> None:
    source = f"docker://{registry.host}/team/one:latest"
    skopeo.copy(source, f"oci:{tmp_path}/theirs:v1")
    skopeo.copy(source, f"oci:{tmp_path}/theirs:quay.io/team/one:v2")
    store = LayoutStore(tmp_path / "theirs")
    assert [str(stored.reference) for stored in store.names()] == ["localhost/layout:v1", "quay.io/team/one:v2"]
    (image,) = store.images()
    assert str(image.descriptor.digest) == registry.digest("team/one", "latest")
    assert image.missing == ()
    assert image.manifest is not None
    assert len(image.manifest.layers) == 3


def test_skopeo_and_we_write_one_store_in_turn_and_keep_each_others_entries(
    tmp_path: Path, registry: Registry, registries: Registries
) -> None:
    root = tmp_path / "store"
    one, two = (parse_reference(f"{registry.host}/team/{name}:latest") for name in ("one", "two"))
    bring(registries.store(one), LayoutStore(root, create=True), one)
    skopeo.copy(f"docker://{two}", f"oci:{root}:theirs")
    skopeo.copy(f"docker://{two}", f"oci:{root}:{one}")
    store = LayoutStore(root)
    theirs = registry.digest("team/two", "latest")
    assert {str(stored.reference): str(stored.descriptor.digest) for stored in store.names()} == {
        str(one): theirs,
        "localhost/layout:theirs": theirs,
    }
    bring(registries.store(one), store, one)
    assert skopeo.manifest_digest(f"oci:{root}:{one}") == registry.digest("team/one", "latest")
    assert skopeo.manifest_digest(f"oci:{root}:theirs") == theirs


def test_umoci_unpacks_the_files_that_were_pushed(tmp_path: Path, registry: Registry, registries: Registries) -> None:
    _, two, *_ = fill(tmp_path / "store", registry, registries)
    root = skopeo.umoci_unpack(tmp_path / "store", str(two), tmp_path / "bundle")
    assert (root / "two").read_bytes() == b"2"


def test_the_marker_and_the_index_are_what_the_specification_says(
    tmp_path: Path, registry: Registry, registries: Registries
) -> None:
    brought = fill(tmp_path / "store", registry, registries)
    assert json.loads((tmp_path / "store/oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((tmp_path / "store/index.json").read_bytes())
    assert index["schemaVersion"] == 2
    assert len(index["manifests"]) == len(brought)
    for entry in index["manifests"]:
        name = entry["annotations"]["org.opencontainers.image.ref.name"]
        assert entry["annotations"]["io.containerd.image.name"] == name
        assert entry["digest"] == str(brought[parse_reference(name)].digest)
