# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts with the engines that hosts really have; what they hold is read by each engine's own client, not our code."""

from __future__ import annotations

import contextlib
import json
import typing as t

from .lifecycle import Host, ManagedHost, tree_digest

if t.TYPE_CHECKING:
    from pathlib import Path

    from .containerd import Containerd
    from .dockerd import Dockerd
    from .podman import Podman

_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class EngineHost(ManagedHost):
    """A host of the contract suites, empty at first. ``engine`` is what users write as ``engine``."""

    engine: str

    def images(self) -> dict[str, str]:
        """Return the config digest behind each tagged name; names in full ("docker.io/library/redis:7")."""
        raise NotImplementedError

    def digests(self) -> set[str]:
        """Return every digest by which the engine knows an image of some repository ("REPOSITORY@DIGEST")."""
        raise NotImplementedError

    def use(self, image: str, container: str, *, is_running: bool) -> None:
        """Make a container from ``image``, and start it if it ``is_running``: it sleeps."""
        raise NotImplementedError

    def containers(self) -> dict[str, bool]:
        """Return whether each container runs."""
        raise NotImplementedError

    def drop(self, container: str) -> None:
        """Remove a container, running or not."""
        raise NotImplementedError


class LayoutHost(EngineHost):
    """The embedded store: no daemon, no containers."""

    engine = "layout"

    def __init__(self, folder: Path) -> None:
        self.host = Host(folder / "store")

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return self.host.options(params)

    def surroundings(self) -> dict[str, str]:
        return self.host.surroundings()

    def state(self) -> str:
        return self.host.state()

    def images(self) -> dict[str, str]:
        return {
            name: _config(self._read(digest), self._read)
            for name, digest in self.host.names().items()
            if "@" not in name
        }

    def digests(self) -> set[str]:
        if not self.host.store.exists():
            return set()
        key = "org.opencontainers.image.ref.name"
        rows = json.loads((self.host.store / "index.json").read_bytes())["manifests"]
        found = set()
        for row in rows:
            repository = _repository(row["annotations"][key])
            known = [value for value in row["annotations"].values() if value.startswith("sha256:")]
            found |= {f"{repository}@{digest}" for digest in (row["digest"], *known)}
        return found

    def _read(self, digest: str) -> bytes:
        return (self.host.store / "blobs" / "sha256" / digest.partition(":")[2]).read_bytes()


