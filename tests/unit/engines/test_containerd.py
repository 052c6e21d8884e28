# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The containerd engine on a real containerd: what it says is cross-checked by ctr, and nothing is half-named."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.containerd import ContainerdEngine
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    ImagesError,
    NotFoundError,
    PeerError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Container, Identity, LocalImage, Look
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.containerd import ContainerdStore
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.plugins.module_utils.wire.ctr import Ctr
from ansible_collections.fleet.images.tests.support.containerd import Containerd, start_containerd
from ansible_collections.fleet.images.tests.support.images import (
    Blob,
    MadeImage,
    MadeIndex,
    make_image,
    make_index,
)
from ansible_collections.fleet.images.tests.support.memory_engine import descriptor_of, opening

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ARM64, AMD64, I386 = "linux/arm64", "linux/amd64", "linux/386"
ONE = make_image({"one.txt": b"1"}, labels={"key": "one"})
TWO = make_image({"two.txt": b"2"}, docker=True)
BOTH = make_index(
    [make_image({"a": name.encode()}, platform=name, layers=2) for name in (AMD64, I386, ARM64)]
)
AMD, _I386, ARM = BOTH.images


@pytest.fixture(scope="module")
def containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containerd]:
    with start_containerd(tmp_path_factory.mktemp("c")) as daemon:
        yield daemon


class Host(t.NamedTuple):
    """One namespace of a containerd, and the engine on it."""

    daemon: Containerd
    namespace: str
    staging: Path

    @property
    def engine(self) -> ContainerdEngine:
        ctr = Ctr(self.daemon.address, namespace=self.namespace, timeout=30)
        return ContainerdEngine(ctr, content=self.content)

    def content(self, create: bool = True) -> ContainerdStore:
        ctr = Ctr(self.daemon.address, namespace=self.namespace, timeout=30)
        return ContainerdStore(ctr, LayoutStore(self.staging, create=create))

    def ctr(self, *words: str) -> str:
        return self.daemon.ctr(*words, namespace=self.namespace).decode()

    def names(self) -> dict[str, str]:
        return self.daemon.digests(self.namespace)

    def held(self) -> set[str]:
        return self.daemon.content(self.namespace)

    def check(self, name: str) -> list[str]:
        """Return what ``ctr images check`` says of an image: complete or not, and whether it is unpacked."""
        (row,) = [line.split() for line in self.ctr("images", "check").splitlines() if line.startswith(f"{name} ")]
        return [row[3], row[-1]]

    def stage(self, made: MadeImage, index: MadeIndex | None = None) -> None:
        content = self.content()
        for blob in (made.config, *made.layers):
            content.write(descriptor_of(blob), opening(blob.data))
        if index is not None:
            content.write(descriptor_of(index.manifest), opening(index.manifest.data))
        content.put_manifest(made.manifest.data, descriptor_of(made.manifest))

    def pull(self, name: str, made: MadeImage, index: MadeIndex | None = None) -> None:
        self.stage(made, index)
        self.engine.tag(parse_reference(name), identity=identity_of(made, index), platform=None)

    def image(self, name: str, *, detailed: bool = False) -> LocalImage:
        reference = parse_reference(name)
        look = Look(details_of=frozenset([reference])) if detailed else Look()
        found = self.engine.observe(look).find(reference)
        assert found is not None, name
        return found


@pytest.fixture
def host(containerd: Containerd, tmp_path: Path) -> Host:
    return Host(containerd, containerd.new_namespace(), tmp_path / "staging")


def identity_of(made: MadeImage, index: MadeIndex | None = None) -> Identity:
    return Identity(
        Digest.parse(made.digest),
        Digest.parse(made.config.digest),
        Digest.parse(index.digest) if index is not None else None,
    )


def parts_of(made: MadeImage) -> set[str]:
    return {made.manifest.digest, made.config.digest, *(layer.digest for layer in made.layers)}


