# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real git repositories, and a loopback web server for them: of plain files, or by git's own http-backend."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
import typing as t
from pathlib import Path

from .programs import require

_BACKEND = Path("/usr/lib/git-core/git-http-backend")


class Repository:
    """A bare repository that commits are pushed to. Each is of somebody, and of some time."""

    def __init__(self, folder: Path) -> None:
        require("git")
        self.path = folder / "app.git"
        self._work = folder / "work"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path))
        self._git("init", "--quiet", "--initial-branch=main", str(self._work))

    @property
    def url(self) -> str:
        """Return the address of the repository as a file."""
        return f"file://{self.path}"

    def commit(self, files: t.Mapping[str, str], *, branch: str = "main") -> str:
        """Commit a tree of exactly these files to a branch and return the commit."""
        self._git("-C", str(self._work), "rm", "-r", "-f", "--quiet", "--ignore-unmatch", ".")
        for name, text in files.items():
            path = self._work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._git("-C", str(self._work), "add", "--all")
        self._git("-C", str(self._work), "commit", "--quiet", "--allow-empty", "-m", "files")
        return self._push(f"HEAD:refs/heads/{branch}")

    def tag(self, name: str) -> None:
        """Put an annotated tag on the last commit."""
        self._git("-C", str(self._work), "tag", "--force", "-a", "-m", name, name)
        self._push(f"refs/tags/{name}")

    def include(self, url: str, name: str) -> str:
        """Add another repository as a submodule to the main branch and return the commit."""
        self._git("-C", str(self._work), "submodule", "--quiet", "add", url, name)
        self._git("-C", str(self._work), "commit", "--quiet", "-m", "submodule")
        return self._push("HEAD:refs/heads/main")

    def _push(self, what: str) -> str:
        self._git("-C", str(self._work), "push", "--quiet", "--force", str(self.path), what)
        self._git("-C", str(self.path), "update-server-info")
        return self._git("-C", str(self._work), "rev-parse", "HEAD").strip()

    def _git(self, *words: str) -> str:
        somebody = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        ended = subprocess.run(["git", *somebody, *words], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


class WebServer:
    """A context manager that serves ``folder`` on loopback; ``asked`` grows with each path that is asked for.

    ``redirects`` maps paths to addresses. With ``is_smart`` what lies below is repositories, served by git.
    """

    def __init__(self, folder: Path, *, is_smart: bool = False) -> None:
        self.asked: list[str] = []
        self.redirects: dict[str, str] = {}
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments: t.Any) -> None:
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self) -> None:
                server.asked.append(self.path)
                if self.path in server.redirects:
                    self.send_response(302)
                    self.send_header("Location", server.redirects[self.path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif is_smart:
                    self._backend(b"")
                else:
                    super().do_GET()

            def do_POST(self) -> None:
                server.asked.append(self.path)
                self._backend(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def log_message(self, *_arguments: object) -> None:
                pass

            def _backend(self, body: bytes) -> None:
                path, _question, query = self.path.partition("?")
                environment = {
                    **os.environ,
                    "GIT_PROJECT_ROOT": str(folder),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                    "PATH_INFO": path,
                    "QUERY_STRING": query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                }
                told = subprocess.run([str(_BACKEND)], input=body, env=environment, capture_output=True, check=False)
                head, _end, content = told.stdout.partition(b"\r\n\r\n")
                headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                self.send_response(int(headers.pop("Status", "200").split(" ")[0]))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> WebServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