class DockerHost(EngineHost):
    """A real dockerd, emptied first."""

    engine = "docker"

    def __init__(self, daemon: Dockerd) -> None:
        self.daemon = daemon
        for container in self._lines("ps", "-aq"):
            self.daemon.cli("rm", "-f", container)
        while images := self.all_ids():
            for image in images:
                with contextlib.suppress(AssertionError):  # others were built on it, or it went along with one
                    self.daemon.cli("rmi", "-f", image)
            assert self.all_ids() != images, "no image goes"

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {"engine": "docker", "docker_host": self.daemon.address, "retry": 0, **params}

    def surroundings(self) -> dict[str, str]:
        return {}

    def state(self) -> str:
        images = "{{.ID}} {{.Repository}}:{{.Tag}}@{{.Digest}}"
        rows = self._lines("images", "-a", "--no-trunc", "--digests", "--format", images)
        containers = self._lines("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}}")
        return "\n".join([*sorted(rows), *sorted(containers)])

    def images(self) -> dict[str, str]:
        rows = self._lines("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
        found = dict(row.split(" ") for row in rows)
        return {full_name(name): image_id for name, image_id in found.items() if "<none>" not in name}

    def digests(self) -> set[str]:
        rows = self._lines("images", "--digests", "--format", "{{.Repository}}@{{.Digest}}")
        return {full_name(row) for row in rows if "<none>" not in row}

    def use(self, image: str, container: str, *, is_running: bool) -> None:
        command = ["run", "--detach"] if is_running else ["create"]
        self.daemon.cli(*command, "--name", container, "--network", "none", image)

    def containers(self) -> dict[str, bool]:
        rows = self._lines("ps", "-a", "--format", "{{.Names}} {{.State}}")
        return {name: state == "running" for name, state in (row.split(" ") for row in rows)}

    def drop(self, container: str) -> None:
        self.daemon.cli("rm", "-f", container)

    def all_ids(self) -> list[str]:
        """Return the ID of every image, those without a name among them."""
        return self._lines("images", "--all", "--quiet", "--no-trunc")

    def _lines(self, *words: str) -> list[str]:
        return self.daemon.cli(*words).decode().splitlines()


class PodmanHost(EngineHost):
    """A real podman with a storage of its own, emptied first."""

    engine = "podman"

    def __init__(self, podman: Podman) -> None:
        self.podman = podman
        self.podman.cli("rm", "--all", "--force", "--time", "0")
        self.podman.cli("rmi", "--all", "--force")

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return {"engine": "podman", "retry": 0, **params}

    def surroundings(self) -> dict[str, str]:
        return dict(self.podman.environment)

    def state(self) -> str:
        told = ("Id", "Names", "RepoDigests")
        images = sorted(json.dumps([row.get(key) for key in told]) for row in self._rows())
        return "\n".join([*images, str(sorted(self.containers().items()))])

    def images(self) -> dict[str, str]:
        return {
            name: f"sha256:{row['Id']}" for row in self._rows() for name in row.get("Names") or () if "@" not in name
        }

    def digests(self) -> set[str]:
        return {digest for row in self._rows() for digest in row.get("RepoDigests") or ()}

    def use(self, image: str, container: str, *, is_running: bool) -> None:
        command = ["run", "--detach"] if is_running else ["create"]
        self.podman.cli(*command, "--name", container, "--network", "none", "--pull", "never", image)

    def containers(self) -> dict[str, bool]:
        rows = json.loads(self.podman.cli("ps", "--all", "--format", "json") or "[]")
        return {row["Names"][0]: row["State"] == "running" for row in rows}

    def drop(self, container: str) -> None:
        self.podman.cli("rm", "--force", "--time", "0", container)

    def _rows(self) -> list[dict[str, t.Any]]:
        rows: list[dict[str, t.Any]] = json.loads(self.podman.cli("images", "--all", "--format", "json"))
        return rows


class RootlessPodmanHost(PodmanHost):
    """Podman of a user without root, behind a service that the user started."""

    def __init__(self, podman: Podman, *, address: str) -> None:
        super().__init__(podman)
        self._address = address

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        return super().options({"docker_host": self._address, **params})

    def surroundings(self) -> dict[str, str]:
        return {}


class ContainerdHost(EngineHost):
    """A namespace of its own at a real containerd. Containers are records with a snapshot: nothing runs in them."""

    engine = "containerd"

    def __init__(self, daemon: Containerd, folder: Path) -> None:
        self.daemon = daemon
        self.namespace = daemon.new_namespace()
        self._store = folder / "store"

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        place = {"containerd_address": self.daemon.address, "namespace": self.namespace, "store": str(self._store)}
        return {"engine": "containerd", **place, "retry": 0, **params}

    def surroundings(self) -> dict[str, str]:
        return {}

    def state(self) -> str:
        names = sorted(self.daemon.digests(self.namespace).items())
        content = sorted(self.daemon.content(self.namespace))
        return f"{names}\n{content}\n{sorted(self.containers())}\n{tree_digest(self._store)}"

    def images(self) -> dict[str, str]:
        rows = self.daemon.digests(self.namespace)
        return {name: _config(self._read(digest), self._read) for name, digest in rows.items() if "@" not in name}

    def digests(self) -> set[str]:
        rows = self.daemon.digests(self.namespace)
        return {f"{_repository(name)}@{digest}" for name, digest in rows.items()}

    def use(self, image: str, container: str, *, is_running: bool) -> None:
        self._ctr("containers", "create", image, container)

    def containers(self) -> dict[str, bool]:
        return dict.fromkeys(self._ctr("containers", "ls", "-q").decode().split(), False)

    def drop(self, container: str) -> None:
        self._ctr("containers", "rm", container)

    def _read(self, digest: str) -> bytes:
        return self._ctr("content", "get", digest)

    def _ctr(self, *words: str) -> bytes:
        return self.daemon.ctr(*words, namespace=self.namespace)


def load_archive(host: EngineHost, archive: Path) -> None:
    """Let the engine's own client take an archive."""
    if isinstance(host, DockerHost):
        host.daemon.cli("load", input_bytes=archive.read_bytes())
    elif isinstance(host, PodmanHost):
        host.podman.cli("load", input_bytes=archive.read_bytes())
    elif isinstance(host, ContainerdHost):
        host.daemon.ctr("images", "import", str(archive), namespace=host.namespace)
        lease = host.daemon.ctr("leases", "create", namespace=host.namespace).decode().strip()
        # what the archive had beside images is gone on return, and not at any moment later
        host.daemon.ctr("leases", "rm", "--sync", lease, namespace=host.namespace)


def full_name(name: str) -> str:
    """Return a name as Docker shows it with its registry and namespace."""
    first, separator, _rest = name.partition("/")
    if separator and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if separator else f"docker.io/library/{name}"


def _repository(name: str) -> str:
    """Return a name without its tag or digest; a registry's port is no tag."""
    path, separator, last = name.partition("@")[0].rpartition("/")
    return f"{path}{separator}{last.partition(':')[0]}"


def _config(raw: bytes, read: t.Callable[[str], bytes]) -> str:
    """Return the config digest of a manifest, or of the first manifest of an index whose content is there."""
    document = json.loads(raw)
    if document.get("mediaType") not in _INDEXES:
        return str(document["config"]["digest"])
    for row in document["manifests"]:
        try:
            return _config(read(row["digest"]), read)
        except AssertionError:  # of an index a host holds its own platform alone
            continue
    raise AssertionError("nothing of this index is there")
