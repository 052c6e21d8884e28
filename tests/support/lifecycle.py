# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One host with a store of its own: modules run on it, and what every run of every module must keep to."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.plugins.module_utils.task.options import COMMON

from . import images
from .forked_module import run_forked
from .module import _RUNNER, COLLECTIONS, ModuleRun
from .skopeo import manifest_digest

if t.TYPE_CHECKING:
    from .registry import Registry

#: The platform of the machine the tests run on, one that it is not, and one that nobody makes images for.
HOST = "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
FOREIGN = "linux/s390x"
UNMADE = "linux/mips64le"
#: For hosts at one registry at once, the patience that tasks have: docker-registry refuses for a moment what several
#: put there.
PATIENT: t.Mapping[str, t.Any] = {"retry": COMMON["retry"]["default"]}


class Repository(t.NamedTuple):
    """One repository that a single test uses. ``host`` replaces the registry's own, for tests behind a proxy."""

    registry: Registry
    path: str
    host: str = ""

    def __str__(self) -> str:
        """Return "REGISTRY/PATH", to put a tag or digest behind."""
        return f"{self.host or self.registry.host}/{self.path}"

    def push(self, tag: str, image: images.MadeImage | images.MadeIndex) -> str:
        """Put an image under a tag with our own pusher and return its digest."""
        return images.push(self.registry, self.path, image, tag=tag)

    def digest(self, tag: str) -> str:
        """Return what the tag points at now, "" if it is not there."""
        return self.registry.digest(self.path, tag)


class ManagedHost:
    """A host that modules run on, whatever keeps its images: what every run of every module must keep to.

    A subclass says which options and environment all modules get, and what the host's state is.
    """

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the options of a module: the host's own, then ``params``."""
        raise NotImplementedError

    def surroundings(self) -> dict[str, str]:
        """Return the environment variables of every run."""
        raise NotImplementedError

    def state(self) -> str:
        """Return all that a run could change, as a text to compare, read without our code."""
        raise NotImplementedError

    def run(self, module: str, *, check: bool = False, **params: t.Any) -> ModuleRun:
        """Run a module on this host, with ``--diff``; its failure is a result."""
        return run_forked(module, self.options(params), check=check, environment=self.surroundings())

    def start(self, module: str, **params: t.Any) -> subprocess.Popen[bytes]:
        """Start a module in the background; its result is the last line that ``communicate`` returns."""
        process = subprocess.Popen(
            [sys.executable, "-c", _RUNNER, f"ansible_collections.fleet.images.plugins.modules.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS), "LC_ALL": "C.UTF-8", **self.surroundings()},
        )
        arguments = {"ANSIBLE_MODULE_ARGS": self.options(params)}
        if process.stdin is None:
            raise TypeError("standard input is a pipe")
        process.stdin.write(json.dumps(arguments).encode())
        process.stdin.close()
        process.stdin = None
        return process

    def do(self, module: str, **params: t.Any) -> dict[str, t.Any]:
        """Run a module and return its result; fails if it fails."""
        return self.run(module, **params).succeed()

    def refuse(self, module: str, **params: t.Any) -> dict[str, t.Any]:
        """Return the ``error`` of a module that must fail, in check mode and for real alike, and change nothing."""
        before = self.state()
        announced, refused = (self.run(module, check=check, **params).result for check in (True, False))
        assert refused.get("failed"), refused
        assert "error" in refused, refused
        assert announced.get("error") == refused["error"]
        assert announced["msg"] == refused["msg"]
        assert "Traceback" not in json.dumps(refused)
        assert self.state() == before
        return {**refused["error"], "msg": refused["msg"]}

    def announce(self, module: str, **params: t.Any) -> dict[str, t.Any]:
        """Return the result of check mode; fails if it changed the host."""
        before = self.state()
        announced = self.run(module, check=True, **params).succeed()
        assert self.state() == before, f"check mode of {module} changed the host"
        return announced

    def settle(self, module: str, **params: t.Any) -> dict[str, t.Any]:
        """Announce, do, do again: return what was done; fails unless it was announced, changed, and lasted."""
        announced = self.announce(module, **params)
        done = self.do(module, **params)
        assert told(done) == told(announced), f"{module} did something else than check mode announced"
        assert done["changed"] is True
        assert done["actions"]
        assert done["diff"]["prepared"].count("\n") == 1 + len(done["actions"])
        self.rest(module, **params)
        return done

    def rest(self, module: str, **params: t.Any) -> dict[str, t.Any]:
        """Run a module that finds everything as wanted and return its result; fails if it finds work."""
        before = self.state()
        again = self.do(module, **params)
        assert again["changed"] is False
        assert again["actions"] == []
        assert again["diff"] == {"before": "", "after": ""}
        assert self.state() == before, f"{module} reported no change and changed the host"
        return again


class _HostFields(t.NamedTuple):
    store: Path
    settings: t.Mapping[str, t.Any] = {}
    environment: t.Mapping[str, str] = {}


class Host(ManagedHost, _HostFields):
    """A store and the options that all modules get (``settings``); the directory is made by the first change."""

    def options(self, params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        # A registry that fails in a test fails for good: trying again would only take time.
        return {"engine": "layout", "store": str(self.store), "retry": 0, **self.settings, **params}

    def surroundings(self) -> dict[str, str]:
        return {"DOCKER_CONFIG": str(self.store.parent / "no-docker-config"), **self.environment}

    def state(self) -> str:
        return tree_digest(self.store)

    def names(self) -> dict[str, str]:
        """Return the names in the store's index with the manifest digest each points at, read without our code."""
        try:
            document = json.loads((self.store / "index.json").read_bytes())
        except FileNotFoundError:
            return {}
        key = "org.opencontainers.image.ref.name"
        rows = [(row["annotations"][key], row["digest"]) for row in document["manifests"]]
        assert len(rows) == len(dict(rows)), f"a name is there twice: {rows}"
        return dict(rows)

    def blobs(self) -> set[str]:
        """Return the digests of all blobs; fails if one does not hash to its name."""
        found = set()
        for path in (self.store / "blobs" / "sha256").glob("*"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
            found.add(f"sha256:{path.name}")
        return found

    def skopeo_digest(self, name: str) -> str:
        """Return the manifest digest that skopeo finds under ``name``."""
        return manifest_digest(f"oci:{self.store}:{name}")


def told(result: t.Mapping[str, t.Any]) -> str:
    """Return everything a module says but how long it took, byte for byte."""
    return json.dumps({key: value for key, value in result.items() if key != "elapsed"}, indent=1)


def kinds(result: t.Mapping[str, t.Any]) -> list[str]:
    """Return the kinds of the actions, in their order."""
    return [action["action"] for action in result["actions"]]


def tree_digest(folder: Path) -> str:
    """Return a digest of all that lies below ``folder``: paths, kinds, modes, content. "absent" if it is not there."""
    if not folder.exists():
        return "absent"
    hasher = hashlib.sha256()
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(place, name)
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            hasher.update(f"{path.relative_to(folder)} {path.stat().st_mode:o} {content}\n".encode())
    return hasher.hexdigest()
