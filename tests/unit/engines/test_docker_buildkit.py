# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds by BuildKit of a real Docker daemon, through the docker client of this machine; secrets above all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import stat
import tarfile
import tempfile
import tracemalloc
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.docker import DockerEngine
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder, Secret
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
from ansible_collections.fleet.images.tests.support.processes import seen_of_processes

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

VALUE = b"a rather unlikely pass phrase\nof two lines, #7c1f"
ORDER = BuildOrder("Dockerfile", network="none", needs_buildkit=True)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """Yield a daemon with the image ``shell``, in which steps can run."""
    with start_dockerd(tmp_path_factory.mktemp("docker")) as daemon:
        install = 'FROM scratch\nCOPY busybox /bin/\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
        tar = b"".join(context_of({"Dockerfile": install, "busybox": busybox()})(hidden_by=""))
        daemon.cli("build", "--network=none", "--tag=shell", "-", input_bytes=tar)
        yield daemon


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of temporary files, which is empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def engine(daemon: Dockerd, temporary: Path) -> Iterator[DockerEngine]:
    engine = engine_at(daemon.address)
    yield engine
    engine.close()
    assert list(temporary.iterdir()) == []


def build(engine: DockerEngine, dockerfile: str, order: BuildOrder = ORDER, **files: bytes | str) -> str:
    """Return the ID of the image."""
    assert builds_of(engine).lacks(order) == ()
    built = builds_of(engine).build(order, context=context_of({"Dockerfile": dockerfile, **files}))
    assert built.builder == "BuildKit"
    return str(built.identity.config_digest)


def failure(engine: DockerEngine, dockerfile: str, order: BuildOrder = ORDER) -> ImagesError:
    with pytest.raises(PeerError) as raised:
        build(engine, dockerfile, order)
    assert raised.value.code == "engine-build-failed"
    return raised.value


def printed(daemon: Dockerd, image: str, *command: str) -> str:
    """Return what a command prints in a container of ``image``."""
    return daemon.cli("run", "--rm", "--network=none", image, *command).decode()


def bytes_of(daemon: Dockerd, image: str) -> bytes:
    """Return all that the daemon keeps of an image: each file of each layer, its config and history."""
    told = daemon.cli("inspect", image) + daemon.cli("history", "--no-trunc", image)
    with tarfile.open(fileobj=io.BytesIO(daemon.cli("save", image))) as archive:
        members = [member for member in archive if member.isfile()]
        return told + b"".join(t.cast("t.IO[bytes]", archive.extractfile(member)).read() for member in members)


def test_a_secret_is_there_while_a_step_runs_and_nowhere_else(
    daemon: Dockerd, engine: DockerEngine, temporary: Path
) -> None:
    asked: list[str] = []
    seen: list[bytes] = []
    modes: set[int] = set()

    def look(path: str) -> None:
        asked.append(path)
        seen.append(seen_of_processes())
        (folder,) = temporary.iterdir()
        modes.update(stat.S_IMODE(place.stat().st_mode) for place in (folder, *folder.glob("secret-*")))

    with answering(look) as address:
        step = f"wget -q {address}/$(sha256sum /run/secrets/the-token | cut -d' ' -f1)"
        text = f"FROM shell\nRUN --mount=type=secret,id=the-token {step}\nRUN ls /run/secrets >/left 2>&1 || true\n"
        order = ORDER._replace(secrets=(Secret("the-token", VALUE),), network="host", needs_buildkit=False)
        image = build(engine, text, order)
    assert asked == [f"/{hashlib.sha256(VALUE).hexdigest()}"]
    assert modes == {0o700, 0o600}
    assert b'--secret="id=the-token"' in seen[0]  # the client was looked at while it ran
    for line in VALUE.splitlines():
        assert line not in seen[0]
        assert line not in bytes_of(daemon, image)
    assert "No such file" in printed(daemon, image, "cat", "/left") or not printed(daemon, image, "cat", "/left")


def test_a_secret_that_a_step_prints_is_not_told(engine: DockerEngine) -> None:
    text = "FROM shell\nRUN --mount=type=secret,id=tok cat /run/secrets/tok; echo; echo more; exit 4\n"
    error = failure(engine, text, ORDER._replace(secrets=(Secret("tok", VALUE),)))
    assert "RUN --mount=type=secret,id=tok cat" in error.what
    assert "more" in error.why.splitlines()
    for line in VALUE.decode().splitlines():
        assert line not in str(error.to_json())


def test_a_folder_of_the_context_can_be_mounted(daemon: Dockerd, engine: DockerEngine) -> None:
    text = "FROM shell\nRUN --mount=type=bind,source=a,target=/mounted/a cp /mounted/a /copied\n"
    assert printed(daemon, build(engine, text, a="content"), "cat", "/copied") == "content"


def test_what_is_ordered_is_heeded(daemon: Dockerd, engine: DockerEngine) -> None:
    text = "FROM shell AS one\nARG V=none\nRUN echo $V >/v; cat /etc/hosts >/hosts\nFROM one\nRUN false\n"
    labels = {"images.fleet.build.inputs": json.dumps({"arg:V": 'a, "b" = c'}), "empty": ""}
    hosts = {"db.example": "192.0.2.7", "six.example": "2001:db8::7"}
    order = ORDER._replace(args={"V": 'a "b" $c,=d'}, target="one", labels=labels, etc_hosts=hosts)
    image = build(engine, text, order)
    assert printed(daemon, image, "cat", "/v") == 'a "b" $c,=d\n'
    found = [line.split() for line in printed(daemon, image, "cat", "/hosts").splitlines()]
    assert ["192.0.2.7", "db.example"] in found and ["2001:db8::7", "six.example"] in found
    (nameless,) = [one for one in engine.observe().images if one.id == image]
    assert (nameless.names, nameless.labels) == ((), labels)
    built = builds_of(engine).build(order, context=context_of({"Dockerfile": text}))
    assert str(built.identity.config_digest) == image
    engine.tag(parse_reference("kit/made:1"), identity=built.identity, platform=None)
    assert json.loads(daemon.cli("inspect", "kit/made:1"))[0]["Config"]["Labels"] == labels


