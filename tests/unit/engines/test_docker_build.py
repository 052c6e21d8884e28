# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds by the classic builder of a real Docker daemon: what it heeds, what it leaves, and how its failures read."""

from __future__ import annotations

import json
import os
import signal
import tracemalloc
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.docker import DockerEngine
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    ImagesError,
    PeerError,
    UnavailableError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.tests.support.build_contexts import (
    answering,
    busybox,
    context_of,
    context_with_zeros,
)
from ansible_collections.fleet.images.tests.support.docker_engine import builds_of, engine_at
from ansible_collections.fleet.images.tests.support.dockerd import Dockerd, start_dockerd
from ansible_collections.fleet.images.tests.support.images import push_image
from ansible_collections.fleet.images.tests.support.registry import start_registry

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
ORDER = BuildOrder("Dockerfile", network="none")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """Yield a daemon with the image ``shell``, in which steps can run."""
    with start_dockerd(tmp_path_factory.mktemp("docker")) as daemon:
        install = 'FROM scratch\nCOPY busybox /bin/\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
        tar = b"".join(context_of({"Dockerfile": install, "busybox": busybox()})(hidden_by=""))
        daemon.cli("build", "--network=none", "--tag=shell", "-", input_bytes=tar)
        yield daemon


@pytest.fixture
def engine(daemon: Dockerd) -> Iterator[DockerEngine]:
    engine = engine_at(daemon.address)
    yield engine
    engine.close()


def build(engine: DockerEngine, dockerfile: str, order: BuildOrder = ORDER, **files: bytes | str) -> str:
    """Return the ID of the image."""
    assert builds_of(engine).lacks(order) == ()
    built = builds_of(engine).build(order, context=context_of({"Dockerfile": dockerfile, **files}))
    assert built.builder == "classic builder"
    return str(built.identity.config_digest)


def failure(engine: DockerEngine, dockerfile: str, order: BuildOrder = ORDER) -> ImagesError:
    with pytest.raises(PeerError) as raised:
        build(engine, dockerfile, order)
    assert raised.value.code == "engine-build-failed"
    return raised.value


def printed(daemon: Dockerd, image: str, *command: str) -> str:
    """Return what a command prints in a container of ``image``."""
    return daemon.cli("run", "--rm", "--network=none", image, *command).decode()


def named(daemon: Dockerd) -> list[str]:
    """Return every name on the host."""
    rows = daemon.cli("images", "--all", "--format", "{{.Repository}}:{{.Tag}}").decode().split()
    return [row for row in rows if row != "<none>:<none>"]


def test_what_is_built_has_no_name_and_can_be_named_and_seen(daemon: Dockerd, engine: DockerEngine) -> None:
    long = json.dumps({f"arg:{number}": "a 'quoted' \"value\", $HOME and ümlaut" for number in range(500)})
    order = ORDER._replace(labels={"images.fleet.build.key": "k1", "images.fleet.build.inputs": long})
    before = named(daemon)
    built = builds_of(engine).build(
        order, context=context_of({"Dockerfile": "FROM scratch\nCOPY hello /\n", "hello": "hi"})
    )
    assert named(daemon) == before
    (nameless,) = [image for image in engine.observe().images if image.id == str(built.identity.config_digest)]
    assert (nameless.names, nameless.labels) == ((), order.labels)
    engine.tag(parse_reference("made/here:1"), identity=built.identity, platform=None)
    found = engine.observe().find(parse_reference("made/here:1"))
    assert found is not None and found.labels == order.labels
    (told,) = json.loads(daemon.cli("inspect", "made/here:1"))
    assert (told["Id"], told["Config"]["Labels"]) == (nameless.id, dict(order.labels))
    daemon.cli("rmi", "made/here:1")


def test_arguments_and_the_target_are_heeded(daemon: Dockerd, engine: DockerEngine) -> None:
    text = "FROM shell AS one\nARG V=none\nRUN echo $V >/v\nFROM one AS two\nRUN echo no >/v\nFROM two\n"
    order = ORDER._replace(args={"V": 'a "b" $c,=d'}, target="one")
    assert printed(daemon, build(engine, text, order), "cat", "/v") == 'a "b" $c,=d\n'


