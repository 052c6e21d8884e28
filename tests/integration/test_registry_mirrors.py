# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role registry_mirrors before real engines: what they then fetch where, and that it can be undone."""

from __future__ import annotations

import json
import os
import signal
import typing as t
from contextlib import ExitStack
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support import images
from ansible_collections.fleet.images.tests.support.certificates import make_certificates
from ansible_collections.fleet.images.tests.support.containerd import Containerd
from ansible_collections.fleet.images.tests.support.dockerd import start_dockerd
from ansible_collections.fleet.images.tests.support.playbook import PlaybookRun, run_playbook
from ansible_collections.fleet.images.tests.support.podman import Podman
from ansible_collections.fleet.images.tests.support.programs import run
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry
from ansible_collections.fleet.images.tests.support.tunnel import Tunnel

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "team/app"
IMAGE = images.make_image({"a": b"1"}, seed=61, layers=3, random_bytes=30_000)
LATER = images.make_image({"a": b"2"}, seed=62, layers=2, random_bytes=30_000)


class HostFiles:
    """The engines' files of one host, below a folder of the test; ``variables`` lead the role there."""

    def __init__(self, folder: Path) -> None:
        self.root, self.home = folder / "etc", folder / "ansible"
        self.root.mkdir(parents=True)
        self.variables: dict[str, t.Any] = {
            "registry_mirrors_service_manager": "none",
            "registry_mirrors_docker_config": str(self.root / "docker/daemon.json"),
            "registry_mirrors_docker_certs": str(self.root / "docker/certs.d"),
            "registry_mirrors_containerd_config": str(self.root / "containerd/config.toml"),
            "registry_mirrors_containerd_certs": str(self.root / "containerd/certs.d"),
            "registry_mirrors_podman_registries": str(self.root / "containers/registries.conf"),
            "registry_mirrors_podman_config": str(self.root / "containers/registries.conf.d/500-mirrors.conf"),
            "registry_mirrors_podman_certs": str(self.root / "containers/certs.d"),
            "registry_mirrors_backup": str(self.root / "backup"),
        }

    def write(self, name: str, text: str, *, mode: int = 0o644) -> Path:
        """Put a file below ``root`` and return its path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def contents(self) -> dict[str, tuple[int, bytes]]:
        """Return every file and folder below ``root`` with its mode and bytes."""
        rows = {}
        for path in sorted(self.root.rglob("*")):
            rows[str(path.relative_to(self.root))] = (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        return rows

    def role(
        self, *arguments: str, mirrors: str | t.Sequence[t.Mapping[str, t.Any]] = (), **variables: t.Any
    ) -> PlaybookRun:
        """Run the role with ``mirrors``; variables are written without the role's name before them."""
        named = {f"registry_mirrors_{name}": value for name, value in variables.items()}
        listed = mirrors if isinstance(mirrors, str) else list(mirrors)
        play = {
            "hosts": "all",
            "gather_facts": False,
            "vars": {"fleet_images_mirrors": listed, **self.variables, **named},
            "roles": ["fleet.images.registry_mirrors"],
        }
        faster = {"ANSIBLE_PIPELINING": "true"}
        return run_playbook([play], self.home, arguments=arguments, environment=faster, timeout=900)

    def undo(self, **options: t.Any) -> None:
        """Run the role so that it brings back what was there."""
        self.do(state="absent", **options)

    def do(self, **options: t.Any) -> None:
        """Run the role once, and have it changed something."""
        done = self.role(**options)
        assert done.returncode == 0, done.output
        assert is_changed(done)

    def settle(self, **options: t.Any) -> None:
        """Run the role: check mode changes nothing and tells of a change, a second run has nothing to do."""
        before = self.contents()
        checked = self.role("--check", "--diff", **options)
        assert checked.returncode == 0, checked.output
        assert self.contents() == before
        done = self.role(**options)
        assert done.returncode == 0, done.output
        assert is_changed(checked) == is_changed(done) == (self.contents() != before)
        again = self.role(**options)
        assert again.returncode == 0, again.output
        assert not is_changed(again), [row.task for row in again.results if row.changed]


def is_changed(done: PlaybookRun) -> bool:
    """Tell whether any task of the run reported a change."""
    return any(row.changed for row in done.results)


class World(t.NamedTuple):
    """An origin and a mirror, both behind proxies that count. The mirror has IMAGE, the origin LATER, too."""

    origin: CountingProxy
    mirror: CountingProxy
    mirror_registry: Registry

    def mirrors(self) -> list[dict[str, t.Any]]:
        """Return the declaration."""
        return [{"registry": self.origin.host, "location": f"{self.mirror.host}/hub", "insecure": True}]

    def name(self, image: images.MadeImage) -> str:
        """Return the name by digest, at the origin."""
        return f"{self.origin.host}/{PATH}@{image.digest}"