def staged(host: Host) -> list[str]:
    return [path.name for path in host.staging.glob("blobs/*/*")]


def test_a_namespace_that_does_not_exist_is_empty_and_looking_makes_nothing(host: Host) -> None:
    observed = host.engine.observe(Look(containers=True))
    assert (observed.images, observed.blobs, observed.engine) == ((), frozenset(), "containerd")
    assert host.namespace not in host.daemon.ctr("namespaces", "ls", "-q").decode().split()
    assert not host.staging.exists()
    host.engine.untag(parse_reference("never:1"))


def test_an_image_is_imported_complete_unpacked_and_named_in_full(host: Host) -> None:
    host.pull("app:1", ONE)
    assert host.names() == {"docker.io/library/app:1": ONE.digest}
    assert host.check("docker.io/library/app:1") == ["complete", "true"]
    assert parts_of(ONE) <= host.held()
    assert staged(host) == []
    image = host.image("app:1")
    assert (image.id, image.identity) == (ONE.digest, Identity(Digest.parse(ONE.digest)))


def test_docker_media_types_are_kept(host: Host) -> None:
    host.pull("r.test/app:2", TWO)
    assert host.names() == {"r.test/app:2": TWO.digest}
    assert host.check("r.test/app:2") == ["complete", "true"]


def test_an_image_chosen_from_an_index_is_named_by_the_index(host: Host) -> None:
    host.pull("app:1", AMD, BOTH)
    assert host.names() == {"docker.io/library/app:1": BOTH.digest}
    assert host.check("docker.io/library/app:1") == ["complete", "true"]
    assert host.held() >= parts_of(AMD) | {BOTH.digest}
    assert ARM.digest not in host.held()
    assert host.image("app:1").identity == Identity(index_digest=Digest.parse(BOTH.digest))


def test_details_are_read_for_the_images_that_are_asked_for(host: Host) -> None:
    host.pull("app:1", ONE)
    host.pull("multi:1", AMD, BOTH)
    named = [parse_reference("app:1"), parse_reference("multi:1"), parse_reference("never:1")]
    observed = host.engine.observe(Look(details_of=frozenset(named)))
    one, multi = observed.by_name[named[0]], observed.by_name[named[1]]
    assert (one.identity, multi.identity) == (identity_of(ONE), identity_of(AMD, BOTH))
    assert (str(one.platform), str(multi.platform)) == (AMD64, AMD64)
    assert (one.labels, one.created) == ({"key": "one"}, "2026-01-01T00:00:00Z")
    assert one.size == len(ONE.config.data) + len(ONE.layers[0].data)
    assert one.is_complete
    plain = host.engine.observe(Look(details_of=frozenset([named[0]]))).by_name[named[1]]
    assert (plain.platform, plain.labels) == (None, {})


def test_an_image_of_another_platform_is_held_and_not_unpacked(host: Host) -> None:
    host.pull("app:arm", ARM, BOTH)
    host.pull("plain:arm", ARM)
    assert host.names() == {"docker.io/library/app:arm": BOTH.digest, "docker.io/library/plain:arm": ARM.digest}
    assert host.held() >= parts_of(ARM) | {BOTH.digest}
    assert str(host.image("app:arm", detailed=True).platform) == ARM64
    assert str(host.image("plain:arm", detailed=True).platform) == ARM64


def test_two_platforms_of_one_index_stay_both_and_are_told_apart(host: Host) -> None:
    host.pull("app:arm", ARM, BOTH)
    host.pull("app:amd", AMD, BOTH)
    host.pull("app:arm-again", ARM, BOTH)
    host.pull("other:1", ONE)
    host.engine.untag(parse_reference("other:1"))  # lets containerd collect what it thinks nobody needs
    assert host.held() == parts_of(ARM) | parts_of(AMD) | {BOTH.digest}
    assert [str(host.image(name, detailed=True).platform) for name in ("app:arm", "app:amd", "app:arm-again")] == [
        ARM64,
        AMD64,
        ARM64,
    ]
    assert host.check("docker.io/library/app:amd") == ["complete", "true"]