def test_what_steps_see_of_hosts_and_memory_is_as_ordered(daemon: Dockerd, engine: DockerEngine) -> None:
    text = "FROM shell\nRUN cat /etc/hosts >/hosts; grep ' /dev/shm ' /proc/mounts >/shm; cat /proc/net/dev >/net\n"
    order = ORDER._replace(etc_hosts={"db.example": "192.0.2.7", "six.example": "2001:db8::7"}, shm_size=8 << 20)
    image = build(engine, text, order)
    hosts = [line.split() for line in printed(daemon, image, "cat", "/hosts").splitlines()]
    assert ["192.0.2.7", "db.example"] in hosts and ["2001:db8::7", "six.example"] in hosts
    assert "size=8192k" in printed(daemon, image, "cat", "/shm")
    assert printed(daemon, image, "cat", "/net").count(":") == 1


def test_a_step_can_use_the_network_of_the_host(engine: DockerEngine) -> None:
    asked: list[str] = []
    with answering(asked.append) as address:
        build(engine, f"FROM shell\nRUN wget -q -O- {address}/hello\n", ORDER._replace(network="host"))
    assert asked == ["/hello"]


def test_steps_are_taken_from_the_cache_unless_they_must_not(engine: DockerEngine) -> None:
    text = "FROM shell\nRUN cat /proc/sys/kernel/random/uuid >/u\n"
    first = build(engine, text)
    assert build(engine, text) == first
    assert build(engine, text, ORDER._replace(is_cached=False)) != first


def test_a_cache_can_be_an_image(daemon: Dockerd, engine: DockerEngine) -> None:
    text = "FROM shell\nRUN cat /proc/sys/kernel/random/uuid >/cached\n"
    first = build(engine, text)
    build(engine, text, ORDER._replace(is_cached=False))
    daemon.cli("tag", first, "cache:1")
    assert build(engine, text, ORDER._replace(cache_from=("docker.io/library/cache:1",))) == first
    daemon.cli("rmi", "cache:1")


def test_a_step_that_fails_is_named_with_its_last_lines(daemon: Dockerd, engine: DockerEngine) -> None:
    before = named(daemon)
    text = "FROM shell\nRUN echo of another step\nRUN (seq 1 5000; echo 'what went wrong') >&2; exit 3\nRUN x\n"
    error = failure(engine, text)
    assert error.what.startswith("The build failed in Step 3/4 : RUN (seq 1 5000; echo 'what went wrong')")
    assert {"4999", "5000", "what went wrong"} <= set(error.why.splitlines())
    assert "of another step" not in error.why and "\x1b" not in error.why
    assert "non-zero code: 3" in error.why and len(error.why) < 4500
    assert named(daemon) == before
    assert daemon.cli("ps", "--all", "--quiet") == b""


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ("FROM scratch\nCOPY nothing /\n", "Step 2/2 : COPY nothing /", "nothing"),
        ("FROM 127.0.0.1:9/no:1\nUSER 1\n", "Step 1/2 : FROM 127.0.0.1:9/no:1", "connection refused"),
        ("FROM shell\nRUN --mount=type=cache,target=/c true\n", "Step 2/2 : RUN --mount", "BuildKit"),
        ("FROM scratch\nNONSENSE 1\n", "could not build", "line 2: unknown instruction: NONSENSE"),
    ],
)
def test_what_cannot_be_built_is_told(engine: DockerEngine, text: str, what: str, why: str) -> None:
    error = failure(engine, text)
    assert what in error.what
    assert why in error.why


def test_a_failing_dockerfile_name_is_told(engine: DockerEngine) -> None:
    assert "Other" in failure(engine, "FROM scratch\nUSER 1\n", ORDER._replace(dockerfile="Other")).why


def test_a_large_context_goes_through_in_pieces(daemon: Dockerd, engine: DockerEngine) -> None:
    context = context_with_zeros("FROM shell\nCOPY zeros /\n", 48)
    builds_of(engine).lacks(ORDER)
    tracemalloc.start()
    built = builds_of(engine).build(ORDER, context=context)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert printed(daemon, str(built.identity.config_digest), "stat", "-c%s", "/zeros") == f"{48 << 20}\n"


