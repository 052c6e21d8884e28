# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine for Docker on a real daemon: what it sees, names, removes and tells."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.docker import DockerEngine
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import ConflictError, NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.host import (
    Abilities,
    Container,
    Identity,
    LocalImage,
    Look,
)
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import (
    Reference,
    parse_image,
    parse_reference,
)
from ansible_collections.fleet.images.tests.support.docker_engine import engine_at
from ansible_collections.fleet.images.tests.support.dockerd import Dockerd, start_dockerd
from ansible_collections.fleet.images.tests.support.images import push_image, push_index
from ansible_collections.fleet.images.tests.support.registry import Registry

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.fleet.images.tests.support.images import MadeImage

ABSENT = Identity(config_digest=Digest.of(b"nowhere"))


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    with start_dockerd(tmp_path_factory.mktemp("docker")) as daemon:
        yield daemon


@pytest.fixture
def engine(daemon: Dockerd) -> Iterator[DockerEngine]:
    engine = engine_at(daemon.address)
    yield engine
    engine.close()


def image_named(engine: DockerEngine, name: str, look: Look = Look()) -> LocalImage:  # noqa: B008
    return engine.observe(look).by_name[parse_reference(name)]


def names(image: LocalImage) -> list[str]:
    return [name.familiar for name in image.names]


def is_listed(daemon: Dockerd, image: str) -> bool:
    return image in daemon.cli("images", "--all", "--quiet", "--no-trunc").decode().split()


def pulled(daemon: Dockerd, registry: Registry, repository: str, **options: t.Any) -> tuple[str, MadeImage]:
    made = push_image(registry, repository, **options)
    name = registry.reference(repository)
    daemon.cli("pull", "-q", name)
    return name, made


def config_of(made: MadeImage) -> Identity:
    return Identity(config_digest=Digest.parse(made.config.digest))


def test_an_empty_daemon_holds_no_images(tmp_path: Path) -> None:
    with start_dockerd(tmp_path / "docker") as daemon:
        engine = engine_at(daemon.address)
        observed = engine.observe(Look(containers=True, parents=True))
        engine.close()
    assert observed.images == ()
    assert (observed.engine, observed.platform.os) == ("docker", "linux")
    assert observed.abilities == Abilities("config", sends_exact=False, chooses_platform=True, pins_by_pull=True)