@pytest.fixture
def world(tmp_path: Path, registry: Registry) -> Iterator[World]:
    """Yield an origin and a mirror that has its images below hub/."""
    with ExitStack() as held:
        other = held.enter_context(start_registry(tmp_path / "mirror"))
        origin, mirror = (held.enter_context(CountingProxy(server.url)) for server in (registry, other))
        for image, tag in ((IMAGE, "1"), (LATER, "2")):
            images.push(registry, PATH, image, tag=tag)
        images.push(other, f"hub/{PATH}", IMAGE, tag="1")
        yield World(origin, mirror, other)


@pytest.fixture
def files(tmp_path: Path) -> HostFiles:
    """Return the files of a host, of which none is there yet."""
    return HostFiles(tmp_path / "host")


def test_containerd_fetches_from_the_mirror_and_without_it_from_the_origin(
    world: World, files: HostFiles, containerd: Containerd
) -> None:
    own = 'version = 2\n\n[plugins."io.containerd.grpc.v1.cri".cni]\n  bin_dir = "/usr/lib/cni"\n'
    config = files.write("containerd/config.toml", own, mode=0o600)
    files.write(f"containerd/certs.d/{world.origin.host}/hosts.toml", "# own words\n")
    before = files.contents()
    files.settle(mirrors=world.mirrors(), engines=["containerd"])
    certs = files.variables["registry_mirrors_containerd_certs"]
    shown = run(["containerd", "--config", config, "config", "dump"]).decode()
    assert f'config_path = "{certs}"' in shown
    namespace = containerd.new_namespace()
    containerd.ctr("images", "pull", "--hosts-dir", certs, world.name(IMAGE), namespace=namespace)
    assert {blob.digest for blob in IMAGE.layers} <= containerd.content(namespace)
    assert world.origin.count() == 0
    assert world.mirror.bytes_sent() > sum(len(blob.data) for blob in IMAGE.layers)
    world.mirror.__exit__()
    containerd.ctr("images", "pull", "--hosts-dir", certs, f"{world.origin.host}/{PATH}:2", namespace=namespace)
    assert {blob.digest for blob in LATER.layers} <= containerd.content(namespace)
    files.undo()
    assert files.contents() == before


def test_containerd_asks_the_origin_what_a_tag_means_where_mirrors_are_not_trusted(
    world: World, files: HostFiles, containerd: Containerd
) -> None:
    images.push(world.mirror_registry, f"hub/{PATH}", IMAGE, tag="2")  # yesterday's
    images.push(world.mirror_registry, f"hub/{PATH}", LATER, tag="3")
    namespace, name = containerd.new_namespace(), f"{world.origin.host}/{PATH}:2"
    files.do(mirrors=world.mirrors(), engines=["containerd"], tags="origin")
    certs = files.variables["registry_mirrors_containerd_certs"]
    containerd.ctr("images", "pull", "--hosts-dir", certs, name, namespace=namespace)
    assert containerd.digests(namespace)[name] == LATER.digest
    assert world.origin.bytes_sent(path="/blobs/") == 0


def test_podman_fetches_from_the_mirror_and_without_it_from_the_origin(
    world: World, files: HostFiles, podman: Podman
) -> None:
    files.write("containers/registries.conf", "unqualified-search-registries = []\n")
    before = files.contents()
    files.settle(mirrors=world.mirrors(), engines=["podman"])
    (drop_in,) = (files.root / "containers/registries.conf.d").iterdir()
    leading = {"CONTAINERS_REGISTRIES_CONF": str(drop_in)}

    def pull(name: str, *words: str) -> None:
        run(["podman", "pull", "--quiet", *words, name], environment={**podman.environment, **leading}, cwd=Path("/"))

    podman.clear()
    pull(world.name(IMAGE))
    assert world.origin.count() == 0
    assert world.mirror.bytes_sent() > sum(len(blob.data) for blob in IMAGE.layers)
    world.mirror.__exit__()
    pull(world.name(LATER), "--tls-verify=false")  # of the origin nothing is declared, and it has no certificate
    assert any(name.endswith(LATER.digest) for name in podman.names())
    files.undo()
    assert files.contents() == before
    podman.clear()


