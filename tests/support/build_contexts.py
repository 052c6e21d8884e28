# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contexts for builds, as tars, made without our code; and a server by which a step tells that it runs."""

from __future__ import annotations

import http.server
import io
import shutil
import tarfile
import threading
import typing as t
from contextlib import contextmanager
from pathlib import Path

from .programs import require

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ansible_collections.fleet.images.plugins.module_utils.model.build_order import Context


_MIB = 1 << 20


def context_of(files: Mapping[str, bytes | str]) -> Context:
    """Return a context of these files, all of which may be run."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))

    def pieces(*, hidden_by: str) -> Iterable[bytes]:
        del hidden_by
        return [buffer.getvalue()]

    return pieces


def context_with_zeros(dockerfile: str, mebibytes: int) -> Context:
    """Return a context with a file ``zeros`` of that size, which is made while it is read."""

    def pieces(*, hidden_by: str) -> Iterator[bytes]:
        member = tarfile.TarInfo("zeros")
        member.size = mebibytes * _MIB
        yield member.tobuf()
        for _number in range(mebibytes):
            yield bytes(_MIB)
        yield from context_of({"Dockerfile": dockerfile})(hidden_by=hidden_by)

    return pieces


def busybox() -> bytes:
    """Return a static program that is a shell and all its tools."""
    require("busybox")
    return Path(shutil.which("busybox") or "").read_bytes()


@contextmanager
def answering(on_request: Callable[[str], None]) -> Iterator[str]:
    """Serve on loopback until the block ends: yields the address; each path that is asked for is given first."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            on_request(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