def test_a_name_changes_its_platform(host: Host) -> None:
    host.pull("app:1", AMD, BOTH)
    host.pull("app:1", ARM, BOTH)
    assert str(host.image("app:1", detailed=True).platform) == ARM64
    host.pull("app:1", AMD, BOTH)
    assert str(host.image("app:1", detailed=True).platform) == AMD64
    assert host.held() == parts_of(AMD) | {BOTH.digest}


def test_what_is_held_or_staged_need_not_be_fetched(host: Host) -> None:
    host.pull("app:1", ONE)
    host.stage(TWO)
    blobs = {str(digest) for digest in host.engine.observe().blobs}
    assert blobs == host.held() | parts_of(TWO)
    assert all(host.content().write(descriptor_of(blob), refuse) is False for blob in (*ONE.layers, *TWO.layers))


def refuse(offset: int) -> t.NoReturn:
    raise AssertionError(f"opened at {offset}")


def test_layers_that_containerd_has_are_not_sent_again(host: Host) -> None:
    big = make_image({"a": b"a"}, random_bytes=300_000, layers=1)
    more = make_image({"a": b"a"}, random_bytes=300_000, layers=2)
    host.pull("app:1", big)
    content = host.content()
    for blob in (more.config, *more.layers):
        content.write(descriptor_of(blob), opening(blob.data))
    assert big.layers[0].digest.partition(":")[2] not in staged(host)
    host.pull("app:2", more)
    assert host.check("docker.io/library/app:2") == ["complete", "true"]


def test_namespaces_are_kept_apart(host: Host, tmp_path: Path) -> None:
    other = Host(host.daemon, host.daemon.new_namespace(), tmp_path / "other")
    host.pull("app:1", ONE)
    assert other.engine.observe().images == ()
    assert other.engine.observe().blobs == frozenset()
    other.pull("app:1", TWO)
    other.engine.untag(parse_reference("app:1"))
    assert host.names() == {"docker.io/library/app:1": ONE.digest}


def test_a_name_moves_and_the_former_image_keeps_its_other_names(host: Host) -> None:
    host.pull("app:1", ONE)
    host.engine.tag(parse_reference("app:kept"), identity=identity_of(ONE), platform=None)
    host.pull("app:1", TWO)
    host.pull("app:1", TWO)
    assert host.names() == {"docker.io/library/app:1": TWO.digest, "docker.io/library/app:kept": ONE.digest}
    assert host.check("docker.io/library/app:kept") == ["complete", "true"]


def test_an_image_on_the_host_gets_a_further_name_by_what_the_list_tells_of_it(host: Host) -> None:
    host.pull("app:1", AMD, BOTH)
    source = host.image("app:1").identity
    host.engine.tag(parse_reference("r.test/further:1"), identity=source, platform=None)
    host.engine.tag(parse_reference("r.test/further:1"), identity=source, platform=None)
    host.engine.tag(parse_reference(f"r.test/pin@{BOTH.digest}"), identity=identity_of(AMD, BOTH), platform=None)
    assert host.names() == dict.fromkeys(
        ["docker.io/library/app:1", "r.test/further:1", f"r.test/pin@{BOTH.digest}"], BOTH.digest
    )
    host.pull("r.test/further:1", ONE)
    host.engine.tag(parse_reference("r.test/further:1"), identity=source, platform=None)
    assert host.names()["r.test/further:1"] == BOTH.digest


@pytest.mark.parametrize("index", [None, BOTH], ids=["manifest", "index"])
def test_an_image_that_is_not_held_cannot_be_named(host: Host, index: MadeIndex | None) -> None:
    for identity in (identity_of(AMD, index), Identity(index_digest=Digest.parse(BOTH.digest))):
        with pytest.raises(NotFoundError):
            host.engine.tag(parse_reference("app:1"), identity=identity, platform=None)
    assert host.names() == {}