def test_podman_trusts_the_authority_of_a_mirror_and_no_other(
    files: HostFiles, podman: Podman, tmp_path: Path
) -> None:
    podman.clear()
    with start_registry(tmp_path / "secure", RegistryOptions(tls=True)) as mirror:
        images.push(mirror, PATH, IMAGE, tag="1")
        authority = Path(mirror.ca_path).read_text(encoding="utf-8")
        certs = podman.folder / "home/.config/containers/certs.d"
        rows = [{"registry": "registry.test.example", "location": mirror.host, "ca": authority}]
        files.do(mirrors=rows, engines=["podman"], podman_certs=str(certs))
        leading = {"CONTAINERS_REGISTRIES_CONF": files.variables["registry_mirrors_podman_config"]}
        name = f"registry.test.example/{PATH}:1"
        run(["podman", "pull", "-q", name], environment={**podman.environment, **leading}, cwd=Path("/"))
        assert name in podman.names()
        files.undo(podman_certs=str(certs))
        assert not certs.exists()
        podman.clear()


def test_docker_fetches_from_the_mirror_and_without_it_from_docker_hub(
    world: World, files: HostFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_folder = tmp_path / "docker-hub"
    made = make_certificates(hub_folder / "certificates", names=["DNS:registry-1.docker.io", "IP:127.0.0.1"])
    with ExitStack() as held:
        hub = held.enter_context(start_registry(hub_folder, RegistryOptions(tls=True)))
        images.push(hub, PATH, LATER, tag="2")
        images.push(world.mirror_registry, PATH, IMAGE, tag="1")
        tunnel = held.enter_context(Tunnel(hub.host))
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
        daemon = held.enter_context(start_dockerd(tmp_path / "dockerd"))
        config = tmp_path / "dockerd/none.json"
        config.write_text('{"max-concurrent-downloads":   2}', encoding="utf-8")
        mirrors = [{"registry": "docker.io", "location": world.mirror.host, "insecure": True}]
        options = {"docker_config": str(config), "docker_socket": str(daemon.socket), "engines": ["docker"]}
        files.settle(mirrors=mirrors, **options)
        assert json.loads(config.read_text(encoding="utf-8"))["max-concurrent-downloads"] == 2
        os.kill(daemon.pid, signal.SIGHUP)
        wait_for_mirrors(daemon, [f"http://{world.mirror.host}/"])
        daemon.cli("pull", f"{PATH}:1")
        assert tunnel.bytes_received == 0
        assert world.mirror.bytes_sent() > sum(len(blob.data) for blob in IMAGE.layers)
        world.mirror.__exit__()
        daemon.cli("pull", f"{PATH}:2")
        assert tunnel.bytes_received > sum(len(blob.data) for blob in LATER.layers)
        files.undo(**options)
        assert config.read_bytes() == b'{"max-concurrent-downloads":   2}'
        daemon.stop()
        daemon.start()
        wait_for_mirrors(daemon, [])


def wait_for_mirrors(daemon: t.Any, wanted: list[str]) -> None:
    """Wait until the daemon has read its settings."""
    for _attempt in range(200):
        shown = json.loads(daemon.cli("info", "--format", "{{json .RegistryConfig.Mirrors}}")) or []
        if shown == wanted:
            return
    raise AssertionError(f"Docker has the mirrors {shown}")


def test_what_cannot_be_had_is_refused_before_anything_is_written_or_left_out_with_the_reason(files: HostFiles) -> None:
    mirrors = [{"registry": name, "location": "cache.example.com"} for name in ("docker.io", "ghcr.io")]
    options: dict[str, t.Any] = {"mirrors": mirrors, "engines": ["docker"], "docker_store": "classic"}
    refused = files.role(**options)
    assert refused.returncode != 0
    assert files.contents() == {}
    told = "docker cannot have cache.example.com for ghcr.io: with its own image store Docker mirrors docker.io alone"
    assert told in " ".join(refused.output.split())
    left_out = files.role(**options, unsupported="skip")
    assert left_out.returncode == 0, left_out.output
    config = files.root / "docker/daemon.json"
    assert json.loads(config.read_bytes()) == {"registry-mirrors": ["https://cache.example.com"]}
    assert files.role(**{**options, "mirrors": "{{ nobody }}"}).returncode != 0
    assert "registry-mirrors" in config.read_text(encoding="utf-8"), "a list that cannot be read is no empty one"
    config.write_text("{}", encoding="utf-8")
    kept = files.role(state="absent")
    assert kept.returncode != 0
    assert f"Changed by somebody else since this role wrote them: {config}" in " ".join(kept.output.split())
    assert config.read_text(encoding="utf-8") == "{}"
