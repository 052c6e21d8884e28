# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of a task to its engine. Only the file of the engine that is taken is compiled."""

from __future__ import annotations

import functools
import os
import typing as t

from ..engines.select import select_engine
from ..model.errors import InputError
from .option_problems import ignored_tls

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..engines.base import Daemon, Engine
    from ..engines.loading import Loader
    from ..model.reference import Reference
    from ..stores.base import ContentStore
    from ..stores.layout import LayoutStore
    from ..wire.credentials import Credential

    Params = Mapping[str, t.Any]
    FindCredential = Callable[[Reference], "Credential | None"]

START_DOCKER = "Start it (systemctl start docker), name its address in docker_host, or choose another one with engine"


class Opened(t.NamedTuple):
    """An engine, and what a plan needs beside it.

    ``content`` opens the store that its content is in, ``scratch`` makes a folder there for temporary files. With a
    ``daemon``, which speaks to registries itself, there is no such store. ``archiver`` is the engine again where it
    keeps content to itself and moves whole images. With ``keeps_index`` an image comes with the index that it was
    chosen from.
    """

    engine: Engine
    content: Callable[[], ContentStore]
    scratch: Callable[[], str] = lambda: ""
    daemon: Daemon | None = None
    archiver: Loader | None = None
    keeps_index: bool = False
    close: Callable[[], None] = lambda: None


def open_engine(params: Params, *, credentials: FindCredential, warn: Callable[[str], None]) -> Opened:
    """Return the engine that the options name, not yet spoken to; ``warn`` is told what plays no part.

    Raises:
        InputError: the address or a setting of the engine cannot be used, or no-home.
        UnsupportedError: the engine cannot be reached over such an address.
    """
    name = select_engine(params["engine"], address=params["docker_host"] or "")
    if name == "docker":
        return _docker(params, credentials=credentials, warn=warn)
    warn(ignored_tls(params))
    if name == "podman":
        return _podman(params, credentials)
    if name == "containerd":
        return _containerd(params)
    return _layout(params["store"] or default_store())


def _docker(params: Params, *, credentials: FindCredential, warn: Callable[[str], None]) -> Opened:
    from ..engines.docker import DockerEngine
    from ..wire.engine_socket import EngineConnection, EngineEndpoint, EngineTls
    from .engine_options import docker_options

    options = docker_options(params, os.environ)
    endpoint = EngineEndpoint.parse(options.address)
    warn(ignored_tls(params, address=options.address))
    tls = None
    if options.uses_tls:
        files = (options.ca_path, options.client_cert, options.client_key)
        tls = EngineTls(*files, options.validate_certs, options.hostname)

    def connect() -> EngineConnection:
        return EngineConnection(endpoint, timeout=options.timeout, tls=tls, start_hint=START_DOCKER)

    engine = DockerEngine(connect, place=str(endpoint), api_version=options.api_version, credentials=credentials)
    return Opened(engine, _no_content, daemon=engine, archiver=engine, close=engine.close)


def _podman(params: Params, credentials: FindCredential) -> Opened:
    from ..engines.podman import PodmanEngine
    from ..wire.podman_service import PodmanService
    from .engine_options import podman_options

    options = podman_options(params, os.environ)
    service = PodmanService(
        options.address,
        executable=options.executable,
        timeout=options.timeout,
        ca_path=params["registry_ca_path"] or "",
    )
    validate_certs = params["registry_validate_certs"]
    engine = PodmanEngine(service, credentials=credentials, validate_certs=validate_certs)

    def close() -> None:
        engine.close()
        service.close()

    return Opened(engine, _no_content, daemon=engine, archiver=engine, close=close)


def _containerd(params: Params) -> Opened:
    from ..engines.containerd import ContainerdEngine
    from ..stores.containerd import ContainerdStore
    from .engine_options import containerd_client

    ctr = containerd_client(params)
    folder = os.path.join(params["store"] or default_store(), "staging")
    opened: list[ContainerdStore] = []  # one for all: what it brings into containerd, it takes out of its directory

    def content(create: bool = True) -> ContainerdStore:
        if not opened:
            opened.append(ContainerdStore(ctr, _layout_store(folder, create=create)))
        return opened[0]

    engine = ContainerdEngine(ctr, content=content)
    scratch = functools.partial(_scratch, folder)
    return Opened(engine, content, scratch, keeps_index=True, close=engine.close)


def _layout(folder: str) -> Opened:
    from ..engines.layout import LayoutEngine

    engine = LayoutEngine(lambda create: _layout_store(folder, create=create), place=folder)
    content = functools.partial(_layout_store, folder, create=True)
    return Opened(engine, content, functools.partial(_scratch, folder), close=engine.close)


def _layout_store(folder: str, *, create: bool) -> LayoutStore:
    from pathlib import Path

    from ..stores.layout import LayoutStore

    return LayoutStore(Path(folder), create=create)


def _scratch(folder: str) -> str:
    return _layout_store(folder, create=True).scratch()


def _no_content() -> ContentStore:
    raise TypeError("the daemon of this engine moves its content itself")


def default_store() -> str:
    """Return where the embedded store lies unless ``store`` says otherwise: per system for root, else per user.

    Raises:
        InputError: no-home.
    """
    if os.geteuid() == 0:
        return "/var/lib/fleet-images"
    for data in (os.environ.get("XDG_DATA_HOME", ""), os.path.expanduser("~/.local/share")):
        if os.path.isabs(data):
            return os.path.join(data, "fleet-images")
    raise InputError(
        "The user that the task runs as has no home for the embedded store",
        code="no-home",
        why=f"neither HOME nor an entry in passwd names a folder for user {os.geteuid()}",
        fix="set store to a directory of this user",
        subject="store",
    )