def test_digests_beside_a_tag_and_handles_are_no_names(host: Host) -> None:
    host.pull("r.test/app:1", ONE)
    for further in (f"r.test/app@{ONE.digest}", f"r.test/other@{ONE.digest}", ONE.config.digest, "odd"):
        host.ctr("images", "tag", "r.test/app:1", further)
    (image,) = host.engine.observe().images
    assert list(map(str, image.names)) == ["r.test/app:1", f"r.test/other@{ONE.digest}"]
    assert list(map(str, image.digest_names)) == [f"r.test/app@{ONE.digest}"]
    assert image.identity == Identity(Digest.parse(ONE.digest), Digest.parse(ONE.config.digest))


def test_with_the_last_tag_go_digests_and_handles_and_content(host: Host) -> None:
    host.pull("r.test/app:1", AMD, BOTH)
    for further in ("r.test/app:2", f"r.test/app@{BOTH.digest}", AMD.config.digest):
        host.ctr("images", "tag", "r.test/app:1", further)
    host.engine.untag(parse_reference("r.test/app:1"))
    assert sorted(host.names()) == sorted(["r.test/app:2", f"r.test/app@{BOTH.digest}", AMD.config.digest])
    host.engine.untag(parse_reference("r.test/app:2"))
    assert host.names() == {}
    assert host.held() == set()
    assert host.engine.observe().images == ()


def test_an_image_with_a_name_elsewhere_keeps_its_handle(host: Host) -> None:
    host.pull("r.test/app:1", ONE)
    for further in ("r.test/other:1", ONE.config.digest):
        host.ctr("images", "tag", "r.test/app:1", further)
    host.engine.untag(parse_reference("r.test/app:1"))
    assert sorted(host.names()) == ["r.test/other:1", ONE.config.digest]


def test_containers_keep_the_last_name_unless_it_may_go(host: Host) -> None:
    host.pull("app:1", ONE)
    host.pull("app:free", TWO)
    host.ctr("containers", "create", "docker.io/library/app:1", "box")
    image = host.engine.observe(Look(containers=True)).by_name[parse_reference("app:1")]
    assert image.used_by == (Container("box", holds_image=False),)
    assert host.engine.observe().by_name[parse_reference("app:1")].used_by == ()
    with pytest.raises(ConflictError) as caught:
        host.engine.untag(parse_reference("app:1"))
    assert (caught.value.code, "box" in caught.value.why) == ("engine-conflict", True)
    assert "docker.io/library/app:1" in host.names()
    host.engine.tag(parse_reference("app:2"), identity=identity_of(ONE), platform=None)
    host.engine.untag(parse_reference("app:2"))
    host.engine.untag(parse_reference("app:1"), is_used=True)
    assert list(host.names()) == ["docker.io/library/app:free"]
    assert host.ctr("containers", "ls", "-q").split() == ["box"]


def test_an_imported_image_runs(host: Host, needs: t.Callable[..., None]) -> None:
    needs("busybox")
    busybox = make_image({"bin/busybox": Path("/bin/busybox").read_bytes()}, command=("/bin/busybox", "true"))
    host.pull("run:1", make_index([busybox, ARM]).images[0], make_index([busybox, ARM]))
    host.ctr("run", "--rm", "--null-io", "docker.io/library/run:1", f"{host.namespace}-box")


def test_an_image_is_described(host: Host) -> None:
    host.pull("app:1", AMD, BOTH)
    image = host.image("app:1")
    told = host.engine.describe(image)
    assert told.config["Cmd"] == ["/bin/sh"]
    assert [step["created_by"] for step in told.history] == ["layer 0", "layer 1"]
    assert told.layers == tuple(layer.digest for layer in AMD.layers)
    host.engine.untag(parse_reference("app:1"))
    with pytest.raises(NotFoundError) as caught:
        host.engine.describe(image)
    assert caught.value.code == "image-not-found"


