# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Building on a real podman: what comes out, what is heeded, and what a failure tells and leaves."""

from __future__ import annotations

import io
import json
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.podman import PodmanEngine
from ansible_collections.fleet.images.plugins.module_utils.engines.podman_build import PodmanBuilds
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder, Secret
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.wire.podman_service import PodmanService
from ansible_collections.fleet.images.tests.support.images import push_image
from ansible_collections.fleet.images.tests.support.podman import Podman
from ansible_collections.fleet.images.tests.support.programs import require, run
from ansible_collections.fleet.images.tests.support.registry import Registry
from ansible_collections.fleet.images.tests.support.skopeo import skopeo

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.fleet.images.plugins.module_utils.model.build_order import Built

DOCKERFILE = ".fleet-images.Dockerfile"
ORDER = BuildOrder(DOCKERFILE)
APPLETS = ("cat", "df", "grep", "ls", "sh", "id")


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


@pytest.fixture
def base(engine: PodmanEngine, shared_registry: Registry) -> str:
    """Name an image with a shell by its digest; the host holds it, and nothing else."""
    require("busybox")
    shell = run(["sh", "-c", "cat $(command -v busybox)"])
    made = push_image(shared_registry, "build/base", "1", files={f"bin/{name}": shell for name in APPLETS})
    name = f"{shared_registry.host}/build/base@{made.digest}"
    reference = parse_reference(name)
    engine.pull(reference, source=reference, platform=None, deadline=None)
    return name


