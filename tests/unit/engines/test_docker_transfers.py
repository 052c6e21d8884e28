# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls and pushes by a real Docker daemon, at real registries: what moves, what it is called, and what goes wrong."""

from __future__ import annotations

import json
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.docker import DockerEngine
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    ImagesError,
    PeerError,
    UnavailableError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential
from ansible_collections.fleet.images.tests.support.docker_engine import engine_at
from ansible_collections.fleet.images.tests.support.dockerd import Dockerd, start_dockerd
from ansible_collections.fleet.images.tests.support.images import (
    DOCUMENT_TYPES,
    make_image,
    make_index,
    push,
    push_image,
    push_index,
    request,
)
from ansible_collections.fleet.images.tests.support.programs import run
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions
from ansible_collections.fleet.images.tests.support.slow_link import SlowLink

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference
    from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
WORDS = "a long and unlikely pass phrase"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    with start_dockerd(tmp_path_factory.mktemp("docker")) as daemon:
        yield daemon


@pytest.fixture
def engine(daemon: Dockerd) -> Iterator[DockerEngine]:
    engine = engine_at(daemon.address)
    yield engine
    engine.close()


def at(host: str, repository: str, made: MadeImage | MadeIndex) -> Reference:
    """Return the name by digest of an image at a registry."""
    return parse_reference(f"{host}/{repository}@{made.digest}")


def pull(
    engine: DockerEngine,
    name: str,
    source: Reference,
    *,
    platform: Platform | None = None,
    deadline: float | None = None,
) -> int:
    return engine.pull(parse_reference(name), source=source, platform=platform, deadline=deadline)


def test_a_pull_tells_how_far_each_layer_is(
    engine: DockerEngine, daemon: Dockerd, shared_registry: Registry
) -> None:
    first = make_image({"a": b"shared"}, layers=2, random_bytes=2 << 20, seed=7001)
    second = make_image({"a": b"shared"}, layers=3, random_bytes=2 << 20, seed=7001)
    heard: list[tuple[str, int | None]] = []
    for name, made in (("first", first), ("second", second)):
        heard.clear()
        push(shared_registry, f"told/{name}", made)
        source = at(shared_registry.host, f"told/{name}", made)
        engine.pull(
            parse_reference(f"{shared_registry.host}/told/{name}:1"),
            source=source,
            platform=None,
            deadline=None,
            heard=lambda part, count: heard.append((part, count)),
        )
    layers = [layer.digest.partition(":")[2][:12] for layer in second.layers]
    assert {part for part, count in heard if count is None} == set(layers[:2])
    told = [count for part, count in heard if part == layers[2] and count is not None]
    assert max(told) == len(second.layers[2].data)
    assert min(told) < max(told)


def id_of(daemon: Dockerd, name: str) -> str:
    return daemon.cli("inspect", "--type", "image", "--format", "{{.Id}}", name).decode().strip()


def names_of(daemon: Dockerd, name: str) -> list[str]:
    (told,) = json.loads(daemon.cli("inspect", "--type", "image", name))
    return sorted([*told["RepoTags"], *told["RepoDigests"]])


def everything(daemon: Dockerd) -> set[str]:
    """Return every name on the host, by tag or digest."""
    told = daemon.cli("images", "--digests", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}")
    return set(told.decode().split())


def config_of(made: MadeImage) -> Identity:
    return Identity(config_digest=Digest.parse(made.config.digest))


def test_a_pull_by_digest_names_the_image_and_tells_its_bytes(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "fetched", layers=2, random_bytes=200_000)
    name = shared_registry.reference("fetched", "1")
    fetched = pull(engine, name, at(shared_registry.host, "fetched", made))
    assert fetched == sum(len(layer.data) for layer in made.layers)
    assert id_of(daemon, name) == made.config.digest
    assert names_of(daemon, name) == sorted([name, f"{shared_registry.host}/fetched@{made.digest}"])
    assert pull(engine, name, at(shared_registry.host, "fetched", made)) == 0