def test_a_context_that_breaks_off_builds_nothing(daemon: Dockerd, engine: DockerEngine) -> None:
    def broken(*, hidden_by: str) -> Iterable[bytes]:
        yield b"".join(context_of({"Dockerfile": "FROM scratch\nLABEL broken=1\n"})(hidden_by=hidden_by))[:700]
        raise ConflictError("it changed", code="context-changed")

    with pytest.raises(ConflictError):
        builds_of(engine).build(ORDER, context=broken)
    assert daemon.cli("images", "--all", "--quiet", "--filter", "label=broken") == b""
    build(engine, "FROM scratch\nLABEL whole=1\n")


@pytest.mark.parametrize("needs_buildkit", [False, True])
def test_a_base_that_is_there_by_digest_is_not_asked_for(
    daemon: Dockerd, engine: DockerEngine, tmp_path: Path, needs_buildkit: bool
) -> None:
    with start_registry(tmp_path / "registry") as registry:
        made = push_image(registry, "base", seed=int(needs_buildkit) + 1)
        base = parse_reference(f"{registry.host}/base@{made.digest}")
        engine.pull(base, source=base, platform=None, deadline=None)
    context = context_of({"Dockerfile": f"FROM {base}\nCOPY Dockerfile /\n"})
    built = builds_of(engine).build(ORDER._replace(needs_buildkit=needs_buildkit), context=context)
    layers = json.loads(daemon.cli("inspect", str(built.identity.config_digest)))[0]["RootFS"]["Layers"]
    assert layers[0] == json.loads(made.config.data)["rootfs"]["diff_ids"][0]


def architecture(daemon: Dockerd, image: str) -> str:
    return daemon.cli("inspect", "--format", "{{.Architecture}}", image).decode().strip()


def test_images_for_two_platforms_do_not_come_from_each_others_cache(
    daemon: Dockerd, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "FROM scratch AS one\nCOPY Dockerfile /\nFROM one\nUSER 7\n"
    with monkeypatch.context() as without_client:
        without_client.setenv("PATH", str(tmp_path))
        arm64 = build(engine, text, ORDER._replace(platform=ARM64))
        amd64 = [build(engine, text, ORDER._replace(platform=platform)) for platform in (AMD64, None)]
        again = build(engine, text, ORDER._replace(platform=ARM64))
    told = [architecture(daemon, image) for image in (arm64, *amd64, again)]
    assert told == ["arm64", "amd64", "amd64", "arm64"]


def test_a_base_for_another_platform_than_ordered_is_told(
    daemon: Dockerd, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as without_client:
        without_client.setenv("PATH", str(tmp_path))
        base = build(engine, "FROM scratch\nCOPY Dockerfile /base\n", ORDER._replace(platform=ARM64))
    daemon.cli("tag", base, "foreign:1")
    text = "FROM foreign:1\nLABEL made=wrongly\n"
    assert architecture(daemon, build(engine, text)) == "arm64"
    with pytest.raises(UnsupportedError) as raised:
        build(engine, text, ORDER._replace(platform=AMD64))
    assert raised.value.code == "build-platform"
    daemon.cli("rmi", "foreign:1")


def test_squash_needs_a_daemon_that_can(engine: DockerEngine, tmp_path: Path) -> None:
    order = ORDER._replace(squash=True)
    assert [lacking.partition(":")[0] for lacking in builds_of(engine).lacks(order)] == ["squash"]
    with start_dockerd(tmp_path / "experimental", arguments=["--experimental"]) as daemon:
        able = engine_at(daemon.address)
        image = build(able, "FROM scratch\nCOPY Dockerfile /a\nCOPY Dockerfile /b\n", order)
        able.close()
        assert len(json.loads(daemon.cli("inspect", image))[0]["RootFS"]["Layers"]) == 1


def test_a_daemon_that_dies_is_told_and_leaves_no_name(tmp_path: Path) -> None:
    with (
        start_dockerd(tmp_path / "mortal") as mortal,
        answering(lambda path: os.kill(mortal.pid, signal.SIGKILL)) as address,
    ):
        engine = engine_at(mortal.address)
        text = f'FROM scratch\nCOPY busybox /bin/\nRUN ["/bin/busybox", "wget", "-q", "{address}"]\n'
        with pytest.raises(UnavailableError) as raised:
            build(engine, text, ORDER._replace(network="host"), busybox=busybox())
        engine.close()
        assert raised.value.code == "engine-connection-lost"
        mortal.kill()
        mortal.start()
        assert named(mortal) == []