def packed(dockerfile: str, files: Mapping[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in {**(files or {}), DOCKERFILE: dockerfile}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def build(
    engine: PodmanEngine, dockerfile: str, order: BuildOrder = ORDER, files: Mapping[str, str] | None = None
) -> Built:
    """Build from a context that is sent in small pieces."""
    whole = packed(dockerfile, files)

    def pieces(*, hidden_by: str) -> Iterator[bytes]:
        assert hidden_by == ".containerignore"
        yield from (whole[at : at + 5000] for at in range(0, len(whole), 5000))

    return PodmanBuilds(engine.api).build(order, context=pieces)


def inspect(podman: Podman, built: Built) -> dict[str, t.Any]:
    """Return what podman's own program tells of the image."""
    found: list[dict[str, t.Any]] = json.loads(podman.cli("image", "inspect", image_id(built)))
    return found[0]


def image_id(built: Built) -> str:
    digest = built.identity.config_digest
    assert digest is not None
    return digest.encoded


def printed(podman: Podman, built: Built, *command: str) -> str:
    return podman.cli("run", "--rm", "--network=none", image_id(built), *command).decode()


def test_an_image_from_nothing_has_its_labels_its_platform_and_no_name(engine: PodmanEngine, podman: Podman) -> None:
    order = ORDER._replace(
        labels={"images.fleet.build.key": "sha256:1", "team": "a=b c"}, platform=Platform("linux", "arm64")
    )
    built = build(engine, 'FROM scratch\nCOPY a /a\nHEALTHCHECK CMD ["/a"]\nONBUILD COPY b /b\n', order, {"a": "one"})
    told = inspect(podman, built)
    labels = {name: value for name, value in told["Labels"].items() if not name.startswith("io.buildah.")}
    assert (built.builder, labels, told["RepoTags"]) == ("podman", order.labels, [])
    assert told["Architecture"] == "arm64"
    storage = f"[overlay@{podman.graph_root}+{podman.folder / 'run'}]"
    config = json.loads(skopeo("inspect", "--config", "--raw", f"containers-storage:{storage}{image_id(built)}"))[
        "config"
    ]
    assert (config["OnBuild"], config["Healthcheck"]["Test"]) == (["COPY b /b"], ["CMD", "/a"])
    assert podman.names() == {}


def test_steps_run_on_a_base_by_digest_with_arguments_hosts_memory_and_target(
    engine: PodmanEngine, podman: Podman, base: str
) -> None:
    steps = "ARG A=none\nRUN echo $A > /out; cat /etc/hosts > /hosts; df -k /dev/shm > /shm\nFROM scratch\n"
    order = ORDER._replace(
        args={"A": "given"}, target="first", network="none", shm_size=32 << 20, etc_hosts={"db.test": "192.0.2.7"}
    )
    built = build(engine, f"FROM {base} AS first\n{steps}", order)
    assert printed(podman, built, "/bin/cat", "/out") == "given\n"
    hosts = [line.split() for line in printed(podman, built, "/bin/cat", "/hosts").splitlines()]
    assert ["192.0.2.7", "db.test"] in hosts
    assert " 32768 " in printed(podman, built, "/bin/cat", "/shm")


def test_the_same_build_takes_its_steps_from_the_cache_unless_told_otherwise(
    engine: PodmanEngine, podman: Podman, base: str
) -> None:
    dockerfile = f"FROM {base}\nRUN cat /proc/sys/kernel/random/uuid > /drawn\n"
    first, again = build(engine, dockerfile), build(engine, dockerfile)
    fresh = build(engine, dockerfile, ORDER._replace(is_cached=False))
    assert first.identity == again.identity
    assert printed(podman, fresh, "/bin/cat", "/drawn") != printed(podman, first, "/bin/cat", "/drawn")


def test_squashed_steps_are_one_layer_upon_those_of_the_base(engine: PodmanEngine, podman: Podman, base: str) -> None:
    dockerfile = f"FROM {base}\nRUN echo 1 > /1\nRUN echo 2 > /2\n"
    plain, squashed = build(engine, dockerfile), build(engine, dockerfile, ORDER._replace(squash=True))
    base_layers = inspect(podman, plain)["RootFS"]["Layers"][:1]
    layers = inspect(podman, squashed)["RootFS"]["Layers"]
    assert (len(inspect(podman, plain)["RootFS"]["Layers"]), len(layers), layers[:1]) == (3, 2, base_layers)


def test_a_secret_is_read_by_its_step_and_is_nowhere_else(engine: PodmanEngine, podman: Podman, base: str) -> None:
    order = ORDER._replace(secrets=(Secret("one", b"hush-1"), Secret("two", b"x" * 700)))
    steps = (
        "COPY . /all/\n"
        "RUN --mount=type=secret,id=one --mount=type=secret,id=two cat /run/secrets/two | grep -q xxxx\n"
        "RUN --mount=type=secret,id=one grep -q '^[h]ush-1' /run/secrets/one && echo read > /read\n"
    )
    built = build(engine, f"FROM {base}\n{steps}", order, {"plain": "1"})
    assert printed(podman, built, "/bin/cat", "/read") == "read\n"
    assert printed(podman, built, "/bin/ls", "-A", "/all").split() == [DOCKERFILE, "plain"]
    archive = podman.cli("save", image_id(built))
    assert b"hush-1" not in archive
    assert list((podman.folder / "tmp").glob("libpod_builder*")) == []


def test_a_failing_step_is_named_with_its_last_lines_and_leaves_no_image(
    engine: PodmanEngine, podman: Podman, base: str
) -> None:
    kept = build(engine, f"FROM {base}\nRUN echo first > /first\n")
    before = podman.rows()
    order = ORDER._replace(secrets=(Secret("one", b"hush-12345"),))
    steps = (
        "RUN echo first > /first\nRUN echo second > /second\n"
        "RUN --mount=type=secret,id=one echo that went wrong; cat /run/secrets/one; exit 7\n"
    )
    with pytest.raises(PeerError) as caught:
        build(engine, f"FROM {base}\n{steps}", order)
    error = caught.value
    assert error.code == "engine-build-failed"
    assert "RUN --mount=type=secret,id=one echo that went wrong" in error.what
    assert "that went wrong\n***" in error.why and "exit status 7" in error.why
    assert "hush" not in str(error)
    assert (podman.rows(), len(before)) == (before, 2)
    assert inspect(podman, kept)["Id"] == image_id(kept)


def test_a_base_that_the_host_lacks_is_not_fetched(
    engine: PodmanEngine, shared_registry: Registry, podman: Podman
) -> None:
    made = push_image(shared_registry, "build/absent", "1")
    with pytest.raises(PeerError) as caught:
        build(engine, f"FROM {shared_registry.host}/build/absent@{made.digest}\nCOPY a /a\n", files={"a": "1"})
    assert (caught.value.code, podman.rows()) == ("engine-build-failed", [])


def test_a_base_known_by_its_tag_alone_is_found_by_its_digest(
    engine: PodmanEngine, podman: Podman, shared_registry: Registry
) -> None:
    made = push_image(shared_registry, "build/tagged", "1")
    podman.pull(shared_registry, "build/tagged:1")
    built = build(engine, f"FROM {shared_registry.host}/build/tagged@{made.digest}\nCOPY a /a\n", files={"a": "1"})
    assert len(inspect(podman, built)["RootFS"]["Layers"]) == 2


def test_images_as_caches_are_what_podman_lacks(engine: PodmanEngine) -> None:
    assert PodmanBuilds(engine.api).lacks(ORDER._replace(squash=True, secrets=(Secret("a", b""),), shm_size=1)) == ()
    assert [
        reason.partition(":")[0] for reason in PodmanBuilds(engine.api).lacks(ORDER._replace(cache_from=("a/b:1",)))
    ] == ["cache_from"]


def test_a_podman_that_knows_no_heredocs_is_told_before_it_builds(podman: Podman, engine: PodmanEngine) -> None:
    version = podman.cli("version", "--format", "{{.Server.Version}}").decode().strip()
    told = PodmanBuilds(engine.api).lacks(ORDER._replace(has_heredocs=True))
    if tuple(map(int, version.split(".")[:2])) >= (4, 8):
        assert told == ()
        return
    (reason,) = told
    assert reason.startswith("dockerfile: ")
    assert version in reason
    with pytest.raises(PeerError):
        build(engine, "FROM scratch\nCOPY <<EOF /a\nx\nEOF\n", ORDER._replace(has_heredocs=True))


def test_without_root_images_are_built_too(rootless_podman: tuple[Podman, str]) -> None:
    podman, address = rootless_podman
    service = PodmanService(address, executable="podman", timeout=60, ca_path="")
    engine = PodmanEngine(service, credentials=lambda _repository: None, validate_certs=None)
    built = build(engine, "FROM scratch\nCOPY a /a\nENV A=b\n", files={"a": "1"})
    assert inspect(podman, built)["Config"]["Env"][-1] == "A=b"
    podman.clear()
    engine.close()
    service.close()
