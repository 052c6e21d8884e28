# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls and pushes by a real podman: names, mirrors, platforms, credentials, deadlines."""

from __future__ import annotations

import json
import os
import signal
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.podman import PodmanEngine
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    PeerError,
    UnavailableError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Reference, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential
from ansible_collections.fleet.images.plugins.module_utils.wire.podman_service import PodmanService
from ansible_collections.fleet.images.tests.support.images import push, push_image, push_index
from ansible_collections.fleet.images.tests.support.podman import Podman
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry
from ansible_collections.fleet.images.tests.support.skopeo import image_config, skopeo
from ansible_collections.fleet.images.tests.support.slow_link import SlowLink

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSWORD = "p4ss/w+rd?with signs"
AMD64 = Platform("linux", "amd64")


class Case(t.NamedTuple):
    engine: PodmanEngine
    podman: Podman
    logins: dict[str, Credential]
    services: t.Callable[[], set[int]]

    def pull(self, name: str, source: str, platform: Platform | None = None, deadline: float | None = None) -> int:
        reference = parse_reference(name)
        return self.engine.pull(reference, source=parse_reference(source), platform=platform, deadline=deadline)


@pytest.fixture
def case(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    podman.clear()
    for name, value in podman.environment.items():
        monkeypatch.setenv(name, value)
    before = children()
    logins: dict[str, Credential] = {}

    def login(reference: Reference) -> Credential | None:
        return logins.get(reference.registry)

    service = PodmanService("", executable="podman", timeout=60, ca_path="")
    engine = PodmanEngine(service, credentials=login, validate_certs=None)
    yield Case(engine, podman, logins, lambda: set(filter(is_service, children() - before)))
    engine.close()
    service.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    options = RegistryOptions(users={"ann": PASSWORD})
    with start_registry(tmp_path_factory.mktemp("guarded"), options) as server:
        yield server


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with start_registry(tmp_path_factory.mktemp("mirror")) as server:
        yield server


def children(of: int = 0) -> set[int]:
    """Return the processes that a process (this one: 0) started, and those that they started."""
    tasks = Path(f"/proc/{of or os.getpid()}/task").iterdir()
    own = {int(pid) for task in tasks for pid in (task / "children").read_text(encoding="ascii").split()}
    return own.union(*map(children, own))


def is_service(pid: int) -> bool:
    return Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == "podman"


def pin(registry: Registry, repository: str, digest: str) -> str:
    return f"{registry.host}/{repository}@{digest}"


def test_a_pull_by_digest_leaves_the_tag_and_the_origins_name_by_digest(case: Case, shared_registry: Registry) -> None:
    made = push_image(shared_registry, "pull/app", "1")
    name, source = shared_registry.reference("pull/app", "1"), pin(shared_registry, "pull/app", made.digest)
    assert [case.pull(name, source) for _again in range(2)] == [0, 0]
    assert case.podman.names() == dict.fromkeys((name, source), made.config.digest[7:])


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_an_index_is_pulled_for_the_platform_that_is_asked_for(
    case: Case, shared_registry: Registry, platform: str
) -> None:
    index = push_index(shared_registry, "pull/index", "1")
    name = shared_registry.reference("pull/index", "1")
    case.pull(name, pin(shared_registry, "pull/index", index.digest), Platform.parse(platform))
    wanted = next(single for single in index.images if single.platform == platform)
    assert case.podman.names()[name] == wanted.config.digest[7:]


def test_variants_of_a_platform_are_told_apart(case: Case, shared_registry: Registry) -> None:
    index = push_index(shared_registry, "pull/variants", "1", platforms=("linux/arm/v7", "linux/arm/v6"))
    name = shared_registry.reference("pull/variants", "1")
    case.pull(name, pin(shared_registry, "pull/variants", index.digest), Platform.parse("linux/arm/v6"))
    assert case.podman.names()[name] == index.images[1].config.digest[7:]


def test_a_platform_that_an_index_lacks_is_told_in_podmans_words(case: Case, shared_registry: Registry) -> None:
    index = push_index(shared_registry, "pull/lacking", "1")
    source = pin(shared_registry, "pull/lacking", index.digest)
    with pytest.raises(PeerError) as caught:
        case.pull(shared_registry.reference("pull/lacking", "1"), source, Platform("linux", "s390x"))
    assert (caught.value.code, "s390x" in caught.value.why) == ("engine-pull-failed", True)
    assert case.podman.rows() == []


def test_a_pull_moves_the_tag_and_the_former_image_keeps_its_digest(case: Case, shared_registry: Registry) -> None:
    name = shared_registry.reference("pull/moving", "1")
    made = [push_image(shared_registry, "pull/moving", "1", seed=seed) for seed in (1, 2)]
    pins = [pin(shared_registry, "pull/moving", image.digest) for image in made]
    for source in pins:
        case.pull(name, source)
    ids = [image.config.digest[7:] for image in made]
    assert case.podman.names() == {pins[0]: ids[0], name: ids[1], pins[1]: ids[1]}


def test_no_name_of_a_mirror_stays(case: Case, shared_registry: Registry, mirror: Registry) -> None:
    made = push_image(mirror, "hub/library/app", "9")
    case.pull("docker.io/library/app:1", pin(mirror, "hub/library/app", made.digest))
    assert case.podman.names() == {"docker.io/library/app:1": made.config.digest[7:]}


def test_a_mirrors_name_that_was_there_before_stays(case: Case, mirror: Registry) -> None:
    made = push_image(mirror, "hub/mine", "9")
    source = pin(mirror, "hub/mine", made.digest)
    case.podman.pull(mirror, f"hub/mine@{made.digest}")
    case.pull("docker.io/library/mine:1", source)
    assert set(case.podman.names()) == {source, "docker.io/library/mine:1"}


def test_a_name_by_digest_comes_from_the_origin_though_the_bytes_come_from_a_mirror(
    case: Case, shared_registry: Registry, mirror: Registry
) -> None:
    made = push_image(shared_registry, "pull/pinned", "1")
    push(mirror, "hub/pinned", made, tag="1")
    name = pin(shared_registry, "pull/pinned", made.digest)
    case.pull(name, pin(mirror, "hub/pinned", made.digest))
    assert case.podman.names() == {name: made.config.digest[7:]}


def test_what_a_registry_does_not_have_is_told_in_podmans_words(case: Case, shared_registry: Registry) -> None:
    absent = str(Digest.of(b"absent"))
    with pytest.raises(PeerError) as caught:
        case.pull(shared_registry.reference("no/such", "1"), pin(shared_registry, "no/such", absent))
    assert (caught.value.code, absent in caught.value.why, case.podman.names()) == ("engine-pull-failed", True, {})


def test_credentials_open_a_registry_and_wrong_ones_are_not_told(case: Case, guarded: Registry) -> None:
    made = push_image(guarded, "team/app", "1")
    name, source = guarded.reference("team/app", "1"), pin(guarded, "team/app", made.digest)
    for login in ({}, {guarded.host: Credential("ann", "wrong-secret")}):
        case.logins.clear()
        case.logins.update(login)
        with pytest.raises(PeerError) as caught:
            case.pull(name, source)
        assert (caught.value.code, "wrong-secret" in json.dumps(caught.value.to_json())) == (
            "engine-pull-failed",
            False,
        )
    case.logins[guarded.host] = Credential("ann", PASSWORD)
    case.pull(name, source)
    assert name in case.podman.names()


def test_only_the_given_credentials_are_sent(case: Case, guarded: Registry, tmp_path: Path) -> None:
    made = push_image(guarded, "team/own", "1")
    home = Path(case.podman.environment["HOME"]) / ".docker"
    home.mkdir(exist_ok=True)
    file = home / "config.json"
    case.podman.cli(
        "login", "--tls-verify=false", "-u", "ann", "--password-stdin", "--authfile", str(file), guarded.host,
        input_bytes=PASSWORD.encode(),
    )  # fmt: skip
    try:
        with pytest.raises(PeerError):
            case.pull(guarded.reference("team/own", "1"), pin(guarded, "team/own", made.digest))
    finally:
        file.unlink()


def test_a_docker_config_without_a_file_breaks_nothing(
    case: Case, shared_registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    made = push_image(shared_registry, "pull/config", "1")
    case.pull(shared_registry.reference("pull/config", "1"), pin(shared_registry, "pull/config", made.digest))
    assert len(case.podman.rows()) == 1


def test_secrets_are_in_no_argument_and_no_environment(
    case: Case, guarded: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", PASSWORD)
    made = push_image(guarded, "team/hidden", "1", random_bytes=4 << 20)
    with SlowLink(guarded.url, rate=2 << 20) as link:
        case.logins[link.host] = Credential("ann", PASSWORD)
        source = f"{link.host}/team/hidden@{made.digest}"
        puller = threading.Thread(target=lambda: case.pull(f"{link.host}/team/hidden:1", source))
        puller.start()
        assert link.wait_for(1 << 20, unless=lambda: not puller.is_alive())
        (service,) = case.services()
        shown = b"".join((Path(f"/proc/{service}") / part).read_bytes() for part in ("cmdline", "environ"))
        puller.join(60)
    assert b"podman" in shown
    assert PASSWORD.encode() not in shown


def test_a_pull_that_takes_too_long_is_stopped(case: Case, shared_registry: Registry) -> None:
    made = push_image(shared_registry, "pull/slow", "1", random_bytes=4 << 20)
    with SlowLink(shared_registry.url, rate=256 << 10) as link:
        source = f"{link.host}/pull/slow@{made.digest}"
        with pytest.raises(UnavailableError) as caught:
            case.pull(f"{link.host}/pull/slow:1", source, deadline=1.0)
        assert caught.value.code == "deadline-passed"
        assert case.podman.rows() == []
    case.pull(shared_registry.reference("pull/slow", "1"), pin(shared_registry, "pull/slow", made.digest))
    assert len(case.podman.rows()) == 1


def test_a_service_that_dies_during_a_pull_leaves_nothing_half_named(case: Case, shared_registry: Registry) -> None:
    made = push_image(shared_registry, "pull/killed", "1", random_bytes=4 << 20)
    name = shared_registry.reference("pull/killed", "1")
    errors: list[UnavailableError] = []
    with SlowLink(shared_registry.url, rate=1 << 20) as link:

        def pull() -> None:
            try:
                case.pull(name, f"{link.host}/pull/killed@{made.digest}")
            except UnavailableError as error:
                errors.append(error)

        puller = threading.Thread(target=pull)
        puller.start()
        assert link.wait_for(1 << 20, unless=lambda: not puller.is_alive())
        (service,) = case.services()
        os.kill(service, signal.SIGKILL)
        puller.join(60)
    assert [error.code for error in errors] == ["engine-connection-lost"]
    assert case.podman.rows() == []


def test_a_push_sends_the_image_and_leaves_no_name(case: Case, shared_registry: Registry) -> None:
    made = push_image(shared_registry, "push/from", "1")
    case.podman.pull(shared_registry, "push/from:1")
    before = case.podman.names()
    target = parse_reference(shared_registry.reference("push/to", "2"))
    identity = Identity(config_digest=Digest.parse(made.config.digest))
    for _again in range(2):
        case.engine.push(target, identity=identity, deadline=60)
    assert case.podman.names() == before
    assert image_config(f"docker://{target}") == json.loads(made.config.data)


def test_a_push_needs_the_right_credentials(case: Case, shared_registry: Registry, guarded: Registry) -> None:
    made = push_image(shared_registry, "push/guarded", "1")
    case.podman.pull(shared_registry, "push/guarded:1")
    identity = Identity(config_digest=Digest.parse(made.config.digest))
    target = parse_reference(guarded.reference("team/pushed", "1"))
    case.logins[guarded.host] = Credential("ann", "wrong-secret")
    with pytest.raises(PeerError) as caught:
        case.engine.push(target, identity=identity, deadline=None)
    assert (caught.value.code, "wrong-secret" in str(caught.value)) == ("engine-push-failed", False)
    case.logins[guarded.host] = Credential("", "", "token")
    with pytest.raises(UnsupportedError, match="identity token"):
        case.engine.push(target, identity=identity, deadline=None)
    assert guarded.tags("team/pushed") == []
    case.logins[guarded.host] = Credential("ann", PASSWORD)
    case.engine.push(target, identity=identity, deadline=None)
    assert guarded.tags("team/pushed") == ["1"]


def test_several_pulls_at_a_time_end_with_every_name(case: Case, shared_registry: Registry) -> None:
    made = {f"pull/many-{seed}": push_image(shared_registry, f"pull/many-{seed}", "1", seed=seed) for seed in range(4)}
    threads = [
        threading.Thread(
            target=case.pull,
            args=(shared_registry.reference(path, "1"), pin(shared_registry, path, image.digest)),
        )
        for path, image in made.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    names: Mapping[str, str] = case.podman.names()
    assert {shared_registry.reference(path, "1") for path in made} <= set(names)


def test_skopeo_reads_the_image_that_was_pulled(case: Case, shared_registry: Registry) -> None:
    made = push_image(shared_registry, "pull/read", "1", docker=True)
    name = shared_registry.reference("pull/read", "1")
    case.pull(name, pin(shared_registry, "pull/read", made.digest))
    store = f"[overlay@{case.podman.graph_root}+{case.podman.folder / 'run'}]"
    assert skopeo("inspect", "--raw", f"containers-storage:{store}{name}") == made.manifest.data
