# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker daemon that no package here has: other versions of the API, and the containerd image store.

Shapes are those of Docker's API documentation. It keeps nothing: each answer is what a test put there.
"""

from __future__ import annotations

import json
import socketserver
import threading
import typing as t
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

CLASSIC: Mapping[str, t.Any] = {"DriverStatus": [["Backing Filesystem", "extfs"]], "DockerRootDir": "/"}
CONTAINERD: Mapping[str, t.Any] = {
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
    "DockerRootDir": "/",
}


class Asked(t.NamedTuple):
    """One request: ``path`` without the version of the API, which is in ``version`` ("" for none)."""

    method: str
    path: str
    version: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class SimulatedDockerd:
    """What the daemon answers, and what it was asked.

    ``answers`` maps "METHOD /path" to a status and JSON, or to a list of JSON messages; others are answered with 404.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[Asked] = []
        self.answers: dict[str, tuple[int, t.Any]] = {}
        self.answer_version()
        self.answers["GET /info"] = (200, CLASSIC)
        self.answers["GET /images/json"] = (200, [])
        self.answers["GET /containers/json"] = (200, [])

    def answer_version(
        self, api: str = "1.41", lowest: str = "1.12", *, components: Sequence[str] = ("Engine",), **more: str
    ) -> None:
        """Say which versions of the API it speaks, and of which parts it is made."""
        parts = [{"Name": name, "Version": "1"} for name in components]
        told = {"Version": "1", "ApiVersion": api, "MinAPIVersion": lowest, "Os": "linux", "Arch": "amd64"}
        self.answers["GET /version"] = (200, {**told, "Components": parts, **more})

    def requests(self) -> list[str]:
        """Return what it was asked, as "METHOD /path", oldest first."""
        return [f"{asked.method} {asked.path}" for asked in self.asked]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, simulated: SimulatedDockerd) -> None:
        super().__init__(path, _Handler)
        self.simulated = simulated


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        path, version = unquote(parts.path), ""
        if path.startswith("/v1."):
            version, _slash, path = path[2:].partition("/")
            path = f"/{path}"
        query = {key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        simulated = self.server.simulated
        simulated.asked.append(Asked(self.command, path, version, query, dict(self.headers.items())))
        status, told = simulated.answers.get(f"{self.command} {path}", (404, {"message": f"no such thing: {path}"}))
        is_stream = isinstance(told, list) and self.command == "POST"
        body = "\r\n".join(map(json.dumps, told)) if is_stream else json.dumps(told)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_DELETE = do_HEAD = _answer


@contextmanager
def simulated_dockerd(folder: Path) -> Iterator[SimulatedDockerd]:
    """Serve on a socket in ``folder`` (a short path) until the block ends."""
    path = folder / "docker.sock"
    simulated = SimulatedDockerd(f"unix://{path}")
    with _Server(str(path), simulated) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield simulated
        finally:
            server.shutdown()
            thread.join()