def test_a_name_that_moves_leaves_the_former_image_with_its_digest(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    old, new = (push_image(shared_registry, "moves", str(seed), seed=seed) for seed in (1, 2))
    name = shared_registry.reference("moves", "live")
    for made in (old, new):
        pull(engine, name, at(shared_registry.host, "moves", made))
    assert id_of(daemon, name) == new.config.digest
    (former,) = [image for image in engine.observe().images if image.id == old.config.digest]
    assert former.names == (at(shared_registry.host, "moves", old),)


def test_a_platform_is_chosen_from_an_index_also_after_another(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    index = push_index(shared_registry, "multi")
    amd64, arm64 = index.images
    name, other = (shared_registry.reference("multi", tag) for tag in ("1", "2"))
    source = at(shared_registry.host, "multi", index)
    pull(engine, name, source, platform=ARM64)
    assert id_of(daemon, name) == arm64.config.digest
    daemon.cli("create", "--name", "foreign", "--platform", "linux/arm64", name)
    pull(engine, name, source, platform=AMD64)
    assert id_of(daemon, name) == amd64.config.digest
    pull(engine, other, source, platform=ARM64)
    assert [id_of(daemon, one) for one in (name, other)] == [amd64.config.digest, arm64.config.digest]
    daemon.cli("rm", "foreign")


def test_a_digest_that_is_the_only_name_of_another_platform_stays_with_it(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    index = make_index([make_image(platform=name, seed=20) for name in ("linux/amd64", "linux/arm64")])
    push(shared_registry, "only", index)
    source = at(shared_registry.host, "only", index)
    pull(engine, str(source), source, platform=ARM64)
    with pytest.raises(ConflictError) as raised:
        pull(engine, str(source), source, platform=AMD64)
    assert raised.value.code == "engine-digest-taken"
    assert "linux/arm64" in str(raised.value)
    assert id_of(daemon, str(source)) == index.images[1].config.digest


def test_a_platform_that_an_index_lacks_is_the_daemons_failure(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    index = push_index(shared_registry, "lacks")
    before = everything(daemon)
    with pytest.raises(PeerError) as raised:
        name = shared_registry.reference("lacks", "1")
        pull(engine, name, at(shared_registry.host, "lacks", index), platform=Platform("linux", "s390x"))
    assert raised.value.code == "engine-pull-failed"
    assert everything(daemon) == before


def test_what_is_not_at_the_registry_is_the_daemons_failure(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "elsewhere", seed=3)
    for host in (shared_registry.host, "127.0.0.1:1"):
        with pytest.raises(PeerError) as raised:
            pull(engine, f"{host}/nothing:1", at(host, "nothing", made))
        assert raised.value.code == "engine-pull-failed"
        assert raised.value.why


def test_an_image_from_a_mirror_has_the_names_of_its_origin_only(
    daemon: Dockerd,
    engine: DockerEngine,
    shared_registry: Registry,
    registry_with: Callable[[RegistryOptions], Registry],
) -> None:
    mirror = registry_with(RegistryOptions())
    made = push_image(mirror, "hub/mirrored", random_bytes=10_000, seed=4)
    name = shared_registry.reference("mirrored", "1")
    assert pull(engine, name, at(mirror.host, "hub/mirrored", made)) > 10_000
    assert names_of(daemon, name) == [name]
    push(shared_registry, "mirrored", made, tag="1")
    daemon.cli("rmi", name)
    pin = f"{shared_registry.host}/mirrored@{made.digest}"
    pull(engine, pin, at(mirror.host, "hub/mirrored", made))
    assert names_of(daemon, pin) == [pin]
    assert f"/v2/mirrored/manifests/{made.digest}" in shared_registry.log.read_text(encoding="utf-8")
    assert "GET /v2/mirrored/blobs/" not in shared_registry.log.read_text(encoding="utf-8")
    assert not [name for name in everything(daemon) if name.startswith(mirror.host)]


def test_a_mirrors_name_that_was_there_before_stays(
    daemon: Dockerd,
    engine: DockerEngine,
    shared_registry: Registry,
    registry_with: Callable[[RegistryOptions], Registry],
) -> None:
    mirror = registry_with(RegistryOptions())
    made = push_image(mirror, "own", seed=5)
    own = mirror.reference("own")
    daemon.cli("pull", "-q", own)
    name = shared_registry.reference("of-mirror", "1")
    pull(engine, name, at(mirror.host, "own", made))
    assert names_of(daemon, name) == sorted([name, own, f"{mirror.host}/own@{made.digest}"])


def test_credentials_reach_the_registry_and_never_an_error(
    daemon: Dockerd, registry_with: Callable[[RegistryOptions], Registry]
) -> None:
    private = registry_with(RegistryOptions(users={"robot": WORDS}))
    made = push_image(private, "secret", seed=6)
    name, source = private.reference("secret", "1"), at(private.host, "secret", made)
    for credential in (Credential("robot", "wrong " + WORDS), None):
        refused = engine_at(daemon.address, credential=credential)
        for act in (
            lambda: pull(refused, name, source),  # noqa: B023
            lambda: refused.push(parse_reference(name), identity=config_of(made), deadline=None),  # noqa: B023
        ):
            with pytest.raises(ImagesError) as raised:
                act()
            assert raised.value.code in ("engine-pull-failed", "image-not-found")
            assert WORDS not in str(raised.value.to_json())
        refused.close()
    engine = engine_at(daemon.address, credential=Credential("robot", WORDS))
    pull(engine, name, source)
    sent = parse_reference(private.reference("secret", "sent"))
    engine.push(sent, identity=config_of(made), deadline=None)
    engine.close()
    assert private.tags("secret") == ["latest", "sent"]
    refused = engine_at(daemon.address, credential=Credential("robot", "wrong " + WORDS))
    with pytest.raises(PeerError) as raised:
        refused.push(sent, identity=config_of(made), deadline=None)
    refused.close()
    assert raised.value.code == "engine-push-failed"
    assert WORDS not in str(raised.value.to_json())


def test_a_push_leaves_the_names_on_the_host_as_they_were(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    made, other = (push_image(shared_registry, f"from-{seed}", seed=seed) for seed in (7, 8))
    for seed in (7, 8):
        daemon.cli("pull", "-q", shared_registry.reference(f"from-{seed}"))
    target = shared_registry.reference("target", "1")
    before = everything(daemon)
    for pushed in (made, other, made):
        engine.push(parse_reference(target), identity=config_of(pushed), deadline=60)
        assert config_at(shared_registry, "target", "1") == pushed.config.digest
        assert everything(daemon) == before
    daemon.cli("tag", shared_registry.reference("from-8"), target)
    before = everything(daemon)
    engine.push(parse_reference(target), identity=config_of(made), deadline=60)
    assert config_at(shared_registry, "target", "1") == made.config.digest
    assert everything(daemon) == before
    assert id_of(daemon, target) == other.config.digest


def config_at(registry: Registry, repository: str, tag: str) -> str:
    """Return the digest of the config that a tag at the registry leads to."""
    headers = {"Accept": ", ".join(DOCUMENT_TYPES)}
    answer = request(registry, "GET", f"/v2/{repository}/manifests/{tag}", headers=headers)
    return str(json.loads(answer.body)["config"]["digest"])


def test_a_push_that_fails_leaves_the_names_as_they_were(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "stays", seed=9)
    name = shared_registry.reference("stays")
    daemon.cli("pull", "-q", name)
    before = everything(daemon)
    with pytest.raises(PeerError) as raised:
        engine.push(parse_reference("127.0.0.1:1/nobody:1"), identity=config_of(made), deadline=None)
    assert raised.value.code == "engine-push-failed"
    assert everything(daemon) == before


def test_a_push_never_costs_an_image_or_its_name_by_digest(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "by-digest", seed=10)
    pin = f"{shared_registry.host}/by-digest@{made.digest}"
    daemon.cli("pull", "-q", pin)
    engine.push(parse_reference(shared_registry.reference("by-digest", "2")), identity=config_of(made), deadline=None)
    assert pin in names_of(daemon, pin)
    assert "2" in shared_registry.tags("by-digest")


def test_the_deadline_ends_a_pull_and_names_nothing(daemon: Dockerd, shared_registry: Registry) -> None:
    made = push_image(shared_registry, "slow", random_bytes=4_000_000, seed=11)
    engine = engine_at(daemon.address)
    for rate in (200_000.0, 1.0):
        with SlowLink(shared_registry.url, rate=rate) as link:
            with pytest.raises(UnavailableError) as raised:
                pull(engine, f"{link.host}/slow:1", at(link.host, "slow", made), deadline=1.0)
            assert raised.value.code == "deadline-passed"
            assert "deadline" in str(raised.value)
            assert not [name for name in everything(daemon) if name.startswith(link.host)]
    engine.close()


def test_a_daemon_that_dies_in_a_pull_names_nothing_and_the_next_pull_completes(
    tmp_path: Path, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "dies", layers=2, random_bytes=800_000, seed=12)
    with start_dockerd(tmp_path / "docker") as daemon, SlowLink(shared_registry.url, rate=1_000_000) as link:
        engine = engine_at(daemon.address)

        def kill_in_the_middle() -> None:
            link.wait_for(300_000, unless=lambda: False)
            daemon.kill()

        killer = threading.Thread(target=kill_in_the_middle)
        killer.start()
        name, source = f"{link.host}/dies:1", at(link.host, "dies", made)
        with pytest.raises(UnavailableError) as raised:
            pull(engine, name, source)
        killer.join()
        assert raised.value.code == "engine-connection-lost"
        daemon.start()
        assert everything(daemon) == set()
        pull(engine, name, source)
        engine.close()
        assert id_of(daemon, name) == made.config.digest


def test_a_full_disk_is_the_daemons_failure_and_with_room_the_next_pull_completes(
    tmp_path: Path, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "large", layers=3, random_bytes=8_000_000, seed=14)
    name = shared_registry.reference("large", "1")
    disk = tmp_path / "disk"
    disk.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk])
    try:
        with start_dockerd(disk / "docker") as daemon:
            engine = engine_at(daemon.address)
            with pytest.raises(PeerError) as raised:
                pull(engine, name, at(shared_registry.host, "large", made))
            assert raised.value.code == "engine-pull-failed"
            assert everything(daemon) == set()
            run(["mount", "-o", "remount,size=128m", disk])
            pull(engine, name, at(shared_registry.host, "large", made))
            engine.close()
            assert id_of(daemon, name) == made.config.digest
    finally:
        run(["umount", disk])


def test_a_layer_that_the_registry_lost_is_the_daemons_failure(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "broken", layers=2, random_bytes=1000, seed=13)
    lost = made.layers[1].digest.partition(":")[2]
    (content,) = shared_registry.data.rglob(f"sha256/{lost[:2]}/{lost}/data")
    content.unlink()
    name = shared_registry.reference("broken", "1")
    before = everything(daemon)
    with pytest.raises(PeerError) as raised:
        pull(engine, name, at(shared_registry.host, "broken", made))
    assert raised.value.code == "engine-pull-failed"
    assert everything(daemon) == before


def test_an_api_without_platforms_pulls_for_its_own_only(daemon: Dockerd, shared_registry: Registry) -> None:
    index = push_index(shared_registry, "old-api")
    engine = engine_at(daemon.address, api_version="1.31")
    assert not engine.observe().abilities.chooses_platform
    name, source = shared_registry.reference("old-api", "1"), at(shared_registry.host, "old-api", index)
    with pytest.raises(UnsupportedError) as raised:
        pull(engine, name, source, platform=Platform("linux", "s390x"))
    assert raised.value.code == "engine-too-old"
    own = engine.observe().platform
    pull(engine, name, source, platform=Platform(own.os, own.architecture))
    engine.close()
    chosen = next(image for image in index.images if image.platform == f"linux/{own.architecture}")
    assert id_of(daemon, name) == chosen.config.digest


def test_many_threads_pull_at_the_same_time(daemon: Dockerd, engine: DockerEngine, shared_registry: Registry) -> None:
    index = push_index(shared_registry, "crowd")
    source = at(shared_registry.host, "crowd", index)
    jobs = [(shared_registry.reference("crowd", f"{number}"), (AMD64, ARM64)[number % 2]) for number in range(6)]
    failures: list[BaseException] = []

    def work(name: str, platform: Platform) -> None:
        try:
            pull(engine, name, source, platform=platform)
        except ImagesError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [id_of(daemon, name) for name, _platform in jobs] == [image.config.digest for image in index.images] * 3