def test_a_lost_document_is_told_as_missing_and_mended(host: Host) -> None:
    host.pull("app:1", AMD, BOTH)
    host.ctr("content", "rm", AMD.config.digest)
    lost = host.image("app:1", detailed=True)
    assert [str(digest) for digest in lost.missing] == [AMD.config.digest]
    host.ctr("content", "rm", BOTH.digest)
    host.ctr("images", "tag", "docker.io/library/app:1", "collect")
    host.ctr("images", "rm", "--sync", "collect")  # containerd collects what nothing leads to, now and not some time
    assert [str(digest) for digest in host.image("app:1").missing] == [BOTH.digest]
    host.pull("app:1", AMD, BOTH)
    assert host.image("app:1", detailed=True).is_complete
    assert host.check("docker.io/library/app:1") == ["complete", "true"]


def test_a_layer_that_is_no_archive_leaves_no_name(host: Host) -> None:
    broken = make_image({"a": b"broken"})
    blob = Blob(broken.layers[0].media_type, b"no archive at all")
    raw = broken.manifest.data.replace(broken.layers[0].digest.encode(), blob.digest.encode())
    raw = raw.replace(b'"size":%d' % len(broken.layers[0].data), b'"size":%d' % len(blob.data))
    broken = MadeImage(Blob(broken.manifest.media_type, raw), broken.config, (blob,), AMD64)
    host.pull("app:1", ONE)
    with pytest.raises(PeerError) as caught:
        host.pull("app:1", broken)
    assert caught.value.code == "engine-failed"
    assert "images import" in caught.value.why
    assert host.names() == {"docker.io/library/app:1": ONE.digest}
    assert host.check("docker.io/library/app:1") == ["complete", "true"]


def test_free_space_is_told_where_containerd_keeps_its_data(host: Host) -> None:
    space = host.engine.space()
    assert space is not None
    assert space.path == str(host.daemon.data)
    assert space.free > 0


def test_reclaiming_keeps_what_was_fetched_a_moment_ago(host: Host) -> None:
    assert host.engine.reclaim() == 0
    host.stage(ONE)
    assert host.engine.reclaim() == 0
    host.pull("app:1", ONE)
    assert host.check("docker.io/library/app:1") == ["complete", "true"]


def test_a_containerd_that_dies_during_an_import_leaves_no_name_and_the_next_import_works(tmp_path: Path) -> None:
    with start_containerd(tmp_path / "c") as daemon:
        host = Host(daemon, "default", tmp_path / "staging")
        host.pull("app:1", ONE)
        big = make_image({"a": b"big"}, random_bytes=4_000_000, layers=2)
        host.stage(big)
        content = host.content()

        def dying(create: bool) -> ContainerdStore:
            content.open = killing(daemon, content.open)  # type: ignore[method-assign]
            return content

        engine = ContainerdEngine(Ctr(daemon.address, namespace="default", timeout=30), content=dying)
        with pytest.raises(UnavailableError) as caught:
            engine.tag(parse_reference("app:1"), identity=identity_of(big), platform=None)
        assert caught.value.code == "engine-connection-lost"
        with pytest.raises(ImagesError) as down:
            host.engine.observe()
        assert down.value.code == "engine-unreachable"
        daemon.start()
        assert host.names() == {"docker.io/library/app:1": ONE.digest}
        assert host.check("docker.io/library/app:1") == ["complete", "true"]
        host.pull("app:1", big)
        assert host.names() == {"docker.io/library/app:1": big.digest}
        assert host.check("docker.io/library/app:1") == ["complete", "true"]


def killing(daemon: Containerd, open_blob: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """Return what opens blobs, and kills ``daemon`` before the first large one."""

    def opened(descriptor: t.Any, offset: int = 0) -> t.Any:
        if descriptor.size > 1_000_000:
            daemon.kill()
        return open_blob(descriptor, offset)

    return opened
