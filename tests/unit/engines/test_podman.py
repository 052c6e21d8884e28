# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine for podman on a real one: what it sees, names, removes and tells."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.podman import PodmanEngine
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
from ansible_collections.fleet.images.plugins.module_utils.model.reference import ImageId, Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.wire.podman_service import PodmanService
from ansible_collections.fleet.images.tests.support.images import make_image, push, push_image, push_index
from ansible_collections.fleet.images.tests.support.podman import Podman
from ansible_collections.fleet.images.tests.support.programs import require, run
from ansible_collections.fleet.images.tests.support.registry import Registry
from ansible_collections.fleet.images.tests.support.skopeo import skopeo

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def engine(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Iterator[PodmanEngine]:
    podman.clear()
    for name, value in podman.environment.items():
        monkeypatch.setenv(name, value)
    service = PodmanService("", executable="podman", timeout=60, ca_path="")
    engine = PodmanEngine(service, credentials=lambda _repository: None, validate_certs=None)
    yield engine
    engine.close()
    service.close()


def image_named(engine: PodmanEngine, name: str, look: Look = Look()) -> LocalImage:  # noqa: B008
    return engine.observe(look).by_name[parse_reference(name)]


def texts(names: t.Iterable[object]) -> list[str]:
    return sorted(map(str, names))


def config_identity(digest: str) -> Identity:
    return Identity(config_digest=Digest.parse(digest))


@pytest.fixture
def busybox(podman: Podman, tmp_path: Path) -> str:
    """Name an image that can run, built in three steps whose two first results have no name."""
    return build(podman, tmp_path, "localhost/runs:1", start="scratch", seed=1)


def build(podman: Podman, folder: Path, name: str, *, start: str, seed: int) -> str:
    require("busybox")
    shell = run(["sh", "-c", "cat $(command -v busybox)"])
    (folder / "busybox").write_bytes(shell)
    (folder / "busybox").chmod(0o755)
    (folder / "seed").write_text(f"{name} {seed}", encoding="utf-8")
    steps = "COPY seed /first\nCOPY busybox /bin/sh\nCOPY seed /last\n"
    (folder / "Dockerfile").write_text(f"FROM {start}\n{steps}", encoding="utf-8")
    podman.cli("build", "--quiet", "--layers", "--pull=never", "--tag", name, str(folder))
    return name


def test_an_empty_storage_has_no_images_and_tells_what_podman_can_do(engine: PodmanEngine) -> None:
    observed = engine.observe()
    assert (observed.images, observed.engine) == ((), "podman")
    assert observed.abilities == Abilities("config", sends_exact=False, pins_by_pull=True, keeps_bases=False)


def test_an_image_pulled_by_tag_is_known_by_manifest_and_config(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "seen/plain", "1", labels={"team": "blue"})
    podman.pull(shared_registry, "seen/plain:1")
    image = image_named(engine, shared_registry.reference("seen/plain", "1"))
    assert image.identity == Identity(Digest.parse(made.digest), Digest.parse(made.config.digest))
    assert (image.id, image.labels, image.created) == (made.config.digest, {"team": "blue"}, "2026-01-01T00:00:00Z")
    assert (image.digest_names, image.used_by, image.parent, image.size > 0) == ((), (), "", True)


def test_an_image_chosen_from_an_index_has_the_indexs_digest_first(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    index = push_index(shared_registry, "seen/index", "1")
    podman.pull(shared_registry, "seen/index:1")
    image = image_named(engine, shared_registry.reference("seen/index", "1"))
    own = next(single for single in index.images if single.config.digest == image.id)
    assert [str(digest) for digest in image.identity.known_as] == [index.digest, own.digest]
    assert str(image.identity.digest) == index.digest


def test_names_by_digest_are_names_alone_and_stand_behind_tags_of_their_repository(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "seen/pinned", "1")
    pin = f"{shared_registry.host}/seen/pinned@{made.digest}"
    podman.pull(shared_registry, f"seen/pinned@{made.digest}")
    assert texts(image_named(engine, pin).names) == [pin]
    podman.cli("tag", pin, "localhost/short:1", "docker.io/local/app:a")
    image = image_named(engine, "localhost/short:1")
    assert texts(image.names) == sorted([pin, "localhost/short:1", "docker.io/local/app:a"])
    podman.pull(shared_registry, "seen/pinned:1")
    image = image_named(engine, "docker.io/local/app:a")
    assert (pin in texts(image.names), texts(image.digest_names)) == (False, [pin])


def test_repositories_that_know_an_image_by_different_digests_are_told_apart(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    index = push_index(shared_registry, "seen/both", "1")
    own = index.images[0]
    push(shared_registry, "seen/single", own, tag="1")
    for name in (f"seen/both@{index.digest}", f"seen/single@{own.digest}", "seen/both:1", "seen/single:1"):
        podman.pull(shared_registry, name)
    observed = engine.observe()
    shown = {str(name): str(image.identity.digest) for name, image in observed.by_name.items()}
    assert shown == {
        shared_registry.reference("seen/both", "1"): index.digest,
        shared_registry.reference("seen/single", "1"): own.digest,
    }
    assert {image.id for image in observed.images} == {own.config.digest}


def test_the_platform_is_told_where_it_matters(engine: PodmanEngine, podman: Podman, shared_registry: Registry) -> None:
    arm, small = make_image(platform="linux/arm64"), make_image(platform="linux/arm/v6")
    push(shared_registry, "seen/arm", arm, tag="1")
    push(shared_registry, "seen/small", small, tag="1")
    podman.pull(shared_registry, "seen/arm:1")
    podman.pull(shared_registry, "seen/small:1")
    name = shared_registry.reference("seen/arm", "1")
    assert image_named(engine, name).platform is None
    wanted: frozenset[Reference | ImageId] = frozenset(
        [parse_reference(name), ImageId(small.config.digest[7:19]), parse_reference("absent:1")]
    )
    images = {image.id: image.platform for image in engine.observe(Look(details_of=wanted)).images}
    # podman keeps to itself which 32-bit arm it is: a guess would be wrong for half of them.
    assert images == {arm.config.digest: Platform("linux", "arm64"), small.config.digest: None}


def test_containers_that_use_an_image_are_told_whoever_made_them(
    engine: PodmanEngine, podman: Podman, busybox: str
) -> None:
    require("buildah")
    podman.cli("create", "--name", "waiting", busybox, "sleep", "600")
    podman.cli("run", "--detach", "--name", "awake", busybox, "/bin/sh", "-c", "sleep 600")
    run(["buildah", "from", "--name", "building", busybox], environment=podman.environment)
    assert image_named(engine, busybox).used_by == ()
    used_by = image_named(engine, busybox, Look(containers=True)).used_by
    run(["buildah", "rm", "building"], environment=podman.environment)
    assert used_by == (Container("awake"), Container("building"), Container("waiting"))


def test_parents_without_a_name_are_seen_when_asked_for(engine: PodmanEngine, busybox: str) -> None:
    assert len(engine.observe().images) == 1
    by_id = {image.id: image for image in engine.observe(Look(parents=True)).images}
    second = by_id[by_id[image_named(engine, busybox, Look(parents=True)).parent].id]
    first = by_id[second.parent]
    assert (len(by_id), second.names, first.names, first.parent) == (3, (), (), "")


def test_a_name_can_be_moved_and_the_former_image_keeps_its_others(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    one, two = (push_image(shared_registry, "moved/app", str(seed), seed=seed) for seed in (1, 2))
    for tag in ("1", "2"):
        podman.pull(shared_registry, f"moved/app:{tag}")
    name = parse_reference("localhost/app:now")
    for made in (one, one, two):
        engine.tag(name, identity=config_identity(made.config.digest), platform=None)
    names = podman.names()
    assert names["localhost/app:now"] == two.config.digest[7:]
    assert names[shared_registry.reference("moved/app", "1")] == one.config.digest[7:]
    config = skopeo("inspect", "--config", f"containers-storage:{storage(podman)}localhost/app:now")
    assert json.loads(config)["rootfs"] == json.loads(two.config.data)["rootfs"]


def storage(podman: Podman) -> str:
    return f"[overlay@{podman.graph_root}+{podman.folder / 'run'}]"


def test_an_image_can_be_named_by_its_manifest_alone(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    index = push_index(shared_registry, "moved/index", "1")
    podman.pull(shared_registry, "moved/index:1")
    podman.cli(
        "pull", "-q", "--tls-verify=false", "--arch", "arm64", f"{shared_registry.host}/moved/index@{index.digest}"
    )
    arm = next(single for single in index.images if single.platform == "linux/arm64")
    identity = Identity(Digest.parse(arm.digest), None, Digest.parse(index.digest))
    engine.tag(parse_reference("localhost/arm:1"), identity=identity, platform=None)
    assert podman.names()["localhost/arm:1"] == arm.config.digest[7:]


def test_what_the_host_does_not_hold_cannot_be_named_pushed_or_described(engine: PodmanEngine) -> None:
    absent = config_identity(str(Digest.of(b"nowhere")))
    name = parse_reference("localhost/absent:1")
    with pytest.raises(NotFoundError) as caught:
        engine.tag(name, identity=absent, platform=None)
    assert caught.value.code == "image-not-found"
    with pytest.raises(NotFoundError):
        engine.tag(name, identity=Identity(Digest.of(b"nowhere")), platform=None)
    with pytest.raises(NotFoundError):
        engine.describe(LocalImage(str(absent.config_digest), absent))
    with pytest.raises(NotFoundError):
        engine.push(name, identity=absent, deadline=None)


def test_an_image_goes_with_its_last_name_and_names_by_digest_with_the_last_tag(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "gone/app", "1")
    pin = f"{shared_registry.host}/gone/app@{made.digest}"
    for name in (f"gone/app@{made.digest}", "gone/app:1"):
        podman.pull(shared_registry, name)
    podman.cli("tag", pin, f"{shared_registry.host}/gone/app:2")
    engine.untag(parse_reference(shared_registry.reference("gone/app", "1")))
    assert set(podman.names()) == {pin, shared_registry.reference("gone/app", "2")}
    engine.untag(parse_reference(shared_registry.reference("gone/app", "2")))
    engine.untag(parse_reference(shared_registry.reference("gone/app", "2")))
    assert podman.rows() == []


def test_a_name_by_digest_alone_can_be_removed(engine: PodmanEngine, podman: Podman, shared_registry: Registry) -> None:
    made = push_image(shared_registry, "gone/pinned", "1")
    podman.pull(shared_registry, f"gone/pinned@{made.digest}")
    engine.untag(parse_reference(f"{shared_registry.host}/gone/other@{made.digest}"))
    assert len(podman.names()) == 1
    engine.untag(parse_reference(f"{shared_registry.host}/gone/pinned@{made.digest}"))
    assert podman.rows() == []


@pytest.mark.parametrize("is_running", [True, False])
def test_an_image_in_use_keeps_its_last_name_unless_told_otherwise(
    engine: PodmanEngine, podman: Podman, busybox: str, is_running: bool
) -> None:
    command = ["run", "--detach"] if is_running else ["create"]
    podman.cli(*command, "--name", "user", busybox, "/bin/sh", "-c", "sleep 600")
    before = podman.names()
    with pytest.raises(ConflictError) as caught:
        engine.untag(parse_reference(busybox))
    assert (caught.value.code, caught.value.why, podman.names()) == ("engine-conflict", "user", before)
    engine.untag(parse_reference(busybox), is_used=True)
    assert podman.names() == {}
    assert before[busybox] in {row["Id"] for row in podman.rows()}
    (container,) = json.loads(podman.cli("ps", "--all", "--format", "json"))
    assert (container["Names"], container["State"]) == (["user"], "running" if is_running else "created")


def test_one_of_several_names_goes_although_containers_use_the_image(
    engine: PodmanEngine, podman: Podman, busybox: str
) -> None:
    podman.cli("tag", busybox, "localhost/other:1")
    podman.cli("create", "--name", "user", busybox, "/bin/sh")
    engine.untag(parse_reference(busybox))
    assert set(podman.names()) == {"localhost/other:1"}


@pytest.mark.parametrize(("prunes", "left"), [(True, 0), (False, 2)])
def test_what_an_image_was_built_on_goes_along_as_asked(
    engine: PodmanEngine, podman: Podman, busybox: str, prunes: bool, left: int
) -> None:
    engine.untag(parse_reference(busybox), prunes=prunes)
    assert len(podman.rows()) == left


def test_an_image_that_others_were_built_on_can_lose_its_name(
    engine: PodmanEngine, podman: Podman, busybox: str, tmp_path: Path
) -> None:
    child = build(podman, tmp_path, "localhost/child:1", start=busybox, seed=2)
    engine.untag(parse_reference(busybox))
    assert set(podman.names()) == {child}
    assert podman.cli("run", "--rm", child, "/bin/sh", "-c", "echo runs") == b"runs\n"


def test_a_list_of_manifests_made_here_loses_its_name_and_its_images_stay(
    engine: PodmanEngine, podman: Podman, busybox: str
) -> None:
    podman.cli("manifest", "create", "localhost/list:1", f"containers-storage:{busybox}")
    engine.untag(parse_reference("localhost/list:1"))
    assert set(podman.names()) == {busybox}


def test_an_image_is_described_as_podman_keeps_it(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    push_image(shared_registry, "told/app", "1", layers=2, command=("/bin/app", "--now"))
    podman.pull(shared_registry, "told/app:1")
    told = engine.describe(image_named(engine, shared_registry.reference("told/app", "1")))
    assert told.config["Cmd"] == ["/bin/app", "--now"]
    assert [step["created_by"] for step in told.history] == ["layer 0", "layer 1"]
    assert len(told.layers) == 2


def test_free_space_is_that_of_the_storage(engine: PodmanEngine, podman: Podman) -> None:
    space = engine.space()
    assert space is not None
    assert (space.path, space.free > 0, engine.reclaim()) == (str(podman.graph_root), True, 0)
