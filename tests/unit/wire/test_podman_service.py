# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""podman's service is found or started, and ended: with it goes all that it brought."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.podman import PodmanEngine
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ImagesError,
    InputError,
    NotFoundError,
    PeerError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.wire import podman_service
from ansible_collections.fleet.images.plugins.module_utils.wire.podman_service import PodmanService
from ansible_collections.fleet.images.tests.support.images import push_image
from ansible_collections.fleet.images.tests.support.podman import Podman, start_rootless_podman
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions
from ansible_collections.fleet.images.tests.unit.wire.daemon import Daemon, answer_bytes, sending

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULE_UTILS = Path(podman_service.__file__).parents[1]


@pytest.fixture
def surroundings(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> Podman:
    for name, value in podman.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", podman.environment["TMPDIR"])
    return podman


@pytest.fixture
def service(surroundings: Podman) -> Iterator[PodmanService]:
    service = PodmanService("", executable="podman", timeout=60, ca_path="")
    yield service
    service.close()


def graph_root(service: PodmanService) -> str:
    with service.connect() as connection:
        told = connection.request_json("GET", "/v4.0.0/libpod/info")[1]
    return str(told["store"]["graphRoot"])


def children() -> set[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text(encoding="ascii").split()}


def services(folder: Path) -> list[str]:
    """Return the processes whose command names the folder of a service."""
    mark, found = os.fsencode(folder), []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"system\0service" in (command := path.read_bytes()) and mark in command:
                found.append(path.parent.name)
    return found


def folders(podman: Podman) -> list[Path]:
    return sorted(Path(podman.environment["TMPDIR"]).glob("podman-*"))


def test_a_service_of_ones_own_has_the_storage_of_the_users_podman(service: PodmanService, podman: Podman) -> None:
    assert (service.place, graph_root(service)) == ("podman system service", str(podman.graph_root))
    assert service.place == "podman system service"


def test_nothing_is_started_before_it_is_needed_and_all_of_it_goes(service: PodmanService, podman: Podman) -> None:
    before = children()
    assert folders(podman) == []
    for _again in range(2):
        graph_root(service)
        (folder,) = folders(podman)
        processes = children() - before
        assert len(processes) == 2  # and who ends the service if the task does not
        assert (stat.S_IMODE(folder.stat().st_mode), (folder / "podman.sock").is_socket()) == (0o700, True)
        service.close()
        assert (children(), folders(podman)) == (before, [])
        assert not any(Path(f"/proc/{process}").exists() for process in processes)
    service.close()


def test_a_task_that_is_killed_leaves_no_service_and_no_folder(surroundings: Podman) -> None:
    told_end, told = os.pipe()
    task = os.fork()
    if task == 0:
        try:
            graph_root(PodmanService("", executable="podman", timeout=60, ca_path=""))
            os.write(told, b"served")
            signal.pause()
        finally:
            os._exit(1)
    os.close(told)
    try:
        assert os.read(told_end, 10) == b"served"
        (folder,) = folders(surroundings)
        assert len(services(folder)) == 1
    finally:
        os.kill(task, signal.SIGKILL)
        os.waitpid(task, 0)
        os.close(told_end)
    deadline = time.monotonic() + 60
    while (folder.exists() or services(folder)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (folder.exists(), services(folder)) == (False, [])


def test_threads_share_one_service(service: PodmanService, podman: Podman) -> None:
    threads = [threading.Thread(target=graph_root, args=(service,)) for _each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (folder,) = folders(podman)
    assert len(services(folder)) == 1


def test_the_service_learns_what_it_needs_and_nothing_else(
    service: PodmanService, podman: Podman, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VAULT_TOKEN", "CONTAINER_HOST", "DOCKER_CONFIG", "LISTEN_FDS", "ANSIBLE_PASSWORD"):
        monkeypatch.setenv(name, "not-yours")
    graph_root(service)
    (process,) = services(folders(podman)[0])
    rows = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    seen = dict(row.partition("=")[::2] for row in rows if row)
    assert "not-yours" not in seen.values()
    assert seen["CONTAINERS_STORAGE_CONF"] == podman.environment["CONTAINERS_STORAGE_CONF"]
    assert json.loads(Path(seen["REGISTRY_AUTH_FILE"]).read_text(encoding="utf-8")) == {}
    assert Path(seen["DOCKER_CONFIG"], "config.json") == Path(seen["REGISTRY_AUTH_FILE"])


def test_the_address_of_a_service_is_taken_as_it_is(surroundings: Podman) -> None:
    before = children()
    with surroundings.service() as running:
        service = PodmanService(running.address, executable="podman", timeout=60, ca_path="")
        assert (service.place, service.is_local) == (running.address, True)
        assert graph_root(service) == str(surroundings.graph_root)
        service.close()
        assert children() - before == {running.pid}
        assert graph_root(service) == str(surroundings.graph_root)
    assert children() == before


def test_the_usual_socket_is_used_when_somebody_answers_there(podman: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER", "STORAGE_OPTS"):
        monkeypatch.delenv(name, raising=False)
    with podman.service() as running:
        monkeypatch.setattr(podman_service, "_usual_socket", lambda _environ: running.address[len("unix://") :])
        service = PodmanService("", executable="podman", timeout=60, ca_path="")
        assert (service.place, graph_root(service)) == (running.address, str(podman.graph_root))
        other = PodmanService("", executable="podman", timeout=60, ca_path="/etc/ssl/certs")
        monkeypatch.setenv("CONTAINERS_STORAGE_CONF", podman.environment["CONTAINERS_STORAGE_CONF"])
        elsewhere = PodmanService("", executable="podman", timeout=60, ca_path="")
        assert {other.place, elsewhere.place} == {"podman system service"}


def test_a_socket_that_a_service_left_behind_is_no_service(
    tmp_path: Path, podman: Podman, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "STORAGE_DRIVER", "STORAGE_OPTS"):
        monkeypatch.delenv(name, raising=False)
    stale = Path(podman.environment["TMPDIR"]) / "stale.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    monkeypatch.setattr(podman_service, "_usual_socket", lambda _environ: str(stale))
    service = PodmanService("", executable="podman", timeout=60, ca_path="")
    stale.unlink()
    assert service.place == "podman system service"


def test_where_podman_listens_depends_on_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for user in (0, 1000):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        found += [podman_service._usual_socket(environ) for environ in ({}, {"XDG_RUNTIME_DIR": "/run/mine"})]
    assert found == [
        *["/run/podman/podman.sock"] * 2,
        "/run/user/1000/podman/podman.sock",
        "/run/mine/podman/podman.sock",
    ]


def test_a_service_that_cannot_start_is_told_in_its_own_words(
    surroundings: Podman, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "storage.conf"
    broken.write_text(
        '[storage]\ndriver = "no-such-driver"\nrunroot = "/run/none"\ngraphroot = "/run/none"\n', encoding="utf-8"
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(broken))
    before = children()
    service = PodmanService("", executable="podman", timeout=60, ca_path="")
    with pytest.raises(PeerError) as caught:
        service.connect()
    assert caught.value.code == "podman-service-failed"
    assert "no-such-driver" in caught.value.why
    assert (children(), folders(surroundings)) == (before, [])


def test_a_service_that_never_listens_is_ended(surroundings: Podman, tmp_path: Path) -> None:
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\nsleep 600\n", encoding="utf-8")
    program.chmod(0o755)
    before = children()
    service = PodmanService("", executable=str(program), timeout=0.5, ca_path="")
    with pytest.raises(PeerError) as caught:
        service.connect()
    assert (caught.value.code, "0.5 s" in caught.value.why) == ("podman-service-failed", True)
    assert (children(), folders(surroundings)) == (before, [])


@pytest.mark.parametrize(
    ("mode", "error", "code"),
    [(None, NotFoundError, "program-missing"), (0o644, UnsupportedError, "program-not-runnable")],
)
def test_a_podman_that_is_not_there_is_told_by_name(
    surroundings: Podman, tmp_path: Path, mode: int | None, error: type[ImagesError], code: str
) -> None:
    program = tmp_path / "podman"
    if mode is not None:
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(mode)
    with pytest.raises(error) as caught:
        PodmanService("", executable=str(program), timeout=60, ca_path="").connect()
    assert (caught.value.code, caught.value.subject, folders(surroundings)) == (code, str(program), [])


def test_a_bad_address_is_told_at_once() -> None:
    with pytest.raises(InputError, match="not the address of an engine"):
        PodmanService("podman.sock", executable="podman", timeout=60, ca_path="")


@pytest.mark.parametrize(
    ("headers", "code"),
    [("", "engine-mismatch"), ("Libpod-API-Version: 3.4.4\r\n", "engine-too-old")],
)
def test_another_engine_or_an_old_podman_is_told(surroundings: Podman, headers: str, code: str) -> None:
    path = Path(surroundings.environment["TMPDIR"]) / "other.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        daemon = Daemon(listener, sending(answer_bytes(b"OK", headers=headers)))
        service = PodmanService(f"unix://{path}", executable="podman", timeout=60, ca_path="")
        engine = PodmanEngine(service, credentials=lambda _repository: None, validate_certs=None)
        try:
            with pytest.raises(UnsupportedError) as caught:
                engine.observe()
            assert caught.value.code == code
        finally:
            engine.close()
            daemon.stop()
            path.unlink()


@pytest.mark.parametrize("is_folder", [True, False])
def test_certificates_of_the_task_are_trusted_by_a_service_of_its_own(
    surroundings: Podman,
    registry_with: Callable[[RegistryOptions], Registry],
    tmp_path: Path,
    is_folder: bool,
) -> None:
    registry = registry_with(RegistryOptions(tls=True))
    made = push_image(registry, "tls/app", "1")
    authority = Path(registry.ca_path)
    if is_folder:
        (tmp_path / "trusted").mkdir()
        (tmp_path / "trusted" / "authority.crt").write_bytes(authority.read_bytes())
        authority = tmp_path / "trusted"
    name = parse_reference(registry.reference("tls/app", "1"))
    source = parse_reference(f"{registry.host}/tls/app@{made.digest}")

    def pull(ca_path: str) -> None:
        service = PodmanService("", executable="podman", timeout=60, ca_path=ca_path)
        engine = PodmanEngine(service, credentials=lambda _repository: None, validate_certs=True)
        try:
            engine.pull(name, source=source, platform=None, deadline=60)
        finally:
            engine.close()
            service.close()

    with pytest.raises(PeerError) as caught:
        pull("")
    assert (caught.value.code, "x509" in caught.value.why) == ("engine-pull-failed", True)
    pull(str(authority))
    assert str(name) in surroundings.names()


_AS_ANOTHER_USER = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.fleet.images.plugins.module_utils.engines.podman import PodmanEngine
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.wire.podman_service import PodmanService
service = PodmanService("", executable="podman", timeout=60, ca_path="")
engine = PodmanEngine(service, credentials=lambda _repository: None, validate_certs=None)
engine.pull(parse_reference(sys.argv[2]), source=parse_reference(sys.argv[3]), platform=None, deadline=60)
told = {"uid": os.geteuid(), "space": engine.space().path, "names": [str(n) for n in engine.observe().by_name]}
engine.untag(parse_reference("localhost/other:1"))
engine.close()
service.close()
children = open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read()
print(json.dumps({**told, "children": children}))
"""


def test_the_storage_of_a_user_without_root_is_driven_too(shared_registry: Registry) -> None:
    made = push_image(shared_registry, "rootless/app", "1")
    name, source = shared_registry.reference("rootless/app", "1"), f"{shared_registry.host}/rootless/app@{made.digest}"
    with start_rootless_podman() as podman:
        podman.pull(shared_registry, "rootless/app:1")
        podman.cli("tag", name, "localhost/other:1")
        # The checkout and its interpreter may lie where no other user may look.
        collections = podman.folder / "collections"
        place = collections / "ansible_collections" / "fleet" / "images" / "plugins" / "module_utils"
        shutil.copytree(MODULE_UTILS, place, ignore=shutil.ignore_patterns("__pycache__"))
        words = ["/usr/bin/python3", "-c", _AS_ANOTHER_USER, str(collections), name, source]
        environment = {**os.environ, **podman.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(podman.command(*words), env=environment, capture_output=True, check=False, cwd="/")
        assert ran.returncode == 0, ran.stderr.decode()
        told = json.loads(ran.stdout)
        assert told == {
            "uid": podman.uid,
            "space": str(podman.graph_root),
            "names": [name, "localhost/other:1"],
            "children": "",
        }
        assert podman.names() == dict.fromkeys((name, source), made.config.digest[7:])