def test_an_image_is_its_config_and_known_by_the_digest_of_its_repository(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    name, made = pulled(daemon, shared_registry, "seen", labels={"team": "blue"}, seed=1)
    image = image_named(engine, name)
    digest = Digest.parse(made.digest)
    assert image.id == made.config.digest == daemon.cli("images", "-q", "--no-trunc", name).decode().strip()
    assert image.identity == Identity(None, Digest.parse(made.config.digest), None, (digest,))
    assert names(image) == [name]
    assert [pin.digest for pin in image.digest_names] == [digest]
    assert (image.created, dict(image.labels)) == ("2026-01-01T00:00:00Z", {"team": "blue"})
    assert image.size == int(daemon.cli("inspect", "--format", "{{.Size}}", name))
    assert image.platform is None


def test_one_config_under_several_digests_is_an_image_for_each(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    index = push_index(shared_registry, "several/index", platforms=["linux/amd64"])
    made = index.images[0]
    for repository in ("several/index", "several/plain"):
        if repository == "several/plain":
            push_image(shared_registry, repository, files={"arch": b"linux/amd64"})
        daemon.cli("pull", "-q", shared_registry.reference(repository))
    daemon.cli("tag", shared_registry.reference("several/plain"), "several/local:1")
    ofindex, ofplain = (
        image_named(engine, shared_registry.reference(f"several/{kind}")) for kind in ("index", "plain")
    )
    assert ofindex.id == ofplain.id == made.config.digest
    assert [str(digest) for digest in ofindex.identity.known_as] == [index.digest, made.digest]
    assert [str(digest) for digest in ofplain.identity.known_as] == [made.digest, index.digest]
    joined = min((ofindex, ofplain), key=lambda image: image.identity.known_as)
    assert "several/local:1" in names(joined)
    assert [len(image.digest_names) for image in (ofindex, ofplain)] == [1, 1]


def test_a_digest_is_a_name_where_its_repository_has_no_tag(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "pinned", seed=2)
    pin = f"{shared_registry.host}/pinned@{made.digest}"
    daemon.cli("pull", "-q", pin)
    image = image_named(engine, pin)
    assert (names(image), image.digest_names) == ([pin], ())
    daemon.cli("tag", pin, "elsewhere:1")
    image = image_named(engine, pin)
    assert sorted(names(image)) == sorted([pin, "elsewhere:1"])


def test_a_nameless_image_has_no_names(daemon: Dockerd, engine: DockerEngine, shared_registry: Registry) -> None:
    _name, made = pulled(daemon, shared_registry, "nameless", seed=3)
    _other, moved = pulled(daemon, shared_registry, "nameless", seed=4)
    pin = f"{shared_registry.host}/nameless@{made.digest}"
    daemon.cli("tag", moved.config.digest, "keeps:moved")
    container = daemon.cli("create", made.config.digest).decode().strip()
    daemon.cli("rmi", "-f", pin)
    still = [image for image in engine.observe().images if image.id == made.config.digest]
    daemon.cli("rm", container)
    assert all(image.names == () for image in still)
    daemon.cli("build", "-q", "-t", "moving:1", "-", input_bytes=b"FROM scratch\nLABEL a=1\nCMD x")
    first = daemon.cli("images", "-q", "--no-trunc", "moving:1").decode().strip()
    daemon.cli("build", "-q", "-t", "moving:1", "-", input_bytes=b"FROM scratch\nLABEL a=2\nCMD x")
    (image,) = [image for image in engine.observe().images if image.id == first]
    assert (image.names, image.digest_names, image.identity.known_as) == ((), (), ())


def test_the_platform_is_told_for_images_whose_details_matter(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    name, made = pulled(daemon, shared_registry, "foreign", platform="linux/arm/v6", seed=5)
    other, _made = pulled(daemon, shared_registry, "native", seed=6)
    by_id = parse_image(made.config.digest)
    for asked in (parse_reference(name), by_id):
        observed = engine.observe(Look(details_of=frozenset([asked])))
        assert observed.by_name[parse_reference(name)].platform == Platform("linux", "arm", "v6")
        assert observed.by_name[parse_reference(other)].platform is None


def test_containers_hold_their_image_while_they_run(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    busybox = {"bin/sleep": Path("/bin/busybox").read_bytes()}
    name, made = pulled(daemon, shared_registry, "busy", files=busybox)
    daemon.cli("run", "-d", "--network", "none", "--name", "runs", name, "/bin/sleep", "600")
    daemon.cli("create", "--network", "none", "--name", "stopped", made.config.digest, "/bin/sleep", "1")
    image = image_named(engine, name, Look(containers=True))
    assert sorted(image.used_by) == [Container("runs", True), Container("stopped", False)]
    assert image_named(engine, name).used_by == ()
    with pytest.raises(ConflictError) as raised:
        engine.untag(parse_reference(name))
    assert raised.value.code == "engine-conflict"
    assert names(image_named(engine, name)) == [name]
    engine.untag(parse_reference(name), is_used=True)
    assert parse_reference(name) not in engine.observe().by_name
    assert is_listed(daemon, made.config.digest)
    assert daemon.cli("inspect", "--format", "{{.State.Running}}", "runs").strip() == b"true"
    daemon.cli("rm", "-f", "runs", "stopped")


def test_the_image_of_a_stopped_container_goes_and_the_container_stays(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    name, made = pulled(daemon, shared_registry, "stopped", seed=7)
    daemon.cli("create", "--network", "none", "--name", "waits", name)
    engine.untag(parse_reference(name), is_used=True)
    assert not is_listed(daemon, made.config.digest)
    assert daemon.cli("inspect", "--format", "{{.State.Status}}", "waits").strip() == b"created"
    daemon.cli("rm", "waits")


def test_a_name_goes_alone_while_the_image_has_others_even_when_containers_use_it(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    name, made = pulled(daemon, shared_registry, "shared", seed=8)
    daemon.cli("tag", name, "also:1")
    daemon.cli("create", "--name", "uses", name)
    engine.untag(parse_reference(name))
    assert daemon.cli("images", "-q", "--no-trunc", "also:1").decode().strip() == made.config.digest
    assert names(image_named(engine, "also:1")) == ["also:1"]
    daemon.cli("rm", "uses")


def test_the_last_tag_takes_the_digest_along_and_then_the_image(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    name, made = pulled(daemon, shared_registry, "last", seed=9)
    engine.untag(parse_reference(name))
    assert not is_listed(daemon, made.config.digest)
    engine.untag(parse_reference(name))
    pin = Reference(shared_registry.host, "last", None, Digest.parse(made.digest))
    engine.untag(pin)
    assert engine.reclaim() == 0


def test_parents_are_told_and_pruned_as_asked(daemon: Dockerd, engine: DockerEngine) -> None:
    for number, prunes in enumerate((False, True)):
        recipe = f"FROM scratch\nLABEL one={number}\nLABEL two={number}\nCMD x".encode()
        daemon.cli("build", "-q", "-t", "child:1", "-", input_bytes=recipe)
        image = image_named(engine, "child:1", Look(parents=True))
        rows = {row.id: row for row in engine.observe(Look(parents=True)).images}
        chain = [image.parent, rows[image.parent].parent]
        assert chain[0] == daemon.cli("inspect", "--format", "{{.Parent}}", "child:1").decode().strip()
        assert all(rows[one].names == () for one in chain)
        assert image_named(engine, "child:1").parent == ""
        engine.untag(parse_reference("child:1"), prunes=prunes)
        assert not is_listed(daemon, image.id)
        assert [is_listed(daemon, one) for one in chain] == [not prunes] * 2


def test_tagging_names_the_image_and_twice_is_as_once(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    _name, made = pulled(daemon, shared_registry, "tagged", seed=10)
    further = parse_reference("team/further:2")
    for _time in range(2):
        engine.tag(further, identity=config_of(made), platform=None)
        assert daemon.cli("images", "-q", "--no-trunc", "team/further:2").decode().split() == [made.config.digest]
    by_registry = parse_reference("team/by-registry:2")
    engine.tag(by_registry, identity=Identity(manifest_digest=Digest.parse(made.digest)), platform=None)
    assert image_named(engine, "team/by-registry:2").id == made.config.digest


def test_tagging_what_is_not_there_is_an_error(daemon: Dockerd, engine: DockerEngine) -> None:
    with pytest.raises(NotFoundError) as raised:
        engine.tag(parse_reference("never:1"), identity=ABSENT, platform=None)
    assert raised.value.code == "image-not-found"
    assert daemon.cli("images", "-q", "never") == b""


def test_an_image_is_described_by_its_settings_history_and_layers(
    daemon: Dockerd, engine: DockerEngine, shared_registry: Registry
) -> None:
    name, made = pulled(daemon, shared_registry, "told", layers=2, labels={"a": "b"}, seed=11)
    image = image_named(engine, name)
    told = engine.describe(image)
    assert told.config == {"Cmd": ["/bin/sh"], "Labels": {"a": "b"}}
    config = json.loads(made.config.data)
    assert [dict(step) for step in told.history] == config["history"]
    assert list(told.layers) == config["rootfs"]["diff_ids"]
    with pytest.raises(NotFoundError):
        engine.describe(image._replace(id=str(ABSENT.config_digest)))


def test_the_free_space_is_that_of_the_folder_docker_keeps_its_data_in(daemon: Dockerd, engine: DockerEngine) -> None:
    space = engine.space()
    assert space is not None
    assert Path(space.path) == daemon.data
    assert space.free > 0
