# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tests of engine connections ask for: a folder for a socket, and a daemon behind it."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import EngineConnection, EngineEndpoint
from ansible_collections.fleet.images.tests.unit.wire.daemon import PATIENCE, Answer, Daemon

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="fi-") as name:
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., tuple[Daemon, EngineConnection]]]:
    """Start a daemon on a unix socket and return it with a connection to it; both are closed afterwards."""
    with contextlib.ExitStack() as stack:

        def start(answer: Answer, *, timeout: float = PATIENCE) -> tuple[Daemon, EngineConnection]:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(folder / "engine.sock"))
            listener.listen()
            daemon = Daemon(listener, answer)
            stack.callback(daemon.stop)
            endpoint = EngineEndpoint.parse(f"unix://{folder}/engine.sock")
            return daemon, stack.enter_context(EngineConnection(endpoint, timeout=timeout))

        yield start
