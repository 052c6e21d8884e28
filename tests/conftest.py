# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test can ask for: servers and tools by fixture; and the rule about skips.

A test that needs a program asks for it through ``support.programs.require``; without it the test is skipped with a
reason that starts with "missing engine:". Such skips are listed loudly at the end, and fail the run where ``CI=true``.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.containerd import Containerd, start_containerd
from ansible_collections.fleet.images.tests.support.dockerd import Dockerd, start_dockerd
from ansible_collections.fleet.images.tests.support.engine_hosts import (
    ContainerdHost,
    DockerHost,
    EngineHost,
    LayoutHost,
    PodmanHost,
    RootlessPodmanHost,
)
from ansible_collections.fleet.images.tests.support.lifecycle import Repository
from ansible_collections.fleet.images.tests.support.podman import Podman, start_podman, start_rootless_podman
from ansible_collections.fleet.images.tests.support.programs import MISSING, require
from ansible_collections.fleet.images.tests.support.proxy import CountingProxy
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions, start_registry
from hypothesis import settings

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_IS_CI = os.environ.get("CI", "").lower() == "true"

# A busy machine is no counterexample; and what decides whether a change lands must not depend on luck.
settings.register_profile("checkout", deadline=None, derandomize=_IS_CI, print_blob=True)
settings.load_profile("checkout")

# What modules remember of contexts lies with the tests, not with the user who runs them.
_CACHE = tempfile.TemporaryDirectory(prefix="cache-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """Yield an empty registry of this test's own: plain HTTP on loopback, no accounts, deletion allowed."""
    with start_registry(tmp_path / "registry") as server:
        yield server


@pytest.fixture
def registry_with(tmp_path: Path) -> Iterator[Callable[[RegistryOptions], Registry]]:
    """Yield a function that starts a registry with given options; all of them stop when the test ends."""
    from contextlib import ExitStack

    with ExitStack() as servers:
        count = 0

        def start(options: RegistryOptions) -> Registry:
            nonlocal count
            count += 1
            return servers.enter_context(start_registry(tmp_path / f"registry-{count}", options))

        yield start


@pytest.fixture(scope="session")
def shared_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Yield one registry for all tests of this worker: use repository names of your own and leave others alone."""
    with start_registry(tmp_path_factory.mktemp("shared-registry")) as server:
        yield server


@pytest.fixture
def repository(shared_registry: Registry, request: pytest.FixtureRequest) -> Repository:
    """Return a repository at the shared registry that only this test uses."""
    return Repository(shared_registry, "case/" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12])


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    """Yield one Docker daemon for all tests of this worker; ``DockerHost`` empties it."""
    with start_dockerd(tmp_path_factory.mktemp("dockerd")) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    """Yield one Podman storage for all tests of this worker; ``PodmanHost`` empties it."""
    with start_podman() as storage:
        yield storage


@pytest.fixture(scope="session")
def rootless_podman() -> Iterator[tuple[Podman, str]]:
    """Yield a Podman without root and the address of its service, for all tests of this worker."""
    with start_rootless_podman() as storage, storage.service() as service:
        yield storage, service.address


@pytest.fixture(scope="session")
def containerd() -> Iterator[Containerd]:
    """Yield one containerd for all tests of this worker: use a namespace of your own."""
    with tempfile.TemporaryDirectory(prefix="containerd-") as folder, start_containerd(Path(folder)) as daemon:
        yield daemon


@pytest.fixture(params=["layout", "docker", "podman", "rootless-podman", "containerd"])
def engine_host(request: pytest.FixtureRequest, tmp_path: Path) -> EngineHost:
    """Return an empty host with each engine in turn; a daemon starts when its first test needs it."""
    if request.param == "docker":
        return DockerHost(request.getfixturevalue("dockerd"))
    if request.param == "podman":
        return PodmanHost(request.getfixturevalue("podman"))
    if request.param == "rootless-podman":
        storage, address = request.getfixturevalue("rootless_podman")
        return RootlessPodmanHost(storage, address=address)
    if request.param == "containerd":
        return ContainerdHost(request.getfixturevalue("containerd"), tmp_path)
    return LayoutHost(tmp_path)


@pytest.fixture
def counting_proxy(registry: Registry) -> Iterator[CountingProxy]:
    """Yield a proxy before ``registry`` that counts requests and bytes and can be told to fail."""
    with CountingProxy(registry.url) as proxy:
        yield proxy


@pytest.fixture
def needs() -> Callable[..., None]:
    """Return ``require``: ``needs("skopeo", "umoci")`` skips the test where one is missing (and fails it in CI)."""
    return require


def _missing(reports: list[t.Any]) -> list[tuple[str, str]]:
    rows = []
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(MISSING):
            rows.append((report.nodeid, reason))
    return rows


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Name every skipped test, and say what was missing, after everything else but the closing line."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    missing = _missing(skipped)
    terminalreporter.section(f"{len(skipped)} SKIPPED", yellow=True, bold=True)
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.line(f"{report.nodeid}: {reason}")
    if missing and _IS_CI:
        terminalreporter.line(f"CI=true: {len(missing)} skipped for a missing engine: this run fails", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run with missing engines red where ``CI=true``."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    is_worker = hasattr(session.config, "workerinput")
    if _IS_CI and not is_worker and reporter is not None and _missing(reporter.stats.get("skipped", [])):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