def test_steps_are_taken_from_the_cache_unless_they_must_not(daemon: Dockerd, engine: DockerEngine) -> None:
    text = "FROM shell\nRUN cat /proc/sys/kernel/random/uuid >/u\n"
    first, again, anew = (
        printed(daemon, build(engine, text, ORDER._replace(is_cached=is_cached)), "cat", "/u")
        for is_cached in (True, True, False)
    )
    assert first == again != anew


def test_another_platform_is_built_by_buildkit(daemon: Dockerd, engine: DockerEngine) -> None:
    order = ORDER._replace(platform=Platform("linux", "arm64"), needs_buildkit=False)
    image = build(engine, "FROM scratch\nCOPY Dockerfile /\n", order)
    assert json.loads(daemon.cli("inspect", image))[0]["Architecture"] == "arm64"


@pytest.mark.parametrize(
    ("text", "what", "why"),
    [
        ("FROM shell\nRUN seq 1 9000; exit 3\n", "] RUN seq 1 9000; exit 3", "9000"),
        ("FROM scratch\nCOPY nothing /\n", "] COPY nothing /", "nothing"),
        ("FROM 127.0.0.1:9/no:1\nUSER 1\n", "127.0.0.1:9/no:1", "connection refused"),
        ("FROM scratch\nNONSENSE 1\n", "could not build", "line 2: unknown instruction: NONSENSE"),
    ],
)
def test_what_cannot_be_built_is_told(daemon: Dockerd, engine: DockerEngine, text: str, what: str, why: str) -> None:
    before = set(daemon.cli("images", "--all", "--quiet").split())
    error = failure(engine, text)
    assert what in error.what
    assert why in error.why
    assert len(error.why) < 4500
    assert set(daemon.cli("images", "--all", "--quiet").split()) == before


def test_a_large_context_goes_through_in_pieces(daemon: Dockerd, engine: DockerEngine) -> None:
    context = context_with_zeros("FROM shell\nRUN --mount=type=bind,source=zeros,target=/z stat -c%s /z >/size\n", 48)
    builds_of(engine).lacks(ORDER)
    tracemalloc.start()
    built = builds_of(engine).build(ORDER, context=context)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    assert printed(daemon, str(built.identity.config_digest), "cat", "/size") == f"{48 << 20}\n"


def test_a_context_that_breaks_off_builds_nothing(daemon: Dockerd, engine: DockerEngine) -> None:
    def broken(*, hidden_by: str) -> Iterable[bytes]:
        yield b"".join(context_of({"Dockerfile": "FROM scratch\nLABEL broken=1\n"})(hidden_by=hidden_by))[:700]
        raise ConflictError("it changed", code="context-changed")

    with pytest.raises(ConflictError):
        builds_of(engine).build(ORDER, context=broken)
    assert daemon.cli("images", "--all", "--quiet", "--filter", "label=broken") == b""


def test_a_daemon_that_dies_is_told_as_such(tmp_path: Path) -> None:
    with (
        start_dockerd(tmp_path / "mortal") as mortal,
        answering(lambda path: os.kill(mortal.pid, signal.SIGKILL)) as url,
    ):
        engine = engine_at(mortal.address)
        text = f'FROM scratch\nCOPY busybox /bin/\nRUN ["/bin/busybox", "wget", "-q", "{url}"]\n'
        with pytest.raises(UnavailableError) as raised:
            build(engine, text, ORDER._replace(network="host"), busybox=busybox())
        engine.close()
        mortal.kill()
    assert raised.value.code in ("engine-unreachable", "engine-connection-lost")


def test_what_buildkit_does_not_heed_is_told(engine: DockerEngine) -> None:
    order = ORDER._replace(network="container:x", squash=True, shm_size=1 << 20)
    assert [lacking.partition(":")[0] for lacking in builds_of(engine).lacks(order)] == [
        "squash",
        "network",
        "shm_size",
    ]


def test_without_a_client_for_buildkit_what_needs_it_is_told(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = tmp_path / "docker"
    podman.write_text("#!/bin/sh\necho podman version 4.3.1\n", encoding="utf-8")
    podman.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    secret = ORDER._replace(secrets=(Secret("tok", VALUE),))
    assert [builds_of(engine).lacks(order)[0].partition(":")[0] for order in (ORDER, secret)] == [
        "dockerfile",
        "secrets",
    ]
    with pytest.raises(UnsupportedError) as raised:
        builds_of(engine).build(secret, context=context_of({"Dockerfile": "FROM scratch\nUSER 1\n"}))
    assert raised.value.code == "buildkit-missing"


def test_a_client_that_is_another_program_is_passed_over(
    engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    podman = tmp_path / "docker"
    podman.write_text("#!/bin/sh\necho podman version 4.3.1\n", encoding="utf-8")
    podman.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    build(engine, "FROM scratch\nUSER 1\n")
